"""AXI4-Lite: a subordinate that handles one access at a time in each direction."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

#: Responses.
OKAY, SLVERR = 0, 2


def lite_members(address_bits: int) -> dict[str, wiring.Member]:
    """Return the signals of AXI4-Lite with 32 bits of data, in the subordinate's directions."""
    return {
        "awaddr": In(address_bits),
        "awprot": In(3),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(32),
        "wstrb": In(4),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(address_bits),
        "arprot": In(3),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(32),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }


class Lite(wiring.Component):
    """Converts AXI4-Lite to accesses of one cycle each.

    No output of the bus depends on an input in the same cycle.

    Parameters
    ----------
    address_bits : int
        Width of an address.

    Members
    -------
    bus : In
        The bus; see :func:`lite_members`. The lowest two bits of an address are ignored.
    write : Out(1), write_word : Out, write_data : Out(32), strobes : Out(4)
        Write access, valid while ``write`` is high: number of the word, its new value, and which
        of its bytes to write.
    write_fault : In(1)
        High to answer the write access with SLVERR.
    read_word : Out, read_data : In(32), read_fault : In(1)
        Read access: number of the word, its value in the same cycle, and high to answer SLVERR.
        Reads have no side effects, so ``read_word`` needs no strobe.
    """

    def __init__(self, address_bits: int) -> None:
        self.word_bits = address_bits - 2
        super().__init__(
            {
                "bus": Out(wiring.Signature(lite_members(address_bits))),
                "write": Out(1),
                "write_word": Out(self.word_bits),
                "write_data": Out(32),
                "strobes": Out(4),
                "write_fault": In(1),
                "read_word": Out(self.word_bits),
                "read_data": In(32),
                "read_fault": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bus = self.bus
        # Address and data may arrive in either order; the first waits for the other.
        addressed, filled, asked = Signal(), Signal(), Signal()
        m.d.comb += [
            bus.awready.eq(~addressed),
            bus.wready.eq(~filled),
            bus.arready.eq(~asked),
            self.write.eq(addressed & filled & ~bus.bvalid),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [addressed.eq(1), self.write_word.eq(bus.awaddr[2:])]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [
                filled.eq(1),
                self.write_data.eq(bus.wdata),
                self.strobes.eq(bus.wstrb),
            ]
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(self.write):
            m.d.sync += [
                addressed.eq(0),
                filled.eq(0),
                bus.bvalid.eq(1),
                bus.bresp.eq(OKAY),
            ]
            with m.If(self.write_fault):
                m.d.sync += bus.bresp.eq(SLVERR)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [asked.eq(1), self.read_word.eq(bus.araddr[2:])]
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(asked & ~bus.rvalid):
            m.d.sync += [
                asked.eq(0),
                bus.rvalid.eq(1),
                bus.rdata.eq(self.read_data),
                bus.rresp.eq(OKAY),
            ]
            with m.If(self.read_fault):
                m.d.sync += [bus.rdata.eq(0), bus.rresp.eq(SLVERR)]
        return m
