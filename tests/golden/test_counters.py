"""Costs from the shapes against events counted in the cycle model's trace."""

from hypothesis import given, settings
from strategies import configurations

from dfarray.costs import array_costs
from dfarray.golden.counters import counted_costs


@settings(max_examples=25, deadline=None)
@given(configurations())
def test_formulas_count_what_the_machine_does(config):
    assert counted_costs(config) == array_costs(config)
