"""The training bench, with the generic family's latencies changed in the simulator's process, too."""

import os

from dfarray.latency import FAMILIES, Latency
from dfarray.sim.bench_training import train

__all__ = ["train"]

FAMILIES["generic"] = Latency(*map(int, os.environ["DFARRAY_TEST_LATENCY"].split(",")))
