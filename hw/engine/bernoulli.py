"""Bernoulli coding: pixels become spikes at random, with their brightness as probability."""

from __future__ import annotations

import math
from functools import reduce
from operator import xor

from amaranth.hdl import Cat, Module, Mux, Signal

from spikeloom.hw.engine.inputs import InputUnit
from spikeloom.sw.network import BernoulliInput, Input
from spikeloom.sw.network.lfsr import STEPS


class BernoulliCoder(InputUnit, kind=BernoulliInput.kind):
    """Compares each pixel with T numbers, one after the other, and sends a spike for each.

    The numbers are the states of a linear-feedback shift register, which shifts so many bits in at
    once that two numbers have few bits in common; each new bit is the exclusive or of two or four.
    A pixel is taken together with its last spike. There is no register in between, so that the
    first spike of a pixel takes no clock cycle, and each further one takes one.

    Parameters
    ----------
    source : BernoulliInput
        The network's input.
    """

    label = "bernoulli"

    def __init__(self, source: BernoulliInput) -> None:
        self.source = source
        super().__init__(source.pixels(), source.values())

    @classmethod
    def built(cls, source: Input) -> InputUnit | None:
        assert isinstance(source, BernoulliInput), "it is found by its kind"
        return cls(source)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source, register = self.source, self.source.register
        size = math.prod(source.shape)
        start = register.start(source.seed)
        number = Signal(register.width, init=start)
        step = Signal(range(source.timesteps))
        pixel = Signal(range(size))
        last_step, last_pixel = Signal(), Signal()
        # A new bit is the first of the number's lowest ones; the last of them came last.
        new = [reduce(xor, (number[lag - 1 - k] for lag in register.lags)) for k in range(STEPS)]
        following = Cat(*reversed(new), number[: register.width - STEPS])
        threshold = Cat(self.i.payload for _ in range(register.width // source.bits))
        m.d.comb += [
            last_step.eq(step == source.timesteps - 1),
            last_pixel.eq(pixel == size - 1),
            self.o.valid.eq(self.i.valid),
            self.o.payload.eq(number <= threshold),
            self.i.ready.eq(self.o.ready & last_step),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [step.eq(step + 1), number.eq(following)]
            with m.If(last_step):
                m.d.sync += [step.eq(0), pixel.eq(Mux(last_pixel, 0, pixel + 1))]
                with m.If(last_pixel):
                    m.d.sync += number.eq(start)
        return m
