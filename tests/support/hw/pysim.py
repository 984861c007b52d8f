"""Run an accelerator in Amaranth's simulator, and compare its taps with the golden model."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from spikeloom.hw.accelerator import Accelerator
from spikeloom.hw.planning import HardwareConfig, Plan, UnrolledPlan, plan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.sw.golden import Golden, Meter
from spikeloom.sw.network import Linear, Network


@dataclass
class Observed:
    """Everything that an accelerator showed, in the order in which it showed it."""

    logits: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    steps: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    sent: dict[str, list[int]] = field(default_factory=dict)
    counters: dict[str, dict[str, int]] = field(default_factory=dict)


def pixels(network: Network, images: np.ndarray) -> list[int]:
    """Return pixels in the order of the input stream: row, column, channel, timestep."""
    if network.input.steps is None:
        images = images[:, None]
    images = np.moveaxis(images, 1, -1)
    if images.ndim == 5:
        images = images.transpose(0, 2, 3, 1, 4)
    return [int(x) for x in images.reshape(-1)]


def simulate(
    network: Network,
    images: np.ndarray,
    config: HardwareConfig,
    *,
    stall_in: float = 0.0,
    stall_out: float = 0.0,
    seed: int = 0,
    idle_limit: int = 20_000,
) -> tuple[Plan, Observed]:
    """Run images through a network's accelerator, with random stalls at both ends.

    It fails if there are ``idle_limit`` cycles without a logit, or if there is a surplus logit.
    """
    planned = plan(network, config)
    dut = Accelerator(planned)
    stream = pixels(network, images)
    expected = len(images) * network.classes
    seen = Observed()
    rng = random.Random(seed)
    names = [layer.layer.name for layer in planned.layers]
    dues = {name: len(images) * planned[name].target.transfers for name in names}
    for name in names:
        seen.steps[name], seen.sent[name] = [], []

    async def drive(ctx: Any) -> None:
        for value in stream:
            while rng.random() < stall_in:
                await ctx.tick()
            ctx.set(dut.i.payload, value)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def receive(ctx: Any) -> None:
        idle = 0
        while len(seen.logits) < expected:
            ready = rng.random() >= stall_out
            ctx.set(dut.o.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            idle += 1
            if valid and ready:
                seen.logits.append(payload.value)
                seen.last.append(payload.last)
                idle = 0
            assert idle < idle_limit, f"no logit for {idle} cycles after {len(seen.logits)}"
        # Layers that no logit depends on may take longer.
        idle, before = 0, None
        while config.debug and any(len(seen.sent[name]) < due for name, due in dues.items()):
            await ctx.tick()
            now = [len(seen.steps[name]) for name in names]
            idle = idle + 1 if now == before else 0
            before = now
            assert idle < idle_limit, f"no spikes for {idle} cycles after {now} of {names}"
        # A surplus logit would come in the next cycles.
        for _ in range(20):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            assert not valid
        if config.counters:
            for name in names:
                counters = getattr(dut, f"counters__{name}")
                seen.counters[name] = {
                    key: ctx.get(getattr(counters, key))
                    for key in ("cycles", "events", "starved", "blocked")
                }

    def watch(name: str) -> Callable[[Any], Coroutine[Any, Any, None]]:
        tap = getattr(dut, f"tap__{name}")

        async def process(ctx: Any) -> None:
            signals = (tap.step, tap.potential, tap.spike, tap.sent, tap.value)
            async for _, _, step, potential, spike, sent, value in ctx.tick().sample(*signals):
                if step:
                    seen.steps[name].append((potential, spike))
                if sent:
                    seen.sent[name].append(value)

        return process

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(receive)
    simulator.add_testbench(drive, background=True)
    if config.debug:
        for name in names:
            simulator.add_process(watch(name))
    simulator.run()
    return planned, seen


def miscounted(planned: Plan, images: np.ndarray, seen: Observed) -> list[str]:
    """Return the layers that have not added as often as the golden model's meter counts.

    Those are compared in which each event reaches all channels, an idle lane apart: in grouped
    convolutions and identities some lanes add zeros.
    """
    meter = Meter(planned.network)
    Golden(planned.network).run(images, meter=meter)
    found = []
    for layer in planned.layers:
        ways = [connection.synapses for connection in layer.layer.connections]
        whole = all(isinstance(x, Linear) or getattr(x, "groups", 0) == 1 for x in ways)
        if whole and not layer.compact and not isinstance(layer, UnrolledPlan):
            name, target = layer.layer.name, layer.target
            issued = seen.counters[name]["events"] * target.channels
            if issued != meter.work[name].additions * target.lane_groups:
                found.append(name)
    return found


def unpack(words: list[int], lanes: int, width: int, signed: bool) -> np.ndarray:
    """Return the lanes of packed words, the lowest first, shape (words, lanes)."""
    out = np.zeros((len(words), lanes), np.int64)
    for row, word in enumerate(words):
        for lane in range(lanes):
            value = word >> (lane * width) & ((1 << width) - 1)
            out[row, lane] = value - (1 << width) if signed and value >> (width - 1) else value
    return out


def differing(network: Network, images: np.ndarray, planned: Plan, seen: Observed) -> list[str]:
    """Return a line for each array of observed values that differs from the golden model's."""
    result = Golden(network).run(images, trace=True)
    assert result.trace is not None
    found = []
    logits: np.ndarray = np.array(seen.logits).reshape(len(images), -1)
    expected = result.logits.numpy()
    shape = network.shapes[network.output.name]
    if len(shape) == 3:
        logits = logits.reshape(len(images), shape[1], shape[2], shape[0]).transpose(0, 3, 1, 2)
        logits = logits.reshape(len(images), -1)
    if not np.array_equal(logits, expected):
        found.append(f"logits: {expected.tolist()} expected, got {logits.tolist()}")
    ends = [i % network.classes == network.classes - 1 for i in range(len(seen.last))]
    if [bool(x) for x in seen.last] != ends:
        found.append("last: in the wrong places")
    for layer in planned.layers:
        name, target = layer.layer.name, layer.target
        trace = result.trace[name]
        steps = layer.layer.timesteps

        def ordered(
            values: np.ndarray, steps: int, target: StreamPlan = target, name: str = name
        ) -> np.ndarray:
            """Return (image, y, x, group, t, lane) in golden's order, (T, N, C, H, W)."""
            values = values.reshape(
                len(images), target.height, target.width, target.lane_groups, steps, target.lanes
            )
            values = values.transpose(4, 0, 3, 5, 1, 2)
            values = values.reshape(steps, len(images), -1, target.height, target.width)
            return values[:, :, : target.channels].reshape(
                steps, len(images), *network.shapes[name]
            )

        shown = (layer.ranges.potential, layer.neurons.shown_spike)
        wanted = (trace.potentials.numpy(), trace.spikes.numpy())
        if layer.folded:
            steps = 1
            wanted = (wanted[0][-1:], wanted[1].sum(0, keepdims=True))
        for index, what in enumerate(("potential", "spike")):
            values = shown[index]
            got = unpack(
                [s[index] for s in seen.steps[name]],
                layer.units * layer.steps_per_cycle,
                values.width,
                values.signed,
            )
            # Units serve some lanes through all timesteps before they serve the next.
            if got.size % (steps * target.lanes) == 0:
                turns = got.reshape(-1, layer.turns, steps, layer.units)
                got = turns.transpose(0, 2, 1, 3)
            want = wanted[index]
            if got.size != target.height * target.width * target.stored_channels * steps * len(
                images
            ):
                found.append(f"{name} {what}: {got.shape} values")
            elif not np.array_equal(ordered(got, steps), want):
                found.append(f"{name} {what}: {want} expected, got {ordered(got, steps)}")
        values = target.values
        got = unpack(seen.sent[name], target.lanes, values.width, values.signed)
        if layer.sends == "spikes":
            want = trace.spikes.numpy()
        elif layer.sends == "count":
            want = result.counts[name].numpy()[None]
        else:
            want = trace.potentials.numpy()[-1:]
        if got.size != target.transfers * target.lanes * len(images):
            found.append(f"{name} sent: {got.shape} values")
        elif not np.array_equal(ordered(got, target.steps), want):
            found.append(f"{name} sent: {want} expected, got {ordered(got, target.steps)}")
    return found
