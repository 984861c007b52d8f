"""Zero point: pixels of the input, less the zero point of their channel."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Const, Module, Mux, Signal

from spikeloom.hw.engine.inputs import InputUnit
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import DirectInput, Input
from spikeloom.sw.network.ranges import Range


class ZeroPoint(InputUnit, kind=DirectInput.kind):
    """Subtracts the zero point of its channel from every pixel, once, before any layer reads it.

    There is no register in between, so that it takes no clock cycle.

    Parameters
    ----------
    pixels : Range
        Values that come in.
    zeros : sequence of int, shape (channels,)
        Zero point of each channel; the channel changes fastest in the stream.
    """

    label = "zero_point"

    def __init__(self, pixels: Range, zeros: Sequence[int]) -> None:
        self.zeros = tuple(zeros)
        super().__init__(pixels, pixels - Range(min(self.zeros), max(self.zeros)))

    @classmethod
    def built(cls, source: Input) -> InputUnit | None:
        return cls(source.pixels(), source.zeros) if any(source.zeros) else None

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready)]
        if len(set(self.zeros)) == 1:
            m.d.comb += self.o.payload.eq(self.i.payload - self.zeros[0])
            return m
        channel = Signal(range(len(self.zeros)))
        last = channel == len(self.zeros) - 1
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += channel.eq(Mux(last, 0, channel + 1))
        shape = shape_of(Range(min(self.zeros), max(self.zeros)))
        zero = Array(Const(zero, shape) for zero in self.zeros)[channel]
        m.d.comb += self.o.payload.eq(self.i.payload - zero)
        return m
