"""The training bench, with the generic family's latencies changed in the simulator's process, too."""

import os

from dfarray.latency import FAMILIES, Latency
from dfarray.sim.bench_training import train

__all__ = ["train"]

weight_read, multiply, interval = map(int, os.environ["DFARRAY_TEST_LATENCY"].split(","))
FAMILIES["generic"] = Latency(weight_read, multiply, interval)
