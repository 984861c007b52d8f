"""Bench for a hardware component in Amaranth's simulator, and plans and values for it.

The bench drives streams in and out with random stalls, and checks two rules of streams. An output
that is ``valid`` stays valid with the same payload until it is taken. And no component makes
``ready`` depend on ``valid``: the ``ready`` of its inputs is the same with and without ``valid``.
"""

from __future__ import annotations

import dataclasses
import inspect
import random
import textwrap
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import numpy as np
from amaranth.hdl import Signal
from amaranth.lib import data, stream, wiring
from amaranth.sim import Simulator

from spikeloom.hw.planning import HardwareConfig, LayerPlan, Plan, plan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    DirectInput,
    If,
    Layer,
    Linear,
    Logits,
    Network,
    Neuron,
    Pool,
    Synapses,
)

#: Probabilities of a stall that components are tested with.
STALLS = (0.0, 0.5)
#: Cycles for which an output is checked for surplus transfers after all expected ones.
_AFTERMATH = 12


class Bench:
    """Bench around a component under test.

    Parameters
    ----------
    dut : wiring.Component
        The component.
    seed : int
        Seed of the random stalls.
    idle_limit : int
        Cycles without a transfer at an output after which the test fails.
    """

    def __init__(self, dut: wiring.Component, seed: int = 0, idle_limit: int = 2_000) -> None:
        self.dut = dut
        self.random = random.Random(seed)
        self.idle_limit = idle_limit
        self.simulator = Simulator(dut)
        self.simulator.add_clock(1e-6)
        for name, member in dut.signature.members.items():
            if member.flow is wiring.Out and _is_stream(member):
                port = getattr(dut, name)
                for one in port if member.dimensions else [port]:
                    self.simulator.add_process(self._hold_checker(name, one))

    def put(
        self, port: stream.Interface, payloads: Iterable[Any], stall: float = 0.0, first: int = 0
    ) -> None:
        """Send ``payloads`` to an input: integers, or nested lists and dicts for layouts.

        Nothing is sent before the clock cycle ``first``.
        """

        async def drive(ctx: Any) -> None:
            for _ in range(first):
                await ctx.tick()
            for payload in payloads:
                ctx.set(port.payload, payload)
                while self.random.random() < stall:
                    await ctx.tick()
                    without = ctx.get(port.ready)
                    ctx.set(port.valid, 1)
                    assert ctx.get(port.ready) == without, "ready depends on valid"
                    ctx.set(port.valid, 0)
                ctx.set(port.valid, 1)
                ready = False
                while not ready:
                    _, _, ready = await ctx.tick().sample(port.ready)
                ctx.set(port.valid, 0)

        self.simulator.add_testbench(drive, background=True)

    def get(
        self,
        port: stream.Interface,
        count: int,
        stall: float = 0.0,
        taking: Signal | None = None,
    ) -> list[Any]:
        """Return a list that will hold ``count`` payloads of an output. A surplus one fails.

        ``taking`` is an input of the component that tells it whether the port is ready in the next
        cycle; if there is one, the port is not ready in the first cycle.
        """
        seen: list[Any] = []

        async def receive(ctx: Any) -> None:
            idle, ahead = 0, False
            while len(seen) < count:
                ready, ahead = ahead, self.random.random() >= stall
                if taking is None:
                    ready = ahead
                else:
                    ctx.set(taking, ahead)
                ctx.set(port.ready, ready)
                _, _, valid, payload = await ctx.tick().sample(port.valid, port.payload)
                idle += 1
                if valid and ready:
                    seen.append(plain(payload))
                    idle = 0
                assert idle < self.idle_limit, f"nothing for {idle} cycles after {seen[-3:]}"
            if taking is not None:
                ctx.set(port.ready, ahead)
                ctx.set(taking, 1)
                await ctx.tick()
            ctx.set(port.ready, 1)
            for _ in range(_AFTERMATH):
                _, _, valid = await ctx.tick().sample(port.valid)
                assert not valid, "a surplus transfer"

        self.simulator.add_testbench(receive)
        return seen

    def watch(self, *signals: Any) -> list[tuple[Any, ...]]:
        """Return a list that will hold the values of ``signals``, a tuple for every cycle."""
        seen: list[tuple[Any, ...]] = []

        async def process(ctx: Any) -> None:
            async for _, _, *values in ctx.tick().sample(*signals):
                seen.append(tuple(plain(value) for value in values))

        self.simulator.add_process(process)
        return seen

    def run(self) -> None:
        """Run until every output has given its expected payloads."""
        self.simulator.run()

    def _hold_checker(
        self, name: str, port: stream.Interface
    ) -> Callable[[Any], Coroutine[Any, Any, None]]:
        async def process(ctx: Any) -> None:
            held = None
            signals = (port.valid, port.ready, port.payload)
            async for _, reset, valid, ready, payload in ctx.tick().sample(*signals):
                payload = plain(payload)
                if held is not None and not reset:
                    assert valid, f"{name} withdrew {held}"
                    assert payload == held, f"{name} changed {held} to {payload}"
                held = payload if valid and not ready else None

        return process


def _is_stream(member: wiring.Member) -> bool:
    return member.is_signature and isinstance(member.signature, stream.Signature)


def through(
    dut: wiring.Component,
    payloads: Iterable[Any],
    count: int,
    stall_in: float = 0.0,
    stall_out: float = 0.0,
    seed: int = 0,
) -> list[Any]:
    """Send ``payloads`` into ``dut.i`` and return the ``count`` payloads that leave ``dut.o``."""
    bench = Bench(dut, seed)
    bench.put(dut.i, payloads, stall_in)
    seen = bench.get(dut.o, count, stall_out)
    bench.run()
    return seen


def numbered(count: int) -> list[list[int]]:
    """Return transfers of two values of five bits, which differ from their neighbours."""
    return [[k % 32, k * 7 % 32] for k in range(count)]


def plain(value: Any) -> Any:
    """Return a simulated value as integers, lists and dicts."""
    if not isinstance(value, data.Const):
        return value
    layout = value.shape()
    if isinstance(layout, data.ArrayLayout):
        return [plain(value[k]) for k in range(layout.length)]
    return {name: plain(value[name]) for name, _ in layout}


def plan_of(
    shape: tuple[int, ...],
    synapses: Synapses,
    neuron: Neuron | None = None,
    *,
    bits: int = 4,
    timesteps: int = 1,
    pool: Pool | None = None,
    incoming: str = "count",
    outgoing: str = "count",
    lanes: int = 1,
    source_lanes: int = 1,
    events: int = 1,
    **choices: Any,
) -> Plan:
    """Return the plan of a network around one layer, called ``"layer"``.

    The layer reads the input or, for ``incoming="spikes"``, a layer ``"source"`` that spikes in the
    shape of the input. If its ``neuron`` fires, a logits layer ``"sum"`` follows, which adds
    everything up; without a ``neuron``, it is the logits layer itself. ``choices`` are further
    parameters of `HardwareConfig`.
    """
    neuron = neuron or _logits(synapses.channels)
    layers = []
    if incoming == "spikes":
        connection = Connection("input", "count", _identity(shape))
        layers.append(Layer("source", timesteps, plain_if(shape[0], 7), (connection,)))
    connection = Connection("source" if layers else "input", incoming, synapses, pool)
    layers.append(Layer("layer", timesteps, neuron, (connection,)))
    if neuron.fires:
        size = int(np.prod(synapses.shape(connection.pooled_shape(shape))))
        connection = Connection("layer", outgoing, Linear(np.ones((1, size), np.int64)))
        steps = timesteps if outgoing == "spikes" else 1
        layers.append(Layer("sum", steps, _logits(1), (connection,)))
    given = {"source": source_lanes, "layer": lanes}
    names = [layer.name for layer in layers]
    config = HardwareConfig(
        {name: given.get(name, 1) for name in names}, {"layer": events}, **choices
    )
    return plan(Network(DirectInput(shape, bits), tuple(layers)), config)


def with_units(
    network: Network, config: HardwareConfig, choose: Callable[[list[int]], int]
) -> HardwareConfig:
    """Return a configuration with the neuron units of each layer whose lanes can share them.

    ``choose`` gets the numbers that fit, the smallest first.
    """
    units = {
        layer.layer.name: choose([n for n in range(1, layer.lanes + 1) if layer.lanes % n == 0])
        for layer in plan(network, config).layers
        if layer.shareable
    }
    return dataclasses.replace(config, units=units)


def with_copies(
    network: Network, config: HardwareConfig, choose: Callable[[int], int]
) -> HardwareConfig:
    """Return a configuration with copies of the engine of each layer that can have them.

    ``choose`` gets the largest number that fits.
    """
    copies = {
        layer.layer.name: choose(layer.target.width)
        for layer in plan(network, config).layers
        if type(layer) is LayerPlan and layer.target.width > 1 and not layer.layer.recurrent
    }
    return dataclasses.replace(config, copies=copies)


def plain_if(channels: int, threshold: int) -> If:
    """Return IF neurons with the same threshold, half of it as initial potential, and no bias."""
    return If(
        np.full(channels, threshold),
        np.full(channels, threshold >> 1),
        np.zeros(channels, np.int64),
        fraction_bits=0,
    )


def _logits(channels: int) -> Logits:
    return Logits(np.zeros(channels, np.int64), fraction_bits=0)


def _identity(shape: tuple[int, ...]) -> Synapses:
    weight = np.eye(shape[0], dtype=np.int64)
    return Linear(weight) if len(shape) == 1 else Conv2d(weight[:, :, None, None])


def transfers(plan: StreamPlan, values: np.ndarray[Any, Any]) -> list[list[int]]:
    """Return the words of a stream for ``values`` of shape (images, C, H, W, timesteps)."""
    missing = plan.stored_channels - plan.channels
    padded = np.pad(values, ((0, 0), (0, missing), (0, 0), (0, 0), (0, 0)))
    grouped = padded.reshape(
        -1, plan.lane_groups, plan.lanes, plan.height, plan.width, plan.steps
    ).transpose(0, 3, 4, 1, 5, 2)
    words: list[list[int]] = grouped.reshape(-1, plan.lanes).tolist()
    return words


def random_values(plan: StreamPlan, images: int, seed: int) -> np.ndarray[Any, Any]:
    """Return random values that a stream can carry, half of them 0, for :func:`transfers`."""
    rng = np.random.default_rng(seed)
    shape = (images, plan.channels, plan.height, plan.width, plan.steps)
    values = rng.integers(plan.values.low, plan.values.high, shape, endpoint=True)
    return values * rng.integers(0, 2, shape)


def pooled(pool: Pool, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Pool values of shape (images, C, H, W, timesteps)."""
    reduce: Any = {"sum": np.sum, "max": np.max}[pool.kind]
    _, height, width = pool.shape(values.shape[1:4])
    rows, columns = (
        [slice(max(k * stride - padding, 0), k * stride - padding + size) for k in range(windows)]
        for windows, size, stride, padding in zip(
            (height, width), pool.size, pool.stride, pool.padding, strict=True
        )
    )
    lines = [
        np.stack([reduce(values[:, :, y, x], axis=(2, 3)) for x in columns], axis=2) for y in rows
    ]
    return np.stack(lines, axis=2)


def mutated(function: Callable[..., Any], old: str, new: str) -> Callable[..., Any]:
    """Return ``function`` with a defect: ``old``, once in its source text, becomes ``new``."""
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{old!r} must be there once"
    namespace = dict(function.__globals__)
    exec(source.replace(old, new), namespace)
    mutant: Callable[..., Any] = namespace[function.__name__]
    return mutant


def small_plan() -> Plan:
    """Return the plan of two neurons and a layer that adds them up, with taps and counters."""
    rng = np.random.default_rng(0)
    neuron = If(np.array([9, 12]), np.array([4, 6]), np.array([1, -2]), fraction_bits=0)
    synapses = Linear(rng.integers(-7, 8, (2, 3)))
    return plan_of((3,), synapses, neuron, bits=4, timesteps=3, debug=True, counters=True)
