"""Bench for the engines of a layer: what they send, and their counters by the definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spikeloom.hw.engine import COUNTERS, Engine, UnrolledEngine
from spikeloom.hw.options import COUNTERS_LATENCY
from support.hw.components import Bench


def weight(*shape: int) -> np.ndarray[Any, Any]:
    """Return random weights, the same for the same shape."""
    return np.random.default_rng(shape).integers(-9, 10, shape)


def run(
    dut: Engine | UnrolledEngine,
    arriving: Sequence[Any],
    count: int,
    stall_in: float,
    stall_out: float,
) -> tuple[list[Any], list[dict[str, int]]]:
    """Return ``count`` words that an engine sends, and its counters ahead of every clock edge.

    In every cycle it must work, starve, or be blocked.
    """
    bench = Bench(dut, seed=3)
    bench.put(dut.i0, arriving, stall_in)
    seen = bench.get(dut.o, count, stall_out)
    names = list(COUNTERS.members)
    cycles = bench.watch(*(getattr(dut.counters, name) for name in names))
    bench.run()
    counters = [dict(zip(names, values, strict=True)) for values in cycles]
    for cycle, values in enumerate(counters):
        counted = values["cycles"] + values["starved"] + values["blocked"]
        assert counted == max(cycle - COUNTERS_LATENCY, 0)
    return seen, counters


def require_starved(dut: Engine | UnrolledEngine) -> None:
    """Require that an engine without input starves in every cycle."""
    bench = Bench(dut)
    bench.get(dut.o, 0)
    cycles = bench.watch(dut.counters.starved, dut.counters.cycles, dut.counters.blocked)
    bench.run()
    assert cycles == [(max(n - COUNTERS_LATENCY, 0), 0, 0) for n in range(len(cycles))]


def require_blocked(dut: Engine | UnrolledEngine, arriving: Sequence[Any], settled: int) -> None:
    """Require that an engine without a consumer is blocked in every cycle after ``settled``."""
    bench = Bench(dut)
    bench.put(dut.i0, arriving)
    counters = dut.counters
    cycles = bench.watch(counters.blocked, counters.cycles, counters.starved, counters.events)

    async def patient(ctx: Any) -> None:
        for _ in range(settled + 50):
            await ctx.tick()

    bench.simulator.add_testbench(patient)
    bench.run()
    first, last = cycles[settled], cycles[-1]
    assert last[0] - first[0] == len(cycles) - 1 - settled > 0
    assert last[1:] == first[1:], "nothing else goes on"
