"""Relay: two registers on a long way, between which no path leads through a clock cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.skid import Skid


class Relay(wiring.Component):
    """Passes on a stream a cycle later; its transfers and its ready come from registers.

    Put it where both ends of a stream are far apart, or where its source answers late. Transfers
    follow each other in every cycle.

    Parameters
    ----------
    signature : stream.Signature
        Signature of the stream.

    Attributes
    ----------
    LATENCY : int
        Clock cycles from taking a transfer to offering it, if none waits.

    Members
    -------
    i : In(stream)
        The transfers.
    o : Out(stream)
        The same transfers.
    """

    LATENCY = Skid.LATENCY + 1

    def __init__(self, signature: stream.Signature) -> None:
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.skid = skid = Skid(self.o.signature)
        wiring.connect(m, wiring.flipped(self.i), skid.i)
        m.d.comb += skid.o.ready.eq(~self.o.valid | self.o.ready)
        with m.If(skid.o.ready):
            m.d.sync += [
                self.o.valid.eq(skid.o.valid),
                Value.cast(self.o.payload).eq(Value.cast(skid.o.payload)),
            ]
        return m
