"""What packets, tokens and feedback words do to the tiles: contents now, trace events at the specified cycles.

docs/architecture.md sections 4.1, 4.2 and 4.6. Arrays of lanes are (lanes, tiles) throughout.
"""

import numpy as np

from dfarray.configuration import Configuration, Rounding
from dfarray.feedback import routes
from dfarray.golden import arithmetic, noise
from dfarray.golden.trace_buffer import TraceBuffer
from dfarray.passes import Pass
from dfarray.placement import to_banks
from dfarray.trace import FEEDBACK_OPERATIONS, KINDS, OPERATIONS


class ArrayModel:
    """The lanes' weights, deltas and sums, and the tiles' derivatives.

    Attributes
    ----------
    banks : int64 array (rows, lanes, tiles)
        Weight codes, rows beyond the network included.
    noise_state : int
    """

    def __init__(self, config: Configuration, weights, trace: TraceBuffer):
        self._config, self._trace = config, trace
        tiles, lanes = config.array.tiles, config.array.lanes
        self._tile = np.arange(tiles)
        used = to_banks(config, weights).astype(np.int64)
        self.banks = np.zeros((config.array.bank_rows, lanes, tiles), dtype=np.int64)
        self.banks[: len(used)] = used
        self.noise_state = noise.first_state(config.training.seed)
        self._shadow = np.zeros((lanes, tiles), dtype=np.int64)
        self._shadow_valid = np.zeros((lanes, tiles), dtype=bool)
        self._delta = self._shadow.copy()
        self._delta_valid = self._shadow_valid.copy()
        self._scalar = np.zeros(tiles, dtype=np.int64)
        self._slopes = np.zeros((len(config.passes), lanes, tiles), dtype=np.int64)
        self._routes = {(route.slot, route.tile): route for route in routes(config)}
        self._column = {
            name: trace.lane_columns(name, lanes, tiles)
            for name in (
                "weight_write.enable",
                "weight_write.address",
                "weight_write.data",
                "result",
                "delta",
                "delta.valid",
            )
        } | {
            name: trace.tile_columns(name, tiles)
            for name in ("return.valid", "return.kind", "return.value", "error_scalar")
        }

    def sweep(self, item: Pass, heads, x_prev, x_cur, update: bool) -> np.ndarray:
        """One pass of a FORWARD or FUSED sweep.

        Parameters
        ----------
        item : Pass
        heads : int array (rows,)
            Cycle of each packet at the head.
        x_prev, x_cur : int array (rows,)
        update : bool

        Returns
        -------
        int64 array (lanes, tiles): the finished sums.
        """
        config, trace = self._config, self._trace
        self._swap(int(heads[0]))
        rows = slice(item.base, item.base + item.rows)
        weights = self.banks[rows]
        x_prev, x_cur = np.asarray(x_prev)[:, None, None], np.asarray(x_cur)[:, None, None]
        stochastic = config.training.rounding is Rounding.STOCHASTIC
        if update:
            addresses = np.arange(item.base, item.base + item.rows)
            bits = None
            if stochastic:
                bits = noise.rounding_noise(config, self.noise_state, addresses)
                trace.put(heads, trace.column("broadcast.noise"), noise.row_words(self.noise_state, addresses))
            updated = arithmetic.update_weights(config, weights, self._delta, x_prev, bits)
            weights = np.where(self._delta_valid, updated, weights)
            self.banks[rows] = weights
            self._write_events(heads, addresses, weights, self._delta_valid)
        sums = arithmetic.accumulate(config, weights * x_cur)
        self._result_event(int(heads[-1]), sums)
        return sums

    def _swap(self, head: int) -> None:
        self._delta, self._delta_valid = self._shadow.copy(), self._shadow_valid.copy()
        self._shadow_valid[:] = False
        cycle = head + 2 + self._tile
        self._trace.put(cycle, self._column["delta"], self._delta)
        self._trace.put(cycle, self._column["delta.valid"], self._delta_valid)

    def _write_events(self, heads, addresses, data, lanes) -> None:
        lane, tile = np.nonzero(lanes)
        cycles = np.asarray(heads)[:, None] + 3 + self._config.latency.align + tile
        for name, values in (("enable", 1), ("address", addresses[:, None]), ("data", data[:, lane, tile])):
            self._trace.put(cycles, self._column[f"weight_write.{name}"][lane, tile], values)

    def _result_event(self, head: int, sums) -> None:
        cycle = head + self._tile + self._config.latency.result
        self._trace.put(cycle, self._column["result"], sums)

    def load(self, head: int, address: int, lane: int, tile: int, weight: int) -> None:
        """A LOAD packet."""
        self.banks[address, lane, tile] = weight
        for name, value in (("enable", 1), ("address", address), ("data", weight)):
            self._trace.put(head + 3 + tile, self._column[f"weight_write.{name}"][lane, tile], value)

    def read(self, head: int, address: int) -> np.ndarray:
        """A READ packet: the row's weights (lanes, tiles), which become the results."""
        weights = self.banks[address].copy()
        self._result_event(head, weights)
        return weights

    def collect(self, head: int, kind: str, slot: int, counts: list[int], values) -> tuple[np.ndarray, int]:
        """Tokens after a collected packet, and the words they send to the exit.

        Parameters
        ----------
        head : int
            Cycle of the collected packet.
        kind : str
            HIDDEN, OUTPUT or WEIGHT.
        counts : list of int
            Tiles that answer, for each collected lane.
        values : int array (lanes, tiles)

        Returns
        -------
        (exit cycles of the words in order, cycle of the last token)
        """
        trace, tiles = self._trace, self._config.array.tiles
        token = head + self._config.latency.result - 1
        exits = []
        last = token
        for lane, count in enumerate(counts):
            trace.set(
                token, token__valid=1, token__lane=lane, token__kind=KINDS[kind], token__slot=slot, token__count=count
            )
            source = np.arange(count)[:, None]
            passed = np.arange(tiles)[None, :]
            there = np.broadcast_to(passed >= source, (count, tiles))
            cycles = (token + 5 + source + passed)[there]
            place = np.broadcast_to(passed, (count, tiles))[there]
            word = np.broadcast_to(values[lane, :count, None], (count, tiles))[there]
            trace.put(cycles, self._column["return.valid"][place], 1)
            trace.put(cycles, self._column["return.kind"][place], KINDS[kind])
            trace.put(cycles, self._column["return.value"][place], word)
            exits.append(token + tiles + 4 + np.arange(count))
            last, token = token, token + count
        return np.concatenate(exits), last

    def activate(self, item: Pass, sums) -> np.ndarray:
        """Activations (lanes, tiles) of a hidden pass; keeps their derivatives for the deltas."""
        values, self._slopes[item.slot] = arithmetic.activate(
            self._config, arithmetic.preactivations(self._config, sums)
        )
        return values

    def deliver(self, item: Pass, request: int, errors) -> int:
        """Feedback for one pass, requested in cycle ``request``.

        Parameters
        ----------
        errors : int array (classes,)
            g of the pending sample.

        Returns
        -------
        int : cycle from which the pass is delivered.
        """
        trace = self._trace
        step = 1 if item.output else self._config.feedback.nonzeros
        tiles = np.arange(item.active_tiles)
        scalars = np.array([self._scalar_of(item, tile, errors) for tile in range(item.active_tiles)], dtype=np.int64)
        heads = request + 4 + (tiles + 1) * step
        for name, values in (
            ("op", FEEDBACK_OPERATIONS["SCALAR"]),
            ("index", tiles),
            ("slot", item.slot),
            ("value", scalars),
        ):
            trace.put(heads, trace.column(f"feedback.{name}"), values)
        trace.put(heads + 2 + tiles, self._column["error_scalar"][tiles], scalars)
        self._scalar[tiles] = scalars
        head = request + 5 + item.active_tiles * step
        for lane in range(item.active_lanes):
            count = item.tiles_of_lane(lane)
            trace.set(
                head + lane,
                feedback__op=FEEDBACK_OPERATIONS["DELTA"],
                feedback__index=lane,
                feedback__slot=item.slot,
                feedback__count=count,
            )
            self._shadow[lane, :count] = self._deltas_of(item, lane, count)
            self._shadow_valid[lane, :count] = True
        return head + item.active_lanes - 1

    def _scalar_of(self, item: Pass, tile: int, errors) -> int:
        if item.output:
            return int(errors[item.first_neuron + tile])
        return arithmetic.hidden_scalar(self._config, errors, self._routes[(item.slot, tile)])

    def _deltas_of(self, item: Pass, lane: int, count: int) -> np.ndarray:
        if item.output:
            return self._scalar[:count]
        signs = np.array([self._routes[(item.slot, tile)].lane_signs[lane] for tile in range(count)])
        return arithmetic.hidden_delta(self._config, self._scalar[:count], self._slopes[item.slot, lane, :count], signs)

    def packets(self, heads, op: str, addresses, **fields) -> None:
        """Packets at the head of the broadcast chain."""
        trace = self._trace
        for name, values in {"op": OPERATIONS[op], "address": addresses, **fields}.items():
            trace.put(heads, trace.column(f"broadcast.{name}"), values)
