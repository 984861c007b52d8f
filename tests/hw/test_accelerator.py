from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.lib import wiring
from support.hw.components import STALLS, Bench, mutated, random_values, through, transfers
from support.hw.networks import (
    RESIDUAL,
    SHOWCASE,
    residual,
    residual_images,
    showcase,
    showcase_images,
)
from support.hw.pysim import differing, pixels, simulate

from spikeloom.hw.accelerator import Accelerator, Serializer
from spikeloom.hw.engine.events import DigitSplitter
from spikeloom.hw.engine.pe import PeArray
from spikeloom.hw.engine.pool import MaxPoolUnit
from spikeloom.hw.engine.scanner import Scanner
from spikeloom.hw.neurons import IfUnit, LadderUnit
from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.planning.connection import ConnectionPlan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.prediction import activity, predict
from spikeloom.hw.verilog import describe
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Connection, Conv2d, DirectInput, Layer, Logits, Network, Range

DEBUG = dataclasses.replace(SHOWCASE, debug=True, counters=True)


class TestSerializer:
    @pytest.mark.parametrize(
        ("channels", "lanes", "height", "width"),
        [(1, 1, 1, 1), (5, 1, 1, 1), (5, 5, 1, 1), (5, 3, 1, 1), (7, 2, 1, 1), (3, 2, 2, 3)],
    )
    @pytest.mark.parametrize("stall", STALLS)
    def test_sends_used_lanes_in_order(
        self, channels: int, lanes: int, height: int, width: int, stall: float
    ) -> None:
        plan = StreamPlan(lanes, Range(-900, 400), channels, height, width, 1)
        values = random_values(plan, 2, seed=channels)
        flat = values.transpose(0, 2, 3, 1, 4).reshape(2, -1).tolist()
        expected = [
            {"value": value, "last": int(k == len(image) - 1)}
            for image in flat
            for k, value in enumerate(image)
        ]
        dut = Serializer(plan)
        assert through(dut, transfers(plan, values), len(expected), stall, stall) == expected

    def test_a_value_in_every_cycle(self) -> None:
        plan = StreamPlan(2, Range(0, 7), 3, 1, 1, 1)
        dut = Serializer(plan)
        bench = Bench(dut)
        bench.put(dut.i, transfers(plan, random_values(plan, 3, seed=0)))
        bench.get(dut.o, 9)
        cycles = bench.watch(dut.o.valid)
        bench.run()
        assert [valid for (valid,) in cycles[:10]] == [1] * 9 + [0]


class TestWholeNetwork:
    def test_showcase_equals_golden(self) -> None:
        images = showcase_images(3)
        planned, seen = simulate(showcase(), images, DEBUG, stall_out=0.3)
        assert differing(showcase(), images, planned, seen) == []
        for counters in seen.counters.values():
            assert counters["events"] > 0
            assert sum(counters.values()) - counters["events"] > 0

    @pytest.mark.parametrize("stall", [0.0, pytest.param(0.3, marks=pytest.mark.sweep)])
    def test_residual_equals_golden(self, stall: float) -> None:
        network, images = residual(), residual_images(2)
        config = dataclasses.replace(RESIDUAL, debug=True, counters=True)
        planned, seen = simulate(network, images, config, stall_in=stall, stall_out=stall)
        assert differing(network, images, planned, seen) == []
        # By which the next test knows how long layers wait.
        for layer in predict(planned, activity(network, images)).layers if not stall else ():
            for name in ("cycles", "events", "blocked"):
                counted = seen.counters[layer.name][name]
                assert counted == getattr(layer, name).sum(), (layer.name, name)
        assert planned["stem"].sends == planned["depthwise"].sends == "spikes"
        for name in ("stem", "inner", "depthwise", "outer"):
            assert len(set(seen.sent[name])) > 3, f"{name} sends something"

    def test_feature_map_of_logits(self) -> None:
        weight = np.arange(3 * 2 * 2).reshape(3, 1, 2, 2) - 5
        logits = Logits(np.array([1, -2, 3]), fraction_bits=1)
        layer = Layer("out", 1, logits, (Connection("input", "count", Conv2d(weight)),))
        network = Network(DirectInput((1, 3, 4), bits=4), (layer,))
        images = np.random.default_rng(0).integers(0, 16, (2, 1, 3, 4))
        config = HardwareConfig(lanes=2, debug=True)
        planned, seen = simulate(network, images, config, stall_in=0.3)
        assert differing(network, images, planned, seen) == []
        assert sum(seen.last) == 2

        # The sidecar is enough to put the logits in order.
        output = describe(planned)["output"]
        assert output["shape"] == [3, 2, 3]
        sizes = dict(zip(("channel", "row", "column"), output["shape"], strict=True))
        axes = output["order"]
        stream = np.array(seen.logits).reshape(2, *(sizes[axis] for axis in axes))
        ordered = stream.transpose(0, *(1 + axes.index(axis) for axis in sizes))
        golden = Golden(network).run(images).logits.numpy()
        assert (ordered.reshape(2, -1) == golden).all()
        assert (stream.reshape(2, -1) != golden).any()

    def test_the_sidecar_of_a_vector_of_logits_has_no_order(self) -> None:
        output = describe(plan(showcase(), SHOWCASE))["output"]
        assert {"shape", "order"} & set(output) == set()


def waiting_of_the_slowest(images: int) -> tuple[int, float]:
    """Return the cycles in which the layer with the most work has none, and its work per image."""
    network = residual()
    found = predict(plan(network, RESIDUAL), activity(network, residual_images(images)))
    slowest = max(found.layers, key=lambda layer: int(layer.cycles.sum()))
    waiting = slowest.starved + slowest.blocked
    return int(waiting.sum()), float(slowest.cycles.sum()) / images


def test_branches_do_not_hold_up_the_slowest_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    # It waits while the first rows come and the last logits go: less than an image's time, however
    # many images there are.
    for images in (2, 4, 12):
        waiting, image = waiting_of_the_slowest(images)
        assert waiting < image
    # Buffers that merely never halt let layers work in turn.
    # The module by its name: as an attribute of its package, ``plan`` is the function.
    module = importlib.import_module("spikeloom.hw.planning.plan")
    monkeypatch.setattr(module, "spare_rows", lambda reader: 0)
    for images in (4, 12):
        waiting, image = waiting_of_the_slowest(images)
        assert waiting > images / 2 * image


class Resettable(wiring.Component):
    """An accelerator with its clock domain within reach."""

    def __init__(self, dut: Accelerator) -> None:
        self.dut = dut
        self.domain = ClockDomain("sync")
        super().__init__(dut.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = self.domain
        m.submodules.dut = self.dut
        wiring.connect(m, wiring.flipped(self), self.dut)
        return m


def interrupted(bench: Bench, dut: Any, cycle: int, reset: Callable[[Any], Any]) -> list[int]:
    """Return the logits of an image after ``cycle`` cycles of another, and a reset."""
    network, images = showcase(), showcase_images(1)
    seen: list[int] = []

    async def run(ctx: Any) -> None:
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload, 5)
        ctx.set(dut.o.ready, cycle % 2)
        await ctx.tick().repeat(cycle)
        await reset(ctx)
        ctx.set(dut.i.valid, 0)
        assert ctx.get(dut.o.valid) == 0
        for value in pixels(network, images):
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, value)
            await advance(ctx)
        ctx.set(dut.i.valid, 0)
        while len(seen) < network.classes:
            await advance(ctx)

    async def advance(ctx: Any) -> None:
        """Wait for a pixel to be taken; take every logit that comes meanwhile."""
        ctx.set(dut.o.ready, 1)
        ready = False
        while not ready:
            _, _, ready, valid, payload = await ctx.tick().sample(
                dut.i.ready, dut.o.valid, dut.o.payload
            )
            if valid:
                seen.append(payload.value)

    bench.simulator.add_testbench(run)
    bench.run()
    return seen


def expected_logits() -> list[int]:
    logits: list[int] = Golden(showcase()).run(showcase_images(1)).logits.reshape(-1).tolist()
    return logits


@pytest.mark.parametrize("cycle", [7, 75, 140])
def test_reset_forgets_everything(cycle: int) -> None:
    dut = Resettable(Accelerator(plan(showcase(), SHOWCASE)))

    async def reset(ctx: Any) -> None:
        ctx.set(dut.domain.rst, 1)
        await ctx.tick()
        ctx.set(dut.domain.rst, 0)

    assert interrupted(Bench(dut), dut, cycle, reset) == expected_logits()


@pytest.mark.parametrize(("together", "cycles"), [(1, 8), (3, 8), (4, 1)])
@pytest.mark.parametrize("cycle", [7, 75, 76, 140])
def test_a_reset_at_work_passes_from_engine_to_engine(
    monkeypatch: pytest.MonkeyPatch, together: int, cycles: int, cycle: int
) -> None:
    monkeypatch.setattr("spikeloom.hw.accelerator._RESET_TOGETHER", together)
    dut = Accelerator(plan(showcase(), SHOWCASE), clearable=True)
    took = []

    async def reset(ctx: Any) -> None:
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.o.ready, 0)
        ctx.set(dut.clear, 1)
        number = 0
        while ctx.get(dut.clearing):
            await ctx.tick()
            ctx.set(dut.clear, 0)
            number += 1
        took.append(number)

    assert interrupted(Bench(dut), dut, cycle, reset) == expected_logits()
    assert took == [cycles]


def behaviour(config: HardwareConfig) -> list[tuple[Any, ...]]:
    """Return what happens at the ports in every cycle."""
    network = showcase()
    dut = Accelerator(plan(network, config))
    bench = Bench(dut, seed=4)
    bench.put(dut.i, pixels(network, showcase_images(1)), stall=0.3)
    bench.get(dut.o, network.classes, stall=0.3)
    cycles = bench.watch(dut.i.valid, dut.i.ready, dut.o.valid, dut.o.ready, dut.o.payload)
    bench.run()
    return cycles


def test_taps_and_counters_change_nothing() -> None:
    assert behaviour(DEBUG) == behaviour(SHOWCASE)


# Each plants one defect and names the first layer that shows it (no potential of the first layer
# equals its threshold here).
MUTANTS = {
    "fires only above its threshold": (
        IfUnit,
        "elaborate",
        "integrated >= self.parameters.threshold",
        "integrated > self.parameters.threshold",
        "spiking",
    ),
    "resets to zero": (
        IfUnit,
        "_reset",
        "integrated - Mux(self.spike, amount, 0)",
        "Mux(self.spike, 0, integrated)",
        "conv",
    ),
    "counts a level too high": (LadderUnit, "elaborate", ">=", ">", "steps"),
    "pools the smallest": (MaxPoolUnit, "combine", "value > so_far", "value < so_far", "steps"),
    "adds where it should subtract": (
        DigitSplitter,
        "elaborate",
        "negative.eq((value & ~triple) >> 1)",
        "negative.eq(0)",
        "conv",
    ),
    "adds to the sum before": (
        PeArray,
        "elaborate",
        "accumulator.eq(0)",
        "accumulator.eq(self.o.payload[k])",
        "conv",
    ),
    "stays at the first word's weights": (
        Scanner,
        "_all_words",
        "base.eq(base + plan.slots)",
        "base.eq(base)",
        "steps",
    ),
    "stays in the first kernel row of marked words": (
        Scanner,
        "_marked_words",
        "Const(k * plan.span)",
        "Const(0)",
        "conv",
    ),
    "passes over words without marks": (
        Scanner,
        "_marked_words",
        "end = row_end & ~more",
        "end = row_end",
        "conv",
    ),
    "swaps two banks": (
        ConnectionPlan,
        "bank",
        "index ::",
        "windows.events - 1 - index ::",
        "conv",
    ),
}


@pytest.mark.parametrize("defect", MUTANTS)
def test_comparison_finds_planted_defects(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, method, old, new, layer = MUTANTS[defect]
    monkeypatch.setattr(owner, method, mutated(getattr(owner, method), old, new))
    network, images = showcase(), showcase_images(1)
    planned, seen = simulate(network, images, DEBUG)
    found = differing(network, images, planned, seen)
    named = [line.split()[0] for line in found]
    order = [planned_layer.layer.name for planned_layer in planned.layers]
    assert next((name for name in order if name in named), None) == layer, found
