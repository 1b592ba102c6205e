"""Work and words from first principles, and the figures derived by hand for known networks."""

from itertools import product

import pytest

from dfarray.configuration import Formats, load_configuration, parse_configuration
from dfarray.costs import array_costs, training_costs


def enumerated(layers, nonzeros):
    """Walk over every synapse and every feedback connection, one word or product at a time."""
    counts: dict[str, int] = dict.fromkeys(("forward", "backward", "bp_errors", "bp_weights", "dense", "sparse"), 0)
    for layer in range(1, len(layers)):
        for _ in product(range(layers[layer]), range(layers[layer - 1])):
            counts["forward"] += 1
            if layer > 1:
                # W^T delta: the product is formed, and its two factors come from the neuron above.
                counts["backward"] += 1
                counts["bp_errors"] += 1
                counts["bp_weights"] += 1
    for neurons in layers[1:-1]:
        for _neuron, c in product(range(neurons), range(layers[-1])):
            counts["dense"] += 1
            counts["sparse"] += c < nonzeros
    return counts


@pytest.mark.parametrize("layers", [(5, 3), (4, 6, 3), (3, 5, 4, 2), (2, 3, 4, 5, 6)])
@pytest.mark.parametrize("nonzeros", [1, 2])
def test_formulas_count_every_synapse(layers, nonzeros):
    counts, costs = enumerated(layers, nonzeros), training_costs(layers, nonzeros)
    for rule, projected in (("backpropagation", "backward"), ("dense_dfa", "dense"), ("sparse_dfa", "sparse")):
        assert costs[rule].forward_macs == costs[rule].update_macs == counts["forward"]
        assert costs[rule].projection_macs == counts[projected]
        assert costs[rule].point_to_point.activations == counts["forward"]
    sent = costs["backpropagation"].point_to_point
    assert (sent.errors, sent.weights) == (counts["bp_errors"], counts["bp_weights"])
    assert costs["dense_dfa"].point_to_point.feedback_words == counts["dense"]
    assert costs["sparse_dfa"].point_to_point.feedback_words == counts["sparse"]


@pytest.mark.parametrize(
    ("layers", "projections", "words"),
    [
        ((784, 100, 10), (1_000, 1_000, 100), (2_000, 1_000, 100)),
        ((784, 400, 400, 10), (164_000, 8_000, 800), (328_000, 8_000, 800)),
        ((3072, 1000, 1000, 1000, 10), (2_010_000, 30_000, 3_000), (4_020_000, 30_000, 3_000)),
        ((9216, 4096, 4096, 1000), (20_873_216, 8_192_000, 8_192), (41_746_432, 8_192_000, 8_192)),
    ],
)
def test_known_networks(layers, projections, words):
    costs = training_costs(layers).values()
    assert tuple(cost.projection_macs for cost in costs) == projections
    assert tuple(cost.point_to_point.feedback_words for cost in costs) == words


def test_a_bus_carries_the_errors_once_whatever_s():
    costs = training_costs((784, 400, 400, 10), 3)
    assert costs["dense_dfa"].broadcast == costs["sparse_dfa"].broadcast
    assert costs["sparse_dfa"].broadcast.feedback_words == 10
    assert costs["backpropagation"].broadcast.feedback_words == 400 * 400 + 400 * 10 + 400 + 10
    assert training_costs((784, 10))["dense_dfa"].broadcast.feedback_words == 0


def test_bits_are_words_of_their_formats():
    formats = Formats()
    sent = training_costs((4, 3, 2), 1, formats)["backpropagation"].point_to_point
    assert sent.feedback_bits == 6 * formats.delta.width + 6 * formats.weight.width
    assert sent.bits == sent.feedback_bits + 18 * formats.activation.width


def test_dfa_reads_each_weight_once_where_backpropagation_needs_two():
    costs, weights = training_costs((784, 150, 10)), 784 * 150 + 150 + 150 * 10 + 10
    assert costs["sparse_dfa"].fused_weight_reads == costs["sparse_dfa"].weight_writes == weights
    assert costs["backpropagation"].fused_weight_reads == 2 * weights


@pytest.mark.parametrize(
    ("layers", "nonzeros", "message"),
    [((5,), 1, "two or more"), ((5, 0, 2), 1, "positive"), ((5, 4, 2), 3, "nonzeros must be 1 to 2")],
)
def test_what_is_no_network_is_refused(layers, nonzeros, message):
    with pytest.raises(ValueError, match=message):
        training_costs(layers, nonzeros)


def test_the_array_sends_two_scalars_to_every_tile_and_pass():
    costs = array_costs(load_configuration("configs/mnist.toml"))
    # Two passes on 15 tiles, two groups of ten output rows.
    assert (costs.scalars, costs.output_scalars, costs.output_sums) == (2 * 2 * 15, 2 * 10, 2 * 11)
    assert costs.packets == 785 + 785 + 2 + 2 * 11
    assert costs.returned == 0
    assert costs.weight_reads == costs.weight_writes == 784 * 150 + 150 + 1500 + 10


def test_only_activations_for_another_hidden_layer_return():
    table = {"network": {"layers": [9, 7, 5, 3]}, "array": {"tiles": 4, "lanes": 1}}
    costs = array_costs(parse_configuration(table))
    assert costs.returned == 7
    # Passes of 4, 3, 4 and 1 neurons; the last two have output weights.
    assert costs.packets == 2 * 10 + 2 * 8 + 4 + 2 * (3 + 1)
    assert costs.scalars == 2 * (4 + 3 + 4 + 1)
    assert costs.scalar_bit_hops == 2 * (10 + 6 + 10 + 1) * 18
