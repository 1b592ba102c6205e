"""The sequencer of a small family without row lists: every row is sent, so addresses are counted."""

from amaranth.hdl import Mux, Signal

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay
from dfarray.hw.sequencer import Sequencer
from dfarray.trace import index_bits


class DenseSequencer(Sequencer):
    """As :class:`dfarray.hw.sequencer.Sequencer`, where no row is left out.

    The rows of a sweep's slots, of its output groups, or of a LOAD or DUMP follow each other in the banks.

    A sample waits until the one before has had its last ACTIVATE and its first output row: until then what belongs to
    the sweep, and the inputs' gram, stay where they are.
    """

    def elaborate(self, platform):
        bases = [base for _, base in self._config.output_groups]
        self._output_address = Signal(index_bits(self._config.array.bank_rows), init=bases[0], name="output_address")
        m = super().elaborate(platform)
        m.d.comb += self.error_context.settings.eq(self._sweep)
        return m

    def _was_decided(self, m, packets):
        return delay(m, packets.any(), 1, "decided", reset_less=False)

    def _latches_sweep(self):
        return self.start_sweep

    def _may_follow(self):
        return super()._may_follow() & ~self.activate & ~self._opens

    def _waiting_gram(self):
        return self.input_gram if len(self._config.network.layers) == 3 else super()._waiting_gram()

    def _place_row(self, m, may):
        m.d.comb += self.decision.base.eq(self._address)
        with m.If(may):
            m.d.sync += self._address.eq(self._address + 1)

    def _at_last_input(self):
        return self.row == self._config.network.inputs

    def _follow_list(self, m, may, last):
        pass

    def _place_output_row(self, m, may):
        """The gram's row is the last one of its group."""
        address = self._output_address
        with m.If(may):
            m.d.comb += self.decision.base.eq(address)
            with m.If(self._at_gram & self.final_group):
                m.d.sync += address.eq(address.init)
            with m.Elif(self.output_row != self._config.network.classes - 1):
                m.d.sync += address.eq(address + 1)

    def _place_words(self, m):
        pass

    def _first_row_of_words(self):
        return Mux(self.start_sweep, 0, super()._first_row_of_words())


def make_sequencer(config: Configuration) -> Sequencer:
    """The sequencer that family and zero-skipping want."""
    return Sequencer(config) if config.lists else DenseSequencer(config)
