"""Where every neuron and every weight lives; docs/architecture.md section 1.

Neuron j of a hidden layer sits in tile ``j mod T``, lane ``(j div T) mod L``, pass ``j div (T L)``. A pass occupies
consecutive rows of every lane's weight bank: its bias first, then one row a presynaptic neuron. Passes follow each
other in the order of the layers. Output weights live with the hidden neuron they come from: behind all passes, each
pass of the last hidden layer has one row a class. The output biases have a lane of their own, the bias tile.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Pass:
    """One sweep of the array over the fan-in of up to T x L neurons of one hidden layer.

    Attributes
    ----------
    slot : int
        Index among all passes of a sample.
    layer : int
        1..L-1, the layer whose neurons are computed.
    base : int
        First weight-bank row.
    fan_in : int
        Presynaptic neurons; the pass has up to ``fan_in + 1`` rows.
    first_neuron, neurons : int
        The neurons ``first_neuron .. first_neuron + neurons - 1`` of the layer.
    tiles : int
        T.
    """

    slot: int
    layer: int
    base: int
    fan_in: int
    first_neuron: int
    neurons: int
    tiles: int

    @property
    def rows(self) -> int:
        """Weight rows: bias and fan-in."""
        return self.fan_in + 1

    @property
    def active_tiles(self) -> int:
        """Tiles that hold at least one neuron of this pass: tiles 0..active_tiles-1."""
        return min(self.tiles, self.neurons)

    @property
    def active_lanes(self) -> int:
        """Lanes used by at least one tile: lanes 0..active_lanes-1."""
        return -(-self.neurons // self.tiles)

    def tiles_of_lane(self, lane: int) -> int:
        """Tiles whose lane ``lane`` holds a neuron: tiles 0..n-1."""
        return max(0, min(self.tiles, self.neurons - lane * self.tiles))

    def neuron(self, tile: int, lane: int) -> int | None:
        """The layer's neuron in that place, or None."""
        offset = lane * self.tiles + tile
        return self.first_neuron + offset if offset < self.neurons else None


def passes_of(layers: tuple[int, ...], tiles: int, lanes: int) -> Iterator[Pass]:
    """Every hidden pass of one sample, in the order in which they are swept."""
    slot = base = 0
    for layer in range(1, len(layers) - 1):
        for first in range(0, layers[layer], tiles * lanes):
            neurons = min(tiles * lanes, layers[layer] - first)
            yield Pass(slot, layer, base, layers[layer - 1], first, neurons, tiles)
            slot += 1
            base += layers[layer - 1] + 1


def output_base(layers: tuple[int, ...], tiles: int, lanes: int) -> int:
    """First weight-bank row of the output weights."""
    return sum(item.rows for item in passes_of(layers, tiles, lanes))


def output_groups(layers: tuple[int, ...], tiles: int, lanes: int) -> int:
    """Passes of the last hidden layer: each holds a row of output weights a class."""
    return -(-layers[-2] // (tiles * lanes))


def bank_rows_needed(layers: tuple[int, ...], tiles: int, lanes: int) -> int:
    """Rows of a lane's weight bank that the network occupies."""
    return output_base(layers, tiles, lanes) + output_groups(layers, tiles, lanes) * layers[-1]
