"""Fork: one stream, handed to several readers."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Fork(wiring.Component):
    """Hands every transfer to each of several readers, which may take it in different cycles.

    There is no register in between: a transfer is taken from the input in the cycle in which the
    last reader takes it.

    Parameters
    ----------
    signature : stream.Signature
        Signature of the stream.
    readers : int
        Number of readers, at least 1.

    Members
    -------
    i : In(stream)
        The transfers.
    o0, o1, ... : Out(stream)
        The same transfers, to each reader. A reader that has taken a transfer is not offered it
        again.
    """

    def __init__(self, signature: stream.Signature, readers: int) -> None:
        self.readers = readers
        super().__init__({"i": In(signature)} | {f"o{k}": Out(signature) for k in range(readers)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        outputs = [getattr(self, f"o{k}") for k in range(self.readers)]
        done = Signal(self.readers)
        ready = Signal(self.readers)
        m.d.comb += [
            ready.eq(Cat(output.ready for output in outputs) | done),
            self.i.ready.eq(ready.all()),
        ]
        with m.If(self.i.valid):
            m.d.sync += done.eq(Mux(self.i.ready, 0, ready))
        for k, output in enumerate(outputs):
            m.d.comb += [
                output.payload.eq(self.i.payload),
                output.valid.eq(self.i.valid & ~done[k]),
            ]
        return m
