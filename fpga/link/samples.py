"""Unpacks a frame's payload into a sample's transfers."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.fpga.link.protocol import Format
from dfarray.hw.arithmetic import q_shape
from dfarray.line import label_bytes
from dfarray.trace import index_bits


def stream_of(**payload) -> wiring.Signature:
    """A ready/valid stream under plain names, as the accelerator's."""
    return wiring.Signature({"valid": Out(1), "ready": In(1), **{name: Out(shape) for name, shape in payload.items()}})


def sample_stream(config: Configuration) -> wiring.Signature:
    """The accelerator's ``samples``."""
    return stream_of(
        value=q_shape(config.formats.activation),
        index=index_bits(config.network.inputs),
        label=index_bits(config.network.classes),
        last=1,
    )


class SampleFeeder(wiring.Component):
    """Turns bytes into transfers. A sample may come in several frames; where it is, is remembered from one to the next.

    Attributes
    ----------
    start : In(1)
        Strobe: the rest of the frame is payload; ``layout``, ``last`` and ``label`` stay.
    layout : In(3)
        A :class:`dfarray.fpga.link.protocol.Format`.
    last : In(1)
        The frame ends the sample.
    label : In(8)
        Low byte of the label; a second one comes first in the payload, if there are more than 256 classes.
    discard : In(1)
        Strobe: give up a sample that has begun, in a way by which the accelerator discards it.
    stop : In(1)
        Strobe: give up what is under way; while a sample is fed, also discard what was delivered of it.
    head, head_valid, take
        The payload's bytes.
    at_end, last_byte : In(1)
        None is left, or only the head.
    busy, failed : Out(1)
        At work; strobe: the payload ended within an event, an index is beyond all inputs, or there is no such layout.
    transfers : Out(1)
        Strobe: the accelerator took one.
    samples : Out
        To the accelerator.
    """

    def __init__(self, config: Configuration):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "layout": In(3),
                "last": In(1),
                "label": In(8),
                "discard": In(1),
                "stop": In(1),
                "head": In(8),
                "head_valid": In(1),
                "at_end": In(1),
                "last_byte": In(1),
                "take": Out(1),
                "busy": Out(1),
                "failed": Out(1),
                "transfers": Out(1),
                "samples": Out(sample_stream(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        inputs, samples = self._config.network.inputs, self.samples
        # Codes of up to 8 bits do not come in two bytes.
        two_bytes = self._config.formats.activation.width > 8
        wide = (self.layout == Format.BITS_16) | (self.layout == Format.EVENTS_16) if two_bytes else Const(0)
        events = (self.layout == Format.EVENTS_8) | (wide & self.layout[1])
        unknown = self.layout[2] & ~events & ~wide
        packed = ~self.layout[2] & (self.layout[:2] != Format.BITS_8)
        bit, low = Signal(3), Signal(8)
        # How far the array's sample has come, which a reset of the link does not change.
        index, started = Signal(max(8, index_bits(inputs)) + 1, reset_less=True), Signal(reset_less=True)
        step, advances, clears = Signal(8), Signal(), Signal()
        at_end, ends_byte, final, all_in = self.at_end, Signal(), Signal(), Signal()
        after_this = Array([bit + 1, bit + 2, bit + 4, bit])[self.layout[:2]][:3]
        m.d.comb += [
            all_in.eq(index == inputs - 1),
            # The last byte may hold fewer values than there is room for.
            ends_byte.eq(~packed | (after_this == 0) | (all_in & self.last_byte)),
            final.eq(self.last & self.last_byte & ends_byte),
            samples.value.eq(self._value(wide, bit, low)),
            self.transfers.eq(samples.valid & samples.ready),
        ]
        m.d.comb += step.eq(1)
        with m.If(advances):
            m.d.sync += index.eq(index + step)
        with m.If(clears):
            m.d.sync += index.eq(0)
        label = Signal.like(samples.label)
        if label_bytes(self._config) == 1:
            m.d.comb += label.eq(self.label)
        m.d.comb += [self.busy.eq(1), samples.index.eq(index), samples.last.eq(final), samples.label.eq(label)]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += bit.eq(0)
                with m.If(self.discard & started):
                    m.next = "DISCARD"
                with m.Elif(self.start & unknown):
                    m.next = "FAIL"
                with m.Elif(self.start):
                    m.next = "LABEL" if label_bytes(self._config) == 2 else "NEXT"
            if label_bytes(self._config) == 2:
                with m.State("LABEL"):
                    with m.If(at_end):
                        m.next = "FAIL"
                    with m.Elif(self.head_valid):
                        m.d.comb += self.take.eq(1)
                        m.d.sync += label.eq(Cat(self.label, self.head))
                        m.next = "NEXT"
            following = "LOW" if two_bytes else "VALUE"
            with m.State("NEXT"):
                m.d.comb += step.eq(self.head)
                with m.If(at_end):
                    m.next = "IDLE"
                with m.Elif(~events):
                    m.next = following
                with m.Elif(self.head_valid):
                    m.d.comb += [self.take.eq(1), advances.eq(1)]
                    m.next = following
            if two_bytes:
                with m.State("LOW"):
                    with m.If(~wide):
                        m.next = "VALUE"
                    with m.Elif(at_end):
                        m.next = "FAIL"
                    with m.Elif(self.head_valid):
                        m.d.comb += self.take.eq(1)
                        m.d.sync += low.eq(self.head)
                        m.next = "VALUE"
            with m.State("VALUE"):
                with m.If(at_end | index[index_bits(inputs) :].any()):
                    m.next = "FAIL"
                with m.Else():
                    m.d.comb += samples.valid.eq(self.head_valid)
                with m.If(self.stop):
                    m.next = "DISCARD"
                with m.If(self.transfers):
                    m.d.comb += [self.take.eq(ends_byte), advances.eq(1), clears.eq(final)]
                    m.d.sync += [
                        started.eq(~final),
                        bit.eq(Mux(packed & ~ends_byte, after_this, 0)),
                    ]
                    with m.If(ends_byte):
                        m.next = "NEXT"
            with m.State("FAIL"):
                m.d.comb += self.failed.eq(1)
                m.next = "DISCARD"
            with m.State("DISCARD"):
                # A last transfer that comes too early, or with an index that is not above the one before. One more goes
                # ahead where a dense sample would be complete with it.
                complete = all_in if inputs > 1 else 0
                m.d.comb += [samples.valid.eq(started), samples.index.eq(0), samples.last.eq(~complete)]
                with m.If(self.transfers):
                    m.d.comb += clears.eq(1)
                    m.d.sync += started.eq(complete)
                with m.If(~started | self.stop):
                    m.d.comb += clears.eq(1)
                    m.next = "IDLE"
        return m

    def _value(self, wide, bit, low):
        """The activation code: bytes as they are, fewer bits repeated over the fraction bits."""
        fmt = self._config.formats.activation
        nibble = Mux(bit[2], self.head[4:], self.head[:4])
        pair = Mux(bit[1], nibble[2:], nibble[:2])
        single = Mux(bit[0], pair[1], pair[0])
        repeated = [
            Cat(*(pixel[(width - fmt.fraction_bits + place) % width] for place in range(fmt.fraction_bits)))
            for width, pixel in ((1, single), (2, pair), (4, nibble))
        ]
        narrow = Array([*repeated, self.head])[self.layout[:2]]
        return Mux(wide, Cat(low, self.head), Mux(self.layout[2], self.head, narrow))[: fmt.width]
