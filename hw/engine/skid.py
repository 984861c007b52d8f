"""Skid: a place for one transfer, which ends a path of ready."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Skid(wiring.Component):
    """Passes on a stream without delay, and tells its source from a register whether it is ready.

    Put it where a long way of ready would otherwise lead through several components within one
    clock cycle. A transfer that cannot be passed on at once waits here, and the next one is refused
    as long as it does. Transfers follow each other in every cycle.

    Parameters
    ----------
    signature : stream.Signature
        Signature of the stream.

    Attributes
    ----------
    LATENCY : int
        Clock cycles from taking a transfer to offering it, if none waits.
    SPACE_LATENCY : int
        Clock cycles from giving a transfer that has waited to taking the next one.

    Members
    -------
    i : In(stream)
        The transfers; refused from the cycle after one had to wait.
    o : Out(stream)
        The same transfers.
    """

    LATENCY = 0
    SPACE_LATENCY = 1

    def __init__(self, signature: stream.Signature) -> None:
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        given = Value.cast(self.i.payload)
        waits = Signal()
        held = Signal(len(given), reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~waits),
            self.o.valid.eq(self.i.valid | waits),
            Value.cast(self.o.payload).eq(Mux(waits, held, given)),
        ]
        m.d.sync += waits.eq(self.o.valid & ~self.o.ready)
        # What is held does not matter unless it waits: nothing late decides about it.
        with m.If(~waits):
            m.d.sync += held.eq(given)
        return m
