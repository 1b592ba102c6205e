"""The host link: UART, receiver, replies and executor put together."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.fpga.link.executor import Executor
from dfarray.fpga.link.protocol import COUNTER_BITS, COUNTERS, LinkParameters
from dfarray.fpga.link.receiver import FrameReceiver
from dfarray.fpga.link.replies import ReplyStore
from dfarray.fpga.link.uart import UartReceiver, UartTransmitter


class ByteLink(wiring.Component):
    """Frames in, replies out, the accelerator in between; bytes as a UART has them.

    Parameters
    ----------
    config : Configuration
        Of the accelerator.
    parameters : LinkParameters

    Attributes
    ----------
    data, valid, broken : In
        A byte and its strobe, at least 10 cycles apart; a byte was lost.
    receiving : In(1)
        A byte is coming in: the line is not quiet.
    out, out_valid, out_ready
        Bytes to be sent.
    samples, results, weights_in, weights_out, registers, busy
        To the accelerator.
    session, working, failed : Out(1)
        A host has said hello; frames are coming in, carried out or answered; something was counted since the hello.
    """

    def __init__(self, config: Configuration, parameters: LinkParameters):
        self._executor = Executor(config, parameters)
        self._receiver = FrameReceiver(parameters.buffer_bytes)
        self._replies = ReplyStore(parameters)
        names = ("samples", "results", "weights_in", "weights_out", "registers", "busy", "session")
        super().__init__(
            {
                "data": In(8),
                "valid": In(1),
                "broken": In(1),
                "receiving": In(1),
                "out": Out(8),
                "out_valid": Out(1),
                "out_ready": In(1),
                "working": Out(1),
                "failed": Out(1),
            }
            | {name: self._executor.signature.members[name] for name in names}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.executor = executor = self._executor
        m.submodules.receiver = receiver = self._receiver
        m.submodules.replies = replies = self._replies
        _pass_on(m, executor, self)
        counts = [Signal(COUNTER_BITS, name=name) for name in COUNTERS]
        counted = [self.broken, receiver.bad, receiver.overrun, executor.unexpected, executor.timeout]
        for count, strobe in zip(counts, counted, strict=True):
            m.d.sync += count.eq(count + strobe)
        with m.If(Cat(counted).any()):
            m.d.sync += self.failed.eq(1)
        with m.If(executor.greets):
            m.d.sync += self.failed.eq(0)
        m.d.comb += [
            receiver.data.eq(self.data),
            receiver.valid.eq(self.valid),
            receiver.broken.eq(self.broken),
            receiver.give_up.eq(executor.give_up),
            receiver.take.eq(executor.take),
            executor.available.eq(receiver.available),
            executor.head.eq(receiver.head),
            executor.head_valid.eq(receiver.head_valid),
            executor.damaged.eq(receiver.bad | receiver.overrun),
            executor.partial.eq(receiver.partial),
            executor.received.eq(self.valid),
            executor.counters.eq(Cat(counts)),
            executor.busy.eq(self.busy),
            executor.filled.eq(replies.filled),
            executor.sending.eq(replies.sending),
            executor.occupied.eq(replies.occupied),
            replies.slot.eq(executor.slot),
            replies.begin.eq(executor.begin),
            replies.data.eq(executor.data),
            replies.write.eq(executor.write),
            replies.finish.eq(executor.finish),
            replies.send.eq(executor.send),
            self.out.eq(replies.out),
            self.out_valid.eq(replies.out_valid),
            replies.out_ready.eq(self.out_ready),
            self.session.eq(executor.session),
            self.working.eq(
                self.receiving | receiver.partial | receiver.available | executor.working | replies.sending
            ),
        ]
        return m


def _pass_on(m, inner, outer):
    """The accelerator's streams and registers are those of an inner component."""
    for name in ("samples", "weights_in", "registers"):
        wiring.connect(m, getattr(inner, name), wiring.flipped(getattr(outer, name)))
    for name in ("results", "weights_out"):
        wiring.connect(m, wiring.flipped(getattr(outer, name)), getattr(inner, name))


class HostLink(wiring.Component):
    """:class:`ByteLink` behind a UART.

    Parameters
    ----------
    divisor : int
        Clock cycles a bit.

    Attributes
    ----------
    rx, tx : In, Out
        The line, of this clock domain.
    samples, results, weights_in, weights_out, registers, busy, session, working, failed
        As of :class:`ByteLink`.
    """

    def __init__(self, config: Configuration, parameters: LinkParameters, divisor: int):
        self._receiver, self._transmitter = UartReceiver(divisor), UartTransmitter(divisor)
        self._link = ByteLink(config, parameters)
        own = {"data", "valid", "broken", "receiving", "out", "out_valid", "out_ready"}
        self._shared = {name: member for name, member in self._link.signature.members.items() if name not in own}
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)} | self._shared)

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = self._link
        m.submodules.receiver = receiver = self._receiver
        m.submodules.transmitter = transmitter = self._transmitter
        _pass_on(m, link, self)
        m.d.comb += [
            receiver.line.eq(self.rx),
            link.data.eq(receiver.data),
            link.valid.eq(receiver.valid),
            link.broken.eq(receiver.error),
            link.receiving.eq(receiver.active | receiver.valid),
            transmitter.data.eq(link.out),
            transmitter.valid.eq(link.out_valid),
            link.out_ready.eq(transmitter.ready),
            self.tx.eq(transmitter.line),
            link.busy.eq(self.busy),
            self.session.eq(link.session),
            self.working.eq(link.working | ~transmitter.ready),
            self.failed.eq(link.failed),
        ]
        return m
