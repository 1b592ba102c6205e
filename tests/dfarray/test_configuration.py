import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import configurations

from dfarray.configuration import ConfigurationError, load_configuration, parse_configuration
from dfarray.feedback import feedback_matrices, routes
from dfarray.initial_weights import initial_weights
from dfarray.learning_rate import LearningRate
from dfarray.placement import from_banks, from_image, to_banks, to_image
from dfarray.qformat import QFormat
from dfarray.register_map import Access, register_map

GOOD = {"network": {"layers": [8, 6, 3]}, "array": {"tiles": 3, "lanes": 2}}


def with_key(section, key, value):
    return {**GOOD, section: {**GOOD.get(section, {}), key: value}}


BAD = [
    (with_key("array", "tiles", 0), "array.tiles = 0", "greater than or equal to 1"),
    (with_key("array", "lanes", "many"), "array.lanes = 'many'", "valid integer"),
    (with_key("array", "bank_rows", 8), "array.bank_rows = 8", "needs 12 rows a lane on 3 tiles of 2 lanes"),
    (with_key("array", "family", "asic"), "array.family = 'asic'", "one of generic, ecp5, ice40up5k, gowin"),
    (with_key("array", "zero_skipping", "often"), "array.zero_skipping = 'often'", "valid boolean"),
    (
        with_key("network", "layers", [8, 3]),
        "network.layers = [8, 3]",
        "inputs, at least one hidden layer, and classes",
    ),
    (with_key("network", "layers", [8] * 18), "network.layers", "at most 17 items"),
    (with_key("network", "layers", [8, 0, 3]), "network.layers.1 = 0", "greater than or equal to 1"),
    (with_key("network", "layers", [8, 3, 1]), "network.layers ends in 1 classes", "2 to 4096"),
    (with_key("network", "activation", "sin"), "network.activation = 'sin'", "'tanh', 'hard-tanh' or 'relu'"),
    (with_key("network", "error", "hinge"), "network.error = 'hinge'", "'softmax-cross-entropy' or 'mse'"),
    (with_key("network", "depth", 3), "network.depth = 3", "unknown key"),
    (with_key("formats", "weight", "2.15"), "formats.weight = '2.15'", "Qm.n"),
    (with_key("formats", "weight", "Q40.15"), "formats.weight = 'Q40.15'", "2 to 48 bits"),
    (with_key("formats", "activation", "Q9.9"), "activation = Q9.9", "at most 16 bits"),
    (with_key("formats", "delta", "Q0.2"), "delta = Q0.2", "0 to 32, not -5"),
    (with_key("formats", "preactivation", "Q9.9"), "preactivation = Q9.9", "at most 13 bits"),
    (with_key("formats", "logit", "Q2.12"), "logit = Q2.12", "at most 10 fraction bits"),
    (with_key("formats", "gram", "Q10.14"), "gram = Q10.14", "at most 24 bits and 16 fraction bits"),
    (with_key("formats", "gram", "Q2.17"), "gram = Q2.17", "at most 24 bits and 16 fraction bits"),
    (with_key("formats", "gram", "wide"), "formats.gram = 'wide'", "Qm.n"),
    (
        {**GOOD, "formats": {"activation": "Q0.15", "delta": "Q15.16", "gram": "Q23.0"}},
        "formats.delta = Q15.16, formats.gram = Q23.0",
        "needs 70 bits at the accumulator's binary point; at most 60",
    ),
    (with_key("formats", "accumulator", "Q4.9"), "accumulator = Q4.9", "must be 23"),
    ({**GOOD, "formats": {"weight": "Q1.30", "activation": "Q0.15", "delta": "Q0.20"}}, "Q1.30", "at most 48"),
    (with_key("feedback", "nonzeros", 4), "feedback.nonzeros = 4", "1 to 3"),
    (with_key("feedback", "scale", 0.3), "feedback.scale = 0.3", "power of two from 2**-8 to 2**8"),
    (with_key("training", "learning_rate", 0), "training.learning_rate = 0", "greater than 0"),
    (with_key("training", "learning_rate", 1e-12), "training.learning_rate = 1e-12", "2**-31 to 255"),
    (with_key("training", "rounding", "up"), "training.rounding = 'up'", "'nearest' or 'stochastic'"),
    ({"array": GOOD["array"]}, "network", "missing"),
]


@pytest.mark.parametrize(("table", "key", "allowed"), BAD, ids=[key for _, key, _ in BAD])
def test_bad_value_names_key_value_and_what_is_allowed(table, key, allowed):
    with pytest.raises(ConfigurationError) as refused:
        parse_configuration(table)
    assert key in str(refused.value)
    assert allowed in str(refused.value)


def test_every_bad_value_is_reported():
    with pytest.raises(ConfigurationError) as refused:
        parse_configuration({"network": {"layers": [4, 3, 2]}, "array": {"tiles": 0, "lanes": 0}})
    assert str(refused.value).count("\n") == 1


def test_bad_files(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: cannot be read"):
        load_configuration(tmp_path / "nowhere.toml")
    (tmp_path / "broken.toml").write_text("[network\n")
    with pytest.raises(ConfigurationError, match=r"broken\.toml: not a TOML file"):
        load_configuration(tmp_path / "broken.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not a TOML file"):
        load_configuration(tmp_path / "binary.toml")


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_shipped_configurations_load(name):
    config = load_configuration(f"configs/{name}.toml")
    assert config.bank_rows_used <= config.array.bank_rows


def test_mnist_occupies_1590_rows():
    """Twice 784 synapses and a bias, and ten output rows behind each pass."""
    assert load_configuration("configs/mnist.toml").bank_rows_used == 2 * 785 + 2 * 10


@pytest.mark.parametrize(
    ("layers", "formats", "gram", "shift"),
    [
        # 785 products of 2^16, the bias's among them, need 26 bits: ten before the point, seven of 18 behind it.
        ([784, 150, 10], {}, "Q10.7", 17 + 7 - 23),
        ([784, 150, 10], {"gram": "Q10.5"}, "Q10.5", 17 + 5 - 23),
        ([3, 5, 10], {}, "Q3.14", 17 + 14 - 23),
        ([3, 5, 10], {"activation": "Q0.4"}, "Q3.8", 17 + 8 - 19),
    ],
)
def test_gram_is_as_fine_as_18_bits_allow(layers, formats, gram, shift):
    table = {"network": {"layers": layers}, "array": {"tiles": 15, "lanes": 5}, "formats": formats}
    config = parse_configuration(table)
    assert (str(config.gram), config.correction_shift) == (gram, shift)


def test_configuration_is_frozen():
    config = parse_configuration(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        setattr(config.array, "tiles", 4)  # noqa: B010 - a type checker refuses the plain assignment already


def test_q_format():
    fmt = QFormat.parse("Q2.15")
    assert (fmt.width, fmt.lo, fmt.hi, fmt.one, str(fmt)) == (18, -(2**17), 2**17 - 1, 2**15, "Q2.15")
    assert QFormat.parse("Q0.8").one == 255


def test_negative_integer_bits_make_small_numbers():
    fmt = QFormat.parse("Q-4.21")
    assert (fmt.width, fmt.lo, fmt.hi, fmt.one) == (18, -(2**17), 2**17 - 1, 2**17 - 1)
    assert str(fmt) == "Q-4.21"


@given(st.floats(1e-8, 200))
def test_nearest_learning_rate(value):
    rate = LearningRate.nearest(value)
    assert abs(rate.value - value) <= max(value / 256, 2.0**-32)


@settings(max_examples=60, deadline=None)
@given(configurations())
def test_every_neuron_has_one_place_and_every_weight_one_row(config):
    places, rows = set(), 0
    for item in config.passes:
        assert item.base == rows
        rows += item.rows
        for lane in range(config.array.lanes):
            for tile in range(config.array.tiles):
                neuron = item.neuron(tile, lane)
                if neuron is not None:
                    assert tile < item.tiles_of_lane(lane)
                    assert tile < item.active_tiles
                    assert lane < item.active_lanes
                    places.add((item.layer, neuron))
    for item, base in config.output_groups:
        assert item.layer == len(config.network.layers) - 2
        assert base == rows
        rows += config.network.classes
    assert rows == config.bank_rows_used
    assert len(places) == sum(config.network.layers[1:-1])


@settings(max_examples=60, deadline=None)
@given(configurations(), st.integers(0, 2**32 - 1))
def test_weights_come_back_from_banks_and_images(config, seed):
    rng, fmt = np.random.default_rng(seed), config.formats.weight
    weights = [rng.integers(fmt.lo, fmt.hi + 1, w.shape, dtype=np.int32) for w in initial_weights(config)]
    image = to_image(config, weights)
    assert image.shape == (config.bank_rows_used, config.array.tiles * config.array.lanes + 1)
    for before, banks, words in zip(
        weights, from_banks(config, *to_banks(config, weights)), from_image(config, image), strict=True
    ):
        assert np.array_equal(before, banks)
        assert np.array_equal(before, words)


def test_output_weights_lie_with_their_presynaptic_neuron():
    config = parse_configuration({"network": {"layers": [2, 7, 3]}, "array": {"tiles": 2, "lanes": 2}})
    output = np.arange(24, dtype=np.int32).reshape(3, 8)  # row c: bias 8 c, then 8 c + 1 + j
    banks, biases = to_banks(config, [np.zeros((7, 3), dtype=np.int32), output])
    assert biases.tolist() == [0, 8, 16]
    # Two passes of three rows; class 1 of group 1 in row 6 + 3 + 1: neurons 4, 5 in lane 0, 6 in lane 1.
    assert banks[10].tolist() == [[8 + 1 + 4, 8 + 1 + 5], [8 + 1 + 6, 0]]
    image = to_image(config, [np.zeros((7, 3), dtype=np.int32), output])
    assert image[7].tolist() == [9, 10, 8, 11, 12]
    assert image[10].tolist() == [13, 14, 0, 15, 0]


@settings(max_examples=60, deadline=None)
@given(configurations())
def test_feedback_is_sparse_balanced_and_shared_by_a_tile(config):
    nonzeros, scale = config.feedback.nonzeros, config.feedback.scale
    for matrix in feedback_matrices(config):
        assert (np.count_nonzero(matrix, axis=1) == nonzeros).all()
        assert set(np.unique(np.abs(matrix))) <= {0.0, scale}
        fed = np.count_nonzero(matrix, axis=0)
        # Neurons come in groups of at most L, and every group takes the classes that were fed least.
        assert fed.max() - fed.min() <= config.array.lanes
    for route in routes(config):
        item = config.passes[route.slot]
        present = [route.lane_signs[k] for k in range(config.array.lanes) if item.neuron(route.tile, k) is not None]
        assert abs(sum(present)) <= 1, "signs alternate over the lanes"


def test_dense_feedback_has_no_zero():
    (matrix,) = feedback_matrices(parse_configuration(with_key("feedback", "nonzeros", 3)))
    assert np.count_nonzero(matrix) == matrix.size


def test_registers_do_not_overlap():
    offsets = set()
    for register in register_map(parse_configuration(GOOD)):
        assert register.offset % 4 == 0
        assert register.offset not in offsets
        offsets.add(register.offset)
        bits = 0
        for item in register.fields:
            mask = ((1 << item.width) - 1) << item.low
            assert not bits & mask
            assert mask < 1 << 32
            bits |= mask
        if register.access is not Access.READ_WRITE:
            continue
        with pytest.raises(ValueError, match="must be 0 to"):
            register.pack(**{register.fields[0].name: 1 << register.fields[0].width})
