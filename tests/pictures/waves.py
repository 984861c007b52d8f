"""Waveforms for docs/waveforms.md: signals of components, clock cycle by clock cycle.

Each is simulated by Amaranth and returned as WaveJSON, the format of WaveDrom (https://wavedrom.com),
so that the same files can be opened there. docs/hardware holds them; a test simulates them anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import stream, wiring
from amaranth.sim import Simulator
from support.hw.components import plain, plan_of

from spikeloom.hw.engine import Skid
from spikeloom.hw.engine.events import EventGenerator
from spikeloom.hw.engine.pe import PeArray, address_bits
from spikeloom.hw.engine.population import Population
from spikeloom.hw.engine.sums import connect_sums
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import If, Linear

FOLDER = Path(__file__).parents[2] / "docs" / "hardware"

WaveJson = dict[str, Any]
_Row = dict[str, Any]


def trace(dut: Elaboratable, cycles: int, signals: Sequence[Any], drive: Any) -> list[list[Any]]:
    """Return the values of each signal in each of the first ``cycles`` clock cycles.

    Parameters
    ----------
    dut : Elaboratable
    cycles : int
    signals : sequence of Value
    drive : callable
        Test bench that sets the inputs; called with the simulator's context.
    """
    seen: list[list[Any]] = [[] for _ in signals]

    async def watch(ctx: Any) -> None:
        async for _, _, *values in ctx.tick().sample(*signals):
            for row, value in zip(seen, values, strict=True):
                row.append(plain(value))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive, background=True)
    simulator.add_process(watch)
    simulator.run_until(cycles * 1e-6)
    return [row[:cycles] for row in seen]


def clock(cycles: int) -> _Row:
    """Return the row of the clock."""
    return {"name": "clk", "wave": "p" + "." * (cycles - 1)}


def bit(name: str, values: Sequence[int]) -> _Row:
    """Return the row of a signal of one bit."""
    return {"name": name, "wave": _merged(["01"[bool(value)] for value in values])}


def words(
    name: str, values: Sequence[Any], valid: Sequence[int], ready: Sequence[int] | None = None
) -> _Row:
    """Return the row of a signal with values, which mean nothing where ``valid`` is 0.

    A value that is held because it is not taken is one box; one that follows is another, even if it
    is the same.
    """
    wave: list[str] = []
    data: list[str] = []
    held = False
    for cycle, (value, shown) in enumerate(zip(values, valid, strict=True)):
        if not shown:
            wave.append("x")
        elif held:
            wave.append(".")
        else:
            wave.append("=")
            data.append(str(value).replace("-", "\N{MINUS SIGN}"))
        held = bool(shown) and ready is not None and not ready[cycle]
    return {"name": name, "wave": _merged(wave), "data": data}


def _merged(states: Sequence[str]) -> str:
    """Write a state that goes on as a dot; a word that follows a word is a new one."""
    return "".join(
        "." if k and state == states[k - 1] and state != "=" else state
        for k, state in enumerate(states)
    )


def wave_json(rows: Sequence[Any], cycles: int, first: int = 0) -> WaveJson:
    """Return a waveform whose clock cycles are numbered from ``first``."""
    return {"signal": [clock(cycles), *rows], "head": {"tick": first}}


def handshake() -> WaveJson:
    """Return transfers into and out of a skid, whose source pauses and whose target does."""
    cycles = 12
    dut = Skid(stream.Signature(8))
    offered = [0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0]
    taken = [1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1]

    async def drive(ctx: Any) -> None:
        value = 10
        for valid, ready in zip(offered, taken, strict=True):
            ctx.set(dut.i.valid, valid)
            ctx.set(dut.i.payload, value)
            ctx.set(dut.o.ready, ready)
            _, _, gone = await ctx.tick().sample(dut.i.ready)
            value += bool(valid and gone)

    ports = (dut.i, dut.o)
    signals = [x for port in ports for x in (port.valid, port.payload, port.ready)]
    rows = trace(dut, cycles, signals, drive)
    shown = []
    for name, (valid, payload, ready) in zip("io", (rows[:3], rows[3:]), strict=True):
        group = [name, bit("valid", valid), words("payload", payload, valid, ready)]
        shown.append([*group, bit("ready", ready)])
    return wave_json([shown[0], {}, shown[1]], cycles)


class OneLane(Elaboratable):
    """The way of a layer's events: generator, processing element and neuron, as in an engine.

    Parameters
    ----------
    plan : LayerPlan
        Of a layer with one event per cycle.
    """

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan
        self.pes, self.neurons = PeArray(plan), Population(plan)
        self.events = EventGenerator(
            shape_of(plan.values),
            plan.slots,
            plan.digits,
            address_bits(plan.depth),
            plan.event_queue,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.events, m.submodules.pes = self.events, self.pes
        m.submodules.neurons = self.neurons
        wiring.connect(m, self.events.o, self.pes.i0)
        _, (taken,) = connect_sums(m, self.plan, [self.pes.o], self.neurons)
        m.d.comb += [self.pes.taking.eq(taken), self.neurons.o.ready.eq(1)]
        return m


#: Weights of the neuron in the pictures, and its three windows.
WEIGHTS, WINDOWS = (2, 7, 1, -3), ((7, 0, 5, 2), (0, 0, 0, 0), (3, 2, 0, 0))
#: Threshold and timesteps; the potential begins at half of the threshold.
THRESHOLD, TIMESTEPS = 20, 4
#: Clock cycles that are simulated, those of the picture of events, and the first of timesteps.
_CYCLES, _SHOWN, _SUMMED = 26, 21, 10


def one_lane() -> tuple[WaveJson, WaveJson]:
    """Return the events of three windows and their sums, and the timesteps that follow."""
    zero = np.zeros(1, np.int64)
    neuron = If(zero + THRESHOLD, zero + THRESHOLD // 2, zero, fraction_bits=0)
    planned = plan_of(
        (4,),
        Linear(np.array([WEIGHTS])),
        neuron,
        bits=3,
        timesteps=TIMESTEPS,
        slots=4,
        time="loop",
    )
    dut = OneLane(planned["layer"])
    into, events, sums = dut.events.i, dut.events.o, dut.pes.o
    tap, out = dut.neurons.tap, dut.neurons.o

    async def drive(ctx: Any) -> None:
        for values in WINDOWS:
            ctx.set(into.valid, 1)
            ctx.set(into.payload, {"values": list(values), "base": 0, "last": 1})
            await ctx.tick().until(into.ready)
        ctx.set(into.valid, 0)

    signals = [
        *(x for port in (into, events, sums, out) for x in (port.valid, port.payload, port.ready)),
        *(tap.step, tap.potential, tap.spike),
    ]
    rows = trace(dut, _CYCLES, signals, drive)
    # A tap is bits; the potential is signed if it can be negative.
    shown = planned["layer"].ranges.potential
    rows[13] = [x - (x >> (shown.width - 1) << shown.width) * shown.signed for x in rows[13]]
    offered, given, summed = ([x[:_SHOWN] for x in rows[k : k + 3]] for k in (0, 3, 6))

    def row(name: str, port: list[list[Any]], text: Callable[[Any], object]) -> _Row:
        valid, payload, ready = port
        return words(name, [text(x) for x in payload], valid, ready)

    def part(name: str) -> _Row:
        return row(name, given, lambda event: event[name])

    window = [
        [
            "word",
            bit("valid", offered[0]),
            {**row("values", offered, _values), "fontsize": 7},
            bit("ready", offered[2]),
        ],
        {},
        [
            "event",
            bit("valid", given[0]),
            part("address"),
            part("shift"),
            bit("negative", [a and x["negative"] for a, x in zip(*given[:2], strict=True)]),
            bit("null", [a and x["null"] for a, x in zip(*given[:2], strict=True)]),
            bit("ready", given[2]),
        ],
        {},
        ["sum", bit("valid", summed[0]), row("lane 0", summed, lambda x: x[0])],
    ]
    later = [values[_SUMMED:] for values in rows]
    summed, sent, (step, potential, spike) = later[6:9], later[9:12], later[12:]
    steps = [
        ["sum", bit("valid", summed[0]), row("lane 0", summed, lambda x: x[0])],
        {},
        [
            "timestep",
            bit("step", step),
            words("potential", potential, step),
            bit("spike", [a and b for a, b in zip(step, spike, strict=True)]),
        ],
        {},
        ["o", bit("valid", sent[0]), row("count", sent, lambda x: x[0])],
    ]
    return wave_json(window, _SHOWN), wave_json(steps, _CYCLES - _SUMMED, _SUMMED)


def _values(word: Any) -> str:
    return " ".join(map(str, word["values"]))


def waveforms() -> dict[str, WaveJson]:
    """Simulate all of them, and return them by their names in docs/hardware."""
    window, steps = one_lane()
    return {"handshake": handshake(), "window": window, "timesteps": steps}


def text(waveform: WaveJson) -> str:
    """Return a waveform as its file has it."""
    return json.dumps(waveform, indent=1, ensure_ascii=False) + "\n"
