import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import configurations

from dfarray.configuration import ConfigurationError, load_configuration, parse_configuration
from dfarray.feedback import feedback_matrices, routes
from dfarray.initial_weights import initial_weights
from dfarray.learning_rate import LearningRate
from dfarray.placement import from_banks, to_banks
from dfarray.qformat import QFormat
from dfarray.register_map import Access, register_map

GOOD = {"network": {"layers": [8, 6, 3]}, "array": {"tiles": 3, "lanes": 2}}


def with_key(section, key, value):
    return {**GOOD, section: {**GOOD.get(section, {}), key: value}}


BAD = [
    (with_key("array", "tiles", 0), "array.tiles = 0", "greater than or equal to 1"),
    (with_key("array", "lanes", "many"), "array.lanes = 'many'", "valid integer"),
    (with_key("array", "bank_rows", 8), "array.bank_rows = 8", "needs 16 rows a lane on 3 tiles of 2 lanes"),
    (with_key("array", "family", "asic"), "array", "family must be one of generic, ecp5, ice40up5k, gowin, not 'asic'"),
    (with_key("network", "layers", [8]), "network.layers", "at least 2 items"),
    (with_key("network", "layers", [8, 0, 3]), "network.layers.1 = 0", "greater than or equal to 1"),
    (with_key("network", "layers", [8, 1]), "network.layers ends in 1 classes", "2 to 4096"),
    (with_key("network", "activation", "sin"), "network.activation = 'sin'", "'tanh', 'hard-tanh' or 'relu'"),
    (with_key("network", "error", "hinge"), "network.error = 'hinge'", "'softmax-cross-entropy' or 'mse'"),
    (with_key("network", "depth", 3), "network.depth = 3", "unknown key"),
    (with_key("formats", "weight", "2.15"), "formats.weight = '2.15'", "Qm.n"),
    (with_key("formats", "weight", "Q40.15"), "formats.weight = 'Q40.15'", "2 to 48 bits"),
    (with_key("formats", "activation", "Q9.9"), "activation = Q9.9", "at most 16 bits"),
    (with_key("formats", "delta", "Q0.2"), "delta = Q0.2", "0 to 32, not -5"),
    (with_key("formats", "preactivation", "Q9.9"), "preactivation = Q9.9", "at most 13 bits"),
    (with_key("formats", "logit", "Q2.12"), "logit = Q2.12", "at most 10 fraction bits"),
    (with_key("formats", "accumulator", "Q4.9"), "accumulator = Q4.9", "must be 23"),
    ({**GOOD, "formats": {"weight": "Q1.30", "activation": "Q0.15", "delta": "Q0.20"}}, "Q1.30", "at most 48"),
    (with_key("feedback", "nonzeros", 4), "feedback.nonzeros = 4", "1 to 3"),
    (with_key("feedback", "scale", 0.3), "feedback.scale = 0.3", "power of two from 2**-8 to 2**8"),
    (with_key("training", "learning_rate", 0), "training.learning_rate = 0", "greater than 0"),
    (with_key("training", "learning_rate", 1e-12), "training", "2**-31 to 255"),
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
        parse_configuration({"network": {"layers": [4, 2]}, "array": {"tiles": 0, "lanes": 0}})
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


def test_mnist_occupies_1721_rows():
    assert load_configuration("configs/mnist.toml").bank_rows_used == 1721


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
                    if item.output:
                        assert lane == 0
                    places.add((item.layer, neuron))
    assert rows == config.bank_rows_used
    assert len(places) == sum(config.network.layers[1:])
    weights = initial_weights(config)
    for before, after in zip(weights, from_banks(config, to_banks(config, weights)), strict=True):
        assert np.array_equal(before, after)


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
