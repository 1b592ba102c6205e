"""The figures that docs/data-movement.md states follow from the shapes."""

from pathlib import Path

import pytest

from dfarray.configuration import load_configuration
from dfarray.costs import array_costs, training_costs

PAGE = Path("docs/data-movement.md").read_text()
ALEXNET = (9216, 4096, 4096, 1000)


def ratio(layers, figure):
    costs = training_costs(layers)
    return figure(costs["backpropagation"]) / figure(costs["sparse_dfa"])


@pytest.mark.parametrize(
    ("said", "figure"),
    [
        ("1.01 for 784-150-10,", ratio((784, 150, 10), lambda c: c.backward_macs)),
        ("1.34 for 784-400-400-10", ratio((784, 400, 400, 10), lambda c: c.backward_macs)),
        ("1.36 for AlexNet's head", ratio(ALEXNET, lambda c: c.backward_macs)),
        ("1.88 at 16 hidden layers of 400", ratio((784, *[400] * 16, 10), lambda c: c.backward_macs)),
        ("784-150-10 has 1.01.", ratio((784, 150, 10), lambda c: c.training_macs)),
        ("20 times fewer", ratio((784, 150, 10), lambda c: c.point_to_point.feedback_words)),
        ("410\n  times", ratio((784, 400, 400, 10), lambda c: c.point_to_point.feedback_words)),
        ("1.05 for 784-150-10", ratio((784, 150, 10), lambda c: c.point_to_point.bits)),
        ("2.4 for two layers of 400", ratio((784, 400, 400, 10), lambda c: c.point_to_point.bits)),
        ("it is 4.1 and", ratio((784, 150, 10), lambda c: c.broadcast.bits)),
        ("and 206:", ratio((784, 400, 400, 10), lambda c: c.broadcast.bits)),
    ],
)
def test_ratios(said, figure):
    assert said in PAGE
    number = next(word.strip(".,:") for word in said.split() if word[0].isdigit() and "-" not in word)
    digits = len(number.partition(".")[2])
    assert round(figure, digits) == float(number)


def test_counts():
    config = load_configuration("configs/mnist.toml")
    array = array_costs(config)
    counts = (array.weight_reads, array.packets, array.output_sums, array.scalars, array.scalar_bit_hops)
    assert counts == (119_260, 1_594, 22, 60, 8_640)
    output_bit_hops = array.output_scalars * (config.array.tiles + 1) * config.formats.delta.width
    assert (array.returned, array.output_scalars, output_bit_hops) == (0, 20, 5_760)
    for count in (*counts, array.output_scalars, output_bit_hops):
        assert f"{count:,}" in PAGE
    errors = array.scalars + array.output_scalars
    assert f"from 40 to {errors}; with the words that come back, 200 became {errors + array.output_sums}." in PAGE
    assert 5_000 < ratio(ALEXNET, lambda c: c.point_to_point.feedback_words) < 5_100
