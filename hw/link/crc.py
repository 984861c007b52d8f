"""CRC-32 as Ethernet and zlib have it, a byte at a time, in exclusive ors."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

_POLYNOMIAL = 0xEDB88320
#: Register before the first byte; the CRC is the register's complement.
START = 0xFFFFFFFF
#: Register after a content and its CRC, the lowest byte first, if neither is damaged.
RESIDUE = 0xDEBB20E3


class Crc32(wiring.Component):
    """The register of a CRC-32.

    Members
    -------
    clear : In(1)
        Start anew; comes before ``take``.
    take : In(1)
        Whether ``byte`` is the next one.
    byte : In(8)
    register : Out(32)
        After the bytes that were taken in earlier cycles.
    value : Out(32)
        Their CRC-32.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "clear": In(1),
                "take": In(1),
                "byte": In(8),
                "register": Out(32, init=START),
                "value": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.value.eq(~self.register)
        with m.If(self.clear):
            m.d.sync += self.register.eq(START)
        with m.Elif(self.take):
            m.d.sync += self.register.eq(_step(self.register, self.byte))
        return m


def _step(register: Value, byte: Value) -> Value:
    """Return the register after another byte: the sum of what each of its bits contributes."""
    changed = register[:8] ^ byte
    result: Value = register[8:]
    for position in range(8):
        contribution = 1 << position
        for _ in range(8):
            contribution = (contribution >> 1) ^ (_POLYNOMIAL if contribution & 1 else 0)
        result = result ^ Mux(changed[position], Const(contribution, 32), 0)
    return result
