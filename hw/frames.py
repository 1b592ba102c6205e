"""Frames: takes a sample's transfers in, and finds those that are wrong."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, q_shape
from dfarray.latency import REOPEN
from dfarray.trace import index_bits


def sample_word(config: Configuration) -> data.StructLayout:
    """One input; ``index`` counts for events, ``label`` with ``last``."""
    return data.StructLayout(
        {
            "value": q_shape(config.formats.activation),
            "index": index_bits(config.network.inputs),
            "label": index_bits(config.network.classes),
            "last": 1,
        }
    )


def input_word(config: Configuration) -> data.StructLayout:
    """A transfer that waits to be merged; dense ones are counted."""
    return data.StructLayout(
        {"index": index_bits(config.network.inputs), "value": q_shape(config.formats.activation), "last": 1}
    )


class Frames(wiring.Component):
    """Registers transfers, a cycle later numbers them, looks whether they are wrong, and passes them on.

    docs/architecture.md section 4.4. A frame is what its ``last`` ends, right or wrong, so that an index is compared
    with the one before and nothing waits for the answer.

    Attributes
    ----------
    samples : In stream of sample_word
    events : In(1)
        Transfers are events (index, value); otherwise all inputs come in order.
    occupied : In(waiting)
        Places of the queue in which transfers wait.
    taken : In(1)
        The sample was taken in the cycle before: the next one may come in the next cycle.
    enter, word : Out
        A transfer, the wrong one too: the cycle in which it is first in the queue, ``discard`` is 1.
    discard : Out(1)
        Strobe: the frame is wrong.
    label : Out
        Of the latest frame that has ended.
    """

    def __init__(self, config: Configuration):
        self._config = config
        super().__init__(
            {
                "samples": In(stream.Signature(sample_word(config))),
                "events": In(1),
                "occupied": In(config.latency.waiting),
                "taken": In(1),
                "enter": Out(1),
                "word": Out(input_word(config)),
                "discard": Out(1),
                "label": Out(index_bits(config.network.classes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        inputs = self._config.network.inputs
        transfer, closed = Signal(), Signal()
        arrived = delay(m, transfer, 1, "arrived", reset_less=False)
        word, events = delay(m, self.samples.payload, 1, "word"), delay(m, self.events, 1, "event")
        if len(self.occupied) > 2:
            full = self.occupied[-1] | (self.occupied[-2] & arrived)
        else:
            # A lone transfer may be in either place.
            full = self.occupied.all() | (self.occupied.any() & arrived)
        m.d.comb += [
            self.samples.ready.eq(~closed & ~full),
            transfer.eq(self.samples.valid & self.samples.ready),
        ]

        following = Signal(index_bits(inputs + 1))  # Dense: this one's index. Events: the smallest allowed.
        ends, beyond = Signal(init=inputs == 1), Signal()  # Dense: it is the last one, or behind that.
        index = Mux(events, word.index, following)
        with m.If(arrived):
            m.d.sync += [
                following.eq(index + 1),
                ends.eq(Mux(events, word.index == inputs - 2, following == inputs - 2)),
                beyond.eq(Mux(events, word.index == inputs - 1, following == inputs - 1)),
            ]
            with m.If(word.last):
                m.d.sync += [following.eq(0), ends.eq(inputs == 1), beyond.eq(0), self.label.eq(word.label)]
        is_wrong = Mux(events, (word.index < following) | (word.index >= inputs), (word.last ^ ends) | beyond)
        # A cycle later: what the frame's next transfer is compared with does not wait for the answer.
        wrong, bad = Signal(), Signal()
        checked = delay(m, arrived, 1, "checked", reset_less=False)
        last = delay(m, word.last, 1, "last")
        m.d.sync += wrong.eq(arrived & is_wrong)
        with m.If(checked):
            m.d.sync += bad.eq((bad | wrong) & ~last)
        m.d.comb += [
            self.enter.eq(arrived & ~bad & ~wrong),
            self.word.index.eq(index),
            self.word.value.eq(word.value),
            self.word.last.eq(word.last),
            self.discard.eq(wrong & ~bad),
        ]

        reopens = delay(m, checked & last & (bad | wrong), REOPEN - 3, "reopens", reset_less=False)
        m.d.sync += closed.eq((closed | (transfer & self.samples.payload.last)) & ~(self.taken | reopens))
        return m
