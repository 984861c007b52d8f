"""AXI accelerator: images and logits by AXI4-Stream, registers by AXI4-Lite."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockDomain, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.axi.core import Core
from spikeloom.hw.axi.lite import Lite, lite_members
from spikeloom.hw.axi.plan import LOGIT_BITS, PACKET_BITS, AxiPlan
from spikeloom.hw.axi.registers import WORD
from spikeloom.hw.axi.streams import RESULT, Outlet
from spikeloom.hw.planning.plan import Plan

_BUSES = ("S_AXIS", "M_AXIS", "S_AXI")
_ERRORS = ("short", "long", "range")


class AxiAccelerator(wiring.Component):
    """An accelerator as an IP block with AXI ports; see ``docs/axi.md``.

    The ports have the names and attributes by which tools for systems on chip recognise buses.

    Parameters
    ----------
    plan : Plan

    Members
    -------
    aclk, aresetn : In(1)
        Clock, and synchronous reset, active low.
    s_axis_tdata, s_axis_tvalid, s_axis_tready, s_axis_tlast
        Values of images, in whole bytes each.
    m_axis_tdata, m_axis_tvalid, m_axis_tready, m_axis_tlast, m_axis_tuser
        Logits of 32 bits. ``tuser`` is valid with ``tlast``, and then high if an image of the
        packet was damaged.
    s_axi_...
        Registers; see :func:`~spikeloom.hw.axi.lite.lite_members`.

    Raises
    ------
    UnsupportedError
        If logits have more than 32 bits, or an input value can be negative.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = AxiPlan(plan)
        lite = lite_members(self.plan.address_bits)
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axis_tdata": In(self.plan.data_bits),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(LOGIT_BITS),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
                "m_axis_tuser": Out(1),
                **{f"s_axi_{name}": member for name, member in lite.items()},
            }
        )
        for path, _, port in self.signature.flatten(self):
            port.attrs.update(_attributes(path[0]))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = domain = ClockDomain()
        m.d.comb += [domain.clk.eq(self.aclk), domain.rst.eq(~self.aresetn)]
        m.submodules.lite = lite = Lite(self.plan.address_bits)
        for name, member in lite_members(self.plan.address_bits).items():
            ours, its = getattr(self, f"s_axi_{name}"), getattr(lite.bus, name)
            m.d.comb += its.eq(ours) if member.flow == In else ours.eq(its)

        clear, asked = Signal(), Signal()
        core = Core(self.plan)
        m.submodules.core = ResetInserter(clear)(core)
        m.submodules.outlet = outlet = Outlet(self.plan)
        m.submodules.results = results = fifo.SyncFIFO(width=RESULT.size, depth=2)
        wiring.connect(m, core.o, outlet.i)
        # A packet is open from its first transfer to its TLAST, even if it is damaged.
        opened = Signal()
        scratch = Signal(32)
        packet = Signal(PACKET_BITS, init=1)
        result = Signal(RESULT)
        m.d.comb += [
            core.i.payload.data.eq(self.s_axis_tdata),
            core.i.payload.last.eq(self.s_axis_tlast),
            core.i.valid.eq(self.s_axis_tvalid & ~clear),
            self.s_axis_tready.eq(core.i.ready & ~clear),
            core.packet.eq(packet),
            outlet.packet.eq(packet),
            outlet.broken.eq(core.broken),
            outlet.close.eq(asked),
            clear.eq(asked | outlet.closing),
            results.w_data.eq(outlet.o.payload.as_value()),
            results.w_en.eq(outlet.o.valid),
            outlet.o.ready.eq(results.w_rdy),
            result.eq(results.r_data),
            self.m_axis_tvalid.eq(results.r_rdy),
            results.r_en.eq(self.m_axis_tready),
            self.m_axis_tdata.eq(result.value),
            self.m_axis_tlast.eq(result.last),
            self.m_axis_tuser.eq(result.broken),
        ]
        with m.If(self.s_axis_tvalid & self.s_axis_tready):
            m.d.sync += opened.eq(~self.s_axis_tlast)
        errors = Signal(len(_ERRORS))
        busy = opened | core.busy | outlet.busy | clear
        status = Cat(busy, opened, clear)
        reading: dict[str, Value] = {
            "CONTROL": Const(0, 32),
            "STATUS": status,
            "ERRORS": errors,
            "IMAGES": core.images,
            "BROKEN": core.spoilt,
            "CYCLES": core.cycles,
            "PACKET": packet,
            "SCRATCH": scratch,
        }
        if self.plan.plan.config.counters:
            for layer in self.plan.plan.layers:
                name = layer.layer.name
                for counter, value in _members(getattr(core, f"counters__{name}")):
                    reading[f"{name}.{counter}"] = value
        self._read(m, lite, reading)

        def written(old: Value) -> Value:
            """Return a register's value after a write, whose strobes choose bytes."""
            parts = []
            for k in range(WORD):
                byte = slice(8 * k, 8 * k + 8)
                whole = Cat(old, Const(0, 32))[byte]
                parts.append(Mux(lite.strobes[k], lite.write_data[byte], whole))
            return Cat(*parts)

        ones = written(Const(0, 32))
        skipping, cleared = Signal(), Signal()
        m.d.sync += [asked.eq(0), cleared.eq(clear)]
        m.d.comb += core.skip.eq(cleared & ~clear & skipping & opened)
        found = Cat(core.short, core.long, core.range)
        m.d.sync += errors.eq(errors | found)
        with m.Switch(lite.write_word):
            with m.Case(self._word("CONTROL")), m.If(lite.write & ones[0]):
                m.d.sync += [asked.eq(1), skipping.eq(ones[1])]
            with m.Case(self._word("ERRORS")), m.If(lite.write):
                # An error that is found in this cycle is not lost.
                m.d.sync += errors.eq((errors & ~ones) | found)
            with m.Case(self._word("SCRATCH")), m.If(lite.write):
                m.d.sync += scratch.eq(written(scratch))
            with m.Case(self._word("PACKET")):
                images = written(packet)
                fault = busy | (images == 0) | (images[PACKET_BITS:] != 0)
                m.d.comb += lite.write_fault.eq(fault)
                with m.If(lite.write & ~fault):
                    m.d.sync += packet.eq(images)
            with m.Default():
                m.d.comb += lite.write_fault.eq(1)
        with m.If(clear):
            m.d.sync += errors.eq(0)
        return m

    def _read(self, m: Module, lite: Lite, reading: dict[str, Value]) -> None:
        with m.Switch(lite.read_word):
            for register in self.plan.registers:
                with m.Case(register.offset // WORD):
                    value = register.value if register.value is not None else reading[register.name]
                    m.d.comb += lite.read_data.eq(value)
            with m.Default():
                m.d.comb += lite.read_fault.eq(1)

    def _word(self, name: str) -> int:
        return next(x.offset // WORD for x in self.plan.registers if x.name == name)


def _members(interface: wiring.PureInterface) -> list[tuple[str, Value]]:
    return [(path[0], value) for path, _, value in interface.signature.flatten(interface)]


def _attributes(port: str) -> dict[str, str]:
    """Return the attributes that tell Vivado's IP packager which bus a port belongs to."""
    if port == "aclk":
        return {
            "X_INTERFACE_INFO": "xilinx.com:signal:clock:1.0 aclk CLK",
            "X_INTERFACE_PARAMETER": f"ASSOCIATED_BUSIF {':'.join(_BUSES)}, "
            f"ASSOCIATED_RESET aresetn",
        }
    if port == "aresetn":
        return {
            "X_INTERFACE_INFO": "xilinx.com:signal:reset:1.0 aresetn RST",
            "X_INTERFACE_PARAMETER": "POLARITY ACTIVE_LOW",
        }
    bus, _, signal = port.rpartition("_")
    kind = "aximm" if bus == "s_axi" else "axis"
    return {"X_INTERFACE_INFO": f"xilinx.com:interface:{kind}:1.0 {bus.upper()} {signal.upper()}"}
