"""The tile of a small family: one lane after the other, whatever is done once a slot."""

from amaranth.hdl import Array, Cat, Mux, Signal, Value
from amaranth.lib import data

from dfarray.configuration import Configuration
from dfarray.hw.activation import ActivationUnit
from dfarray.hw.arithmetic import adder_tree, delay, held, odd_cycles, q_shape, round_half_up, saturate
from dfarray.hw.bias_tile import BiasTile
from dfarray.hw.blocks import block_ram
from dfarray.hw.packets import Kind, collect_token
from dfarray.hw.serial import SerialProduct
from dfarray.hw.serial_bias import SerialBiasTile
from dfarray.hw.serial_decoder import SerialDecoder, even_cycle
from dfarray.hw.serial_lane import SerialLane
from dfarray.hw.tile import Tile
from dfarray.trace import index_bits


class SerialTile(Tile):
    """As :class:`dfarray.hw.tile.Tile`; sums and corrections are read where the lanes' multipliers hold them."""

    _lane, _decoder, _read, _spare = SerialLane, SerialDecoder, 1, 0

    def _follow(self, m, decoder):
        self._activation_start = decoder.activation
        widest = len(self.lanes[0].write_data) + self._config.formats.activation.width
        products = [lane.total[:widest].as_signed() for lane in self.lanes]
        m.d.sync += [
            self.partial.valid.eq(decoder.partial_valid),
            self.partial.value.eq(self.partial_in.value + self._sum(m, products)),
        ]
        m.d.comb += self.partial_out.eq(self.partial)

    def _sum(self, m, products):
        """The products' sum when the partial register wants it, ceil(log2 L) cycles after them."""
        if len(products) <= 2:
            return adder_tree(m, products, "product_sum")
        # The first sums stay for two cycles, so the last ones are made in the partial register.
        first = even_cycle(self._config, odd_cycles(m), self._index, 5)
        pairs = [sum(products[k : k + 2]) for k in range(0, len(products), 2)]
        sums = [held(m, pair, 1, f"product_pair_{k}", first) for k, pair in enumerate(pairs)]
        half = 1 << ((len(sums) - 1).bit_length() - 1)
        missing = (half - 1).bit_length() - (len(sums) - half - 1).bit_length()
        upper = delay(m, adder_tree(m, sums[half:], "product_upper"), missing, "product_late")
        return adder_tree(m, sums[:half], "product_lower") + upper

    def _activate(self, m, derivatives):
        """Lane after lane: sum and correction to activation, which joins those of the two samples before.

        Returns whether a neuron's sum saturates.
        """
        config, formats, lanes, start = self._config, self._config.formats, self.lanes, self._activation_start
        # Lane k is taken in cycle h + Y + k.
        bits = index_bits(len(lanes))
        turn, runs = Signal(bits, name="turn"), Signal(name="turns")
        taken = start.start | runs
        last = turn == len(lanes) - 1
        with m.If(taken):
            m.d.sync += [turn.eq(Mux(last, 0, turn + 1)), runs.eq(~last)]
        self._asked_lane = Signal(bits, name="asked_lane")  # Weights are read when nothing is activated.
        chosen = Mux(taken, turn, self._asked_lane)
        self._chosen = Array(lane.total for lane in lanes)[chosen]
        correction = Array(lane.rounded_correction for lane in lanes)[turn]
        shift = formats.product_fraction - formats.preactivation.fraction_bits
        total = self._chosen + correction
        exact = delay(m, total >> shift if shift >= 0 else total << -shift, 1, "exact_z")
        m.submodules.activation = activation = ActivationUnit(config, len(exact))
        m.d.comb += activation.exact.eq(exact)
        steps = 1 + activation.latency
        strobe = delay(m, taken, steps, "activation_strobe", reset_less=False)
        lane_before = delay(m, turn, steps - 1, "lane_before")
        at_lane = delay(m, lane_before, 1, "at_lane")

        # What the neuron answered in the two sweeps before; read just before the new activation is written.
        value = q_shape(formats.activation)
        m.submodules.history = history = block_ram(
            config.array.family,
            data.StructLayout({"newer": value, "older": value}),
            1 << (index_bits(len(config.passes)) + bits),
            latency=1,
        )
        place = self._place(start.slot, at_lane)
        present = self._exists(m, place, "lives")
        m.d.comb += [
            history.read_address.eq(self._place(start.slot, lane_before)),
            history.write_enable.eq(strobe),
            history.write_address.eq(place),
            history.write_data.newer.eq(activation.value),
            history.write_data.older.eq(history.read_data.newer),
            derivatives.write_enable.eq(strobe),
            derivatives.write_address.eq(Cat(place, start.parity)),
            derivatives.write_data.eq(activation.derivative),
        ]
        answers = {
            "current": activation.value,
            "gram": history.read_data.newer,
            "update": history.read_data.older,
        }
        for k, lane in enumerate(lanes):
            register = self.activations[k]
            with m.If(strobe & (at_lane == k)):
                m.d.sync += [register[name].eq(Mux(present, answer, 0)) for name, answer in answers.items()]
            m.d.comb += lane.activations.eq(register)
        return strobe & present & delay(m, activation.saturated, activation.latency, "sum_saturated")

    def _collect(self, m):
        config = self._config
        token, valid, kind = Signal(collect_token(config)), Signal(), Signal(Kind)
        m.d.sync += [
            token.eq(self.token_in),
            self.token_out.eq(token),
            valid.eq(token.valid & (token.count > self._index)),
            kind.eq(token.kind),
            self._asked_lane.eq(token.lane),
            self.returned.eq(self.return_in),
        ]
        word = self._chosen[: config.formats.weight.width].as_signed()
        # Activations of the last hidden layer stay where they are.
        if len(config.network.layers) > 3:
            activations = Array(Value.cast(register.current) for register in self.activations)
            word = Mux(kind == Kind.HIDDEN, activations[self._asked_lane].as_signed(), word)
        with m.If(valid):
            m.d.sync += [self.returned.valid.eq(1), self.returned.kind.eq(kind), self.returned.value.eq(word)]
        m.d.comb += self.return_out.eq(self.returned)

    def _deltas(self, m, word, compute, derivatives, negative):
        formats = self._config.formats
        fraction, derivative = formats.activation.fraction_bits, derivatives.read_data
        m.submodules.slope = product = SerialProduct(q_shape(formats.delta), derivative.shape())
        m.d.comb += [
            product.load.eq(delay(m, compute, 1, "computes", reset_less=False)),
            product.a.eq(self.error_scalar),
            product.b.eq(derivative),
        ]
        lane, correction, minus = Signal.like(word.index), Signal(name="corrects"), Signal(name="minus")
        with m.If(compute):
            m.d.sync += [lane.eq(word.index), correction.eq(word.correction), minus.eq(negative)]
        # Minus p rounded half up is ~p rounded half up: ~p is -p - 1, and a half becomes just less than one.
        signed_product = Signal.like(product.value, name="signed_product")
        m.d.comb += signed_product.eq(product.value ^ minus.replicate(len(product.value)))
        exact = round_half_up(signed_product, fraction) if fraction else signed_product + minus
        scaled = saturate(m, exact, formats.delta.width, "exact_delta")
        done = delay(m, product.running, 1, "ran", reset_less=False) & ~product.running
        for k, target in enumerate(self.lanes):
            here = done & (lane == k)
            m.d.comb += [
                target.shadow.enable.eq(here & ~correction),
                target.shadow.value.eq(scaled),
                target.correcting.enable.eq(here & correction),
                target.correcting.value.eq(scaled),
            ]
        return done & ~correction & (scaled == 0)


def make_tiles(config: Configuration, banks, biases, signs):
    """The family's tiles and its bias tile.

    Parameters
    ----------
    config : Configuration
    banks, biases : int arrays
        Of :func:`dfarray.placement.to_banks`.
    signs : list of dict of (slot, lane) to +-1
        By tile.
    """
    tile, bias_tile = (SerialTile, SerialBiasTile) if config.latency.serial else (Tile, BiasTile)
    tiles = [tile(config, t, banks[:, :, t], signs[t]) for t in range(config.array.tiles)]
    return tiles, bias_tile(config, biases.tolist())
