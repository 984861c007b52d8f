"""UART: a receiver and a transmitter with 8 data bits, no parity and 1 stop bit."""

from __future__ import annotations

from math import gcd

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from spikeloom.sw.errors import ConfigError

#: Fewest clock cycles in a bit: samples are then at most a quarter of a bit away from its middle.
_FEWEST = 4
#: Clock cycles in a bit from which on the receiver takes the majority of three samples.
_VOTING = 8
#: Number of bits for one byte, start and stop bit included.
_BITS = 10


def ratio(clock: int, baud: int) -> tuple[int, int]:
    """Return the UART's rate in bits per clock cycle, as a fraction in lowest terms.

    Parameters
    ----------
    clock, baud : int
        Frequency of the clock and rate of the UART, Hz.

    Returns
    -------
    (int, int)
        Numerator and denominator: that many bits take that many clock cycles.

    Raises
    ------
    ConfigError
        If the clock is too slow for the rate, or a number is not a whole one of 1 or more.
    """
    for name, value in (("clock", clock), ("baud", baud)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"{name} must be a whole number of Hz, not {value!r}")
    if clock < _FEWEST * baud:
        raise ConfigError(
            f"{baud} baud need a clock of at least {_FEWEST * baud} Hz, not {clock}: choose a "
            f"lower rate or a faster clock"
        )
    common = gcd(clock, baud)
    return baud // common, clock // common


class _Timing(wiring.Component):
    """Strobes once per bit, exactly on average for any ratio of clock and rate.

    Parameters
    ----------
    clock, baud : int
        Frequency of the clock and rate of the UART, Hz.
    half : bool
        Whether the first strobe comes after half a bit instead of a whole one.

    Members
    -------
    run : In(1)
        Enables the strobes. Bits are counted from its rising edge.
    tick : Out(1)
        High for one cycle per bit.
    """

    def __init__(self, clock: int, baud: int, half: bool) -> None:
        self.step, self.period = ratio(clock, baud)
        self.half = half
        super().__init__({"run": In(1), "tick": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        phase = Signal(range(self.period))
        following = Signal(range(self.period + self.step))
        m.d.comb += [
            following.eq(phase + self.step),
            self.tick.eq(self.run & (following >= self.period)),
        ]
        with m.If(self.run):
            m.d.sync += phase.eq(Mux(self.tick, following - self.period, following))
        with m.Else():
            # The edge of a start bit is seen half a cycle late on average.
            m.d.sync += phase.eq((self.period + self.step) // 2 if self.half else 0)
        return m


class UartReceiver(wiring.Component):
    """Receives bytes from a pin.

    The pin is sampled in every clock cycle. A start bit that is high in its middle is taken for
    noise. A byte whose stop bit is low is discarded; the next one can begin once the pin is high.

    Parameters
    ----------
    clock, baud : int
        Frequency of the clock and rate of the UART, Hz. A bit must have at least 4 clock cycles;
        if it has 8 or more, the majority of three samples counts. The other end's rate may differ
        by 2 %.

    Members
    -------
    pin : In(1)
        Asynchronous input, high at rest.
    o : Out(stream of 8 bits)
        Bytes. As a wire cannot wait, a byte is lost if the one before it is still on offer.
    """

    def __init__(self, clock: int, baud: int) -> None:
        self.timing = _Timing(clock, baud, half=True)
        self.votes = clock >= _VOTING * baud
        super().__init__({"pin": In(1, init=1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.timing = timing = self.timing
        seen = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.pin, seen, init=1)
        level = Signal(init=1)
        if self.votes:
            past = Signal(2, init=3)
            m.d.sync += past.eq(Cat(seen, past[0]))
            m.d.comb += level.eq((seen & past[0]) | (seen & past[1]) | (past[0] & past[1]))
        else:
            m.d.comb += level.eq(seen)

        left = Signal(range(_BITS))
        bits = Signal(8)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("REST"), m.If(~level):
                m.d.sync += left.eq(_BITS - 1)
                m.next = "BYTE"
            with m.State("BYTE"):
                m.d.comb += timing.run.eq(1)
                with m.If(timing.tick):
                    m.d.sync += [left.eq(left - 1), bits.eq(Cat(bits[1:], level))]
                    with m.If((left == _BITS - 1) & level):
                        m.next = "REST"
                    with m.Elif(left == 0):
                        m.next = "BROKEN"
                        with m.If(level):
                            m.next = "REST"
                            with m.If(~self.o.valid | self.o.ready):
                                m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(bits)]
            with m.State("BROKEN"), m.If(level):
                m.next = "REST"
        return m


class UartTransmitter(wiring.Component):
    """Transmits bytes to a pin.

    Parameters
    ----------
    clock, baud : int
        Frequency of the clock and rate of the UART, Hz. A bit must have at least 4 clock cycles.

    Members
    -------
    i : In(stream of 8 bits)
    pin : Out(1)
    """

    def __init__(self, clock: int, baud: int) -> None:
        self.timing = _Timing(clock, baud, half=False)
        super().__init__({"i": In(stream.Signature(8)), "pin": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.timing = timing = self.timing
        bits = Signal(_BITS, init=(1 << _BITS) - 1)
        left = Signal(range(_BITS + 1))
        m.d.comb += [
            self.pin.eq(bits[0]),
            timing.run.eq(left != 0),
            self.i.ready.eq(left == 0),
        ]
        with m.If(timing.tick):
            m.d.sync += [bits.eq(Cat(bits[1:], 1)), left.eq(left - 1)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [bits.eq(Cat(0, self.i.payload, 1)), left.eq(_BITS)]
        return m
