"""Generator of neuron arrays that learn on the chip by sparse direct feedback alignment."""

from importlib.metadata import version

__version__ = version("dfarray")
