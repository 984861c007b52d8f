"""Buffers of branching networks against a simulation of rows in another order, and in hardware."""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections.abc import Sequence

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.hw.components import Bench
from support.networks.examples import logits_layer

from spikeloom.hw.accelerator import Accelerator
from spikeloom.hw.planning import HardwareConfig, Plan, plan
from spikeloom.hw.planning.capacity import PassingReader, RowLayer, RowReader, grow
from spikeloom.hw.planning.connection import PoolPlan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.planning.windows import BufferPlan, Line, WindowPlan
from spikeloom.sw.network import (
    INPUT,
    Connection,
    Conv2d,
    DirectInput,
    Identity,
    If,
    Layer,
    MaxPool,
    Network,
    Range,
)

#: Kernel size, stride and padding along the height.
Window = tuple[int, int, int]
WINDOWS = [(size, step, pad) for size in (1, 2, 3) for step in (1, 2) for pad in range(size)]
PLAIN, SAME = (1, 1, 0), (3, 1, 1)


def lines(height: int, window: Window) -> Sequence[Line]:
    size, step, pad = window
    buffer = BufferPlan(StreamPlan(1, Range(0, 1), 1, height, 1, 1), 1, 1)
    shape = (rows_out(height, window), 1)
    return WindowPlan(buffer, (size, 1), (step, 1), (pad, 0), shape, 1).lines


def rows_out(height: int, window: Window) -> int:
    size, step, pad = window
    return (height + 2 * pad - size) // step + 1


def reader(
    source: RowLayer, window: Window, pool: Window | None = None, size: int = 1
) -> RowReader:
    completes = (1,) * source.height
    if pool is not None:
        shape = (1, rows_out(source.height, pool), 1)
        full, few = (StreamPlan(1, Range(0, 1), 1, h, 1, 1) for h in (source.height, shape[1]))
        kind = MaxPool((pool[0], 1), (pool[1], 1), (pool[2], 0))
        completes = PoolPlan(kind, full, few).completed_rows
    own = lines(sum(completes), window)
    need = max(line.need for line in own)
    return RowReader(source.name, own, completes, size, need)


def buffers(layer: RowLayer) -> list[RowReader]:
    """Return the buffers that a layer reads, which are all of its readers if it is not unrolled."""
    return [r for r in layer.readers if isinstance(r, RowReader)]


def capacities(layers: Sequence[RowLayer]) -> list[int]:
    return [r.capacity for layer in layers for r in buffers(layer)]


def set_back(layers: Sequence[RowLayer]) -> None:
    for layer in layers:
        layer.line = 0
        for r in layer.readers:
            r.held = r.row = 0


def rows_made(layers: Sequence[RowLayer], images: int, seed: int) -> dict[str, int]:
    """Let layers work in a random order until nothing moves or enough images have come out.

    Counts of all rows ever, rather than states, say what is possible: a buffer's k-th row can be
    written once at most ``capacity`` older ones have not been given back.
    """
    rng = random.Random(seed)
    done = {layer.name: 0 for layer in layers}
    layer_of = {layer.name: layer for layer in layers}

    def given_back(owner: RowLayer, r: RowReader) -> int:
        whole, line = divmod(done[owner.name], owner.height)
        return whole * sum(r.completes) + sum(x.release for x in r.lines[:line])

    def arrived(r: RowReader, rows: int) -> int:
        whole, rest = divmod(rows, len(r.completes))
        return whole * sum(r.completes) + sum(r.completes[:rest])

    def possible(layer: RowLayer) -> bool:
        for r in buffers(layer):
            held = arrived(r, done[r.source]) - given_back(layer, r)
            if held < r.lines[done[layer.name] % layer.height].need:
                return False
        for owner in layers:
            for r in buffers(owner):
                if r.source == layer.name:
                    after = arrived(r, done[layer.name] + 1) - given_back(owner, r)
                    if after > r.capacity:
                        return False
        return True

    last = layers[-1]
    while done[last.name] < images * last.height:
        candidates = [name for name in done if possible(layer_of[name])]
        if not candidates:
            return done
        # Some favour one layer as long as they can, so that buffers fill up.
        name = rng.choice(candidates)
        done[name] += 1
        while rng.random() < 0.7 and possible(layer_of[name]):
            done[name] += 1
    return done


def halts(layers: Sequence[RowLayer], seed: int = 0) -> bool:
    return rows_made(layers, 5, seed)[layers[-1].name] < 5 * layers[-1].height


@st.composite
def graphs(draw: st.DrawFn, branches: bool = True, sliding: bool = True) -> list[RowLayer]:
    """A random network of row readers; without ``branches`` a chain.

    Pools that are ``sliding`` complete several rows at once at the bottom.
    """
    layers = [RowLayer(INPUT, draw(st.integers(1, 8)))]
    for index in range(draw(st.integers(1, 5))):
        readers: list[RowReader] = []
        height = 0
        for k in range(draw(st.integers(1, 3)) if branches else 1):
            near = draw(st.integers(0, 2))
            source = layers[-1] if k == 0 and near else draw(st.sampled_from(layers))
            source = source if branches else layers[-1]
            pools = [(1, 1, 0), (2, 2, 0), *([(3, 2, 1), (3, 1, 1)] if sliding else [])]
            pool = draw(st.sampled_from([w for w in pools if rows_out(source.height, w) > 0]))
            kept = rows_out(source.height, pool)
            # A fully connected layer reads all rows at once.
            fitting = [w for w in [*WINDOWS, (kept, 1, 0)] if kept + 2 * w[2] >= w[0]]
            fitting = [w for w in fitting if not readers or rows_out(kept, w) == height]
            if fitting:
                window = draw(st.sampled_from(fitting))
                height = rows_out(kept, window)
                readers.append(reader(source, window, pool, draw(st.integers(1, 9))))
        if readers:
            layers.append(RowLayer(f"layer{index}", height, readers))
    return layers


@given(layers=graphs(branches=False, sliding=False))
@settings(max_examples=100)
def test_a_chain_needs_no_more_than_its_lines(layers: list[RowLayer]) -> None:
    before = capacities(layers)
    grow(layers)
    assert capacities(layers) == before
    assert not halts(layers)


@given(layers=graphs(), seed=st.integers(0, 999))
@settings(max_examples=250)
def test_branching_networks_never_halt(layers: list[RowLayer], seed: int) -> None:
    before = capacities(layers)
    grow(layers)
    assert all(now >= then for now, then in zip(capacities(layers), before, strict=True))
    for order in range(3):
        assert not halts(layers, 1000 * order + seed)


@given(layers=graphs())
@settings(max_examples=150)
def test_halting_does_not_depend_on_the_order(layers: list[RowLayer]) -> None:
    assert len({halts(layers, order) for order in range(3)}) == 1


@given(layers=graphs())
@settings(max_examples=100)
def test_grown_networks_stay_as_they_are(layers: list[RowLayer]) -> None:
    grow(layers)
    enough = capacities(layers)
    set_back(layers)
    grow(layers)
    assert capacities(layers) == enough


def residual_rows(size: int = 1) -> list[RowLayer]:
    """Two 3 by 3 convolutions beside an identity: the second one and the identity meet."""
    source = RowLayer(INPUT, 8)
    inner = RowLayer("inner", 8, [reader(source, SAME)])
    outer = RowLayer("outer", 8, [reader(inner, SAME), reader(source, PLAIN, size=size)])
    return [source, inner, outer]


def test_two_convolutions_beside_an_identity() -> None:
    # Row y of the second needs rows up to y + 1 of the first, and these rows up to y + 2 of the
    # source: the identity keeps y, y + 1 and y + 2 meanwhile.
    layers = residual_rows()
    assert halts(layers)
    grow(layers)
    assert capacities(layers) == [3, 3, 3]


def test_a_row_less_halts() -> None:
    layers = residual_rows()
    grow(layers)
    shortcut = buffers(layers[-1])[1]
    assert not halts(layers)
    shortcut.capacity -= 1
    assert halts(layers)


@pytest.mark.parametrize(("ahead", "behind", "rows"), [(1, 9, [2, 1]), (9, 1, [1, 2])])
def test_the_cheaper_of_two_full_buffers_grows(ahead: int, behind: int, rows: list[int]) -> None:
    # What waits on the shorter way may do so ahead of the layer on it or behind.
    source, inner, _ = residual_rows()
    pointwise = RowLayer("pointwise", 8, [reader(source, PLAIN, size=ahead)])
    outer = RowLayer("outer", 8, [reader(inner, SAME), reader(pointwise, PLAIN, size=behind)])
    layers = [source, inner, pointwise, outer]
    grow(layers)
    assert capacities(layers) == [3, rows[0], 3, rows[1]]


def residual_network(side: int = 6, transport: str = "spikes") -> Network:
    rng = np.random.default_rng(3)

    def same() -> Conv2d:
        return Conv2d(rng.integers(-3, 4, (2, 2, 3, 3)), padding=(1, 1))

    def neurons() -> If:
        return If(np.array([9, 7]), np.array([4, 3]), np.array([1, 0]), fraction_bits=0)

    shortcut = Connection(INPUT, "count", Identity(np.array([1, 2])))
    layers = (
        Layer("inner", 2, neurons(), (Connection(INPUT, "count", same()),)),
        Layer("outer", 2, neurons(), (Connection("inner", transport, same()), shortcut)),
        logits_layer("outer", np.ones((3, 2 * side * side), np.int64)),
    )
    return Network(DirectInput((2, side, side), bits=2), layers)


def with_rows(planned: Plan, rows: list[int]) -> Plan:
    """Return the plan with other capacities, given in the order of its buffers."""
    left = list(rows)
    layers = []
    for layer in planned.layers:
        readers = []
        for r in layer.readers:
            buffer = dataclasses.replace(r.windows.buffer, rows=left.pop(0), roomy=False)
            windows = dataclasses.replace(r.windows, buffer=buffer)
            readers.append(dataclasses.replace(r, windows=windows))
        layers.append(dataclasses.replace(layer, readers=tuple(readers)))
    assert not left
    return dataclasses.replace(planned, layers=tuple(layers))


def logits_of(planned: Plan, images: int, idle_limit: int = 6000) -> int:
    """Return how many logits the hardware gives for some images before it halts."""
    network = planned.network
    dut = Accelerator(planned)
    bench = Bench(dut, idle_limit=idle_limit)
    bench.put(dut.i, [1] * int(np.prod(network.input.shape)) * images)
    seen = bench.get(dut.o, network.classes * images)
    with contextlib.suppress(AssertionError):
        bench.run()
    return len(seen)


def test_planned_rows_are_what_it_takes_and_some_to_go_on() -> None:
    planned = plan(residual_network())
    rows = [r.windows.buffer.rows for layer in planned.layers for r in layer.readers]
    # One more than it takes, or the two that the next map begins with; a second for the layer
    # beside the shortcut; two maps for the logits.
    assert rows == [3 + 1, 3 + 2, 3 + 1 + 1, 12]


@pytest.mark.parametrize(("shortcut", "logits"), [(3, 6), (2, 0)])
def test_hardware_halts_where_rows_do(shortcut: int, logits: int) -> None:
    planned = with_rows(plan(residual_network()), [3, 3, shortcut, 6])
    assert logits_of(planned, 2) == logits


def test_planned_rows_beside_an_unrolled_layer() -> None:
    planned = plan(residual_network(transport="count"), HardwareConfig(planes={"inner": 1}))
    rows = [r.windows.buffer.rows for layer in planned.layers for r in layer.readers]
    # The unrolled layer has two rows of its kernel; all others as if it were not.
    assert rows == [2, 3 + 2, 3 + 1 + 1, 12]


@pytest.mark.parametrize(("shortcut", "logits"), [(3, 6), (2, 0)])
def test_unrolled_hardware_halts_where_rows_do(shortcut: int, logits: int) -> None:
    planned = plan(residual_network(transport="count"), HardwareConfig(planes={"inner": 1}))
    assert logits_of(with_rows(planned, [2, 3, shortcut, 6]), 2, idle_limit=1500) == logits


def test_an_unrolled_layer_in_front_of_another() -> None:
    """A row passes both at once, if there is room behind them."""
    source = RowLayer(INPUT, 4)
    first = RowLayer("first", 4, [PassingReader(INPUT, range(1, 5), 4)])
    second = RowLayer("second", 4, [PassingReader("first", range(1, 5), 4)])
    last = RowLayer("last", 4, [reader(second, PLAIN), reader(source, PLAIN)])
    layers = [source, first, second, last]
    grow(layers)
    assert capacities([last]) == [1, 3]
