"""Every event counter shows what the cycle model predicts, in mid-training too."""

import pytest
from counter_bench import CONFIGURATIONS, counted, miscounted

from dfarray.event_counters import EVENT_COUNTERS


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_counters_are_what_the_cycle_model_predicts(name, tmp_path):
    config = CONFIGURATIONS[name]
    job, readings = counted(config, tmp_path)
    assert not miscounted(job, readings)
    never = {"FRAMING_ERRORS"} | (set() if config.lists else {"SKIPPED_ROWS"})
    if config.latency.serial:  # By the time a slot begins, the one before is answered.
        never.add("ACTIVATION_WAITS")
    for counter, _, value in readings[-len(EVENT_COUNTERS) :]:
        # Formats this narrow saturate; which deltas are 0 is chance.
        assert counter == "ZERO_DELTAS" or (value == 0) == (counter in never), f"{counter} is {value}"
