from __future__ import annotations

import dataclasses

import hypothesis.strategies as st
import pytest
from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from support.hw.components import STALLS, Bench, random_values, transfers
from support.hw.windows import expected_words, window_plans

from spikeloom.hw.engine.buffer import RowBuffer
from spikeloom.hw.engine.scanner import Scanner
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.planning.windows import BufferPlan, Share, WindowPlan
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import Range


class Scanned(wiring.Component):
    """A scanner on a buffer, as an engine joins them; values that are not kept read as 0."""

    def __init__(
        self, plan: WindowPlan, lane_groups: int, first: int = 0, depth: int | None = None
    ) -> None:
        self.buffer = RowBuffer(plan.buffer)
        self.scanner = Scanner(plan, lane_groups, first, depth)
        self.value = shape_of(plan.buffer.stream.values)
        self.size = plan.buffer.word_values
        scanned = self.scanner.layout
        out = data.StructLayout(
            {
                "base": scanned["base"].shape,
                "values": data.ArrayLayout(self.value, self.size),
                "last": 1,
            }
        )
        members = {"i": In(plan.buffer.stream.signature), "o": Out(stream.Signature(out))}
        super().__init__(members | {"waiting": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = buffer = self.buffer
        m.submodules.scanner = scanner = self.scanner
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        m.d.comb += [
            scanner.rows.eq(buffer.rows[0]),
            buffer.release[0].eq(scanner.release),
            buffer.releases[0].eq(scanner.releases),
            buffer.address[0].eq(scanner.address),
            buffer.enable[0].eq(scanner.enable),
            scanner.o.ready.eq(self.o.ready),
            self.o.valid.eq(scanner.o.valid),
            self.o.payload.base.eq(scanner.o.payload.base),
            self.o.payload.last.eq(scanner.o.payload.last),
            self.waiting.eq(scanner.waiting),
        ]
        if self.buffer.plan.marked:
            m.d.comb += scanner.marks.eq(buffer.marks)
        width = self.value.width
        for k in range(self.size):
            kept = scanner.o.payload.keep[k].replicate(width)
            m.d.comb += self.o.payload.values[k].eq(buffer.word[0].word_select(k, width) & kept)
        return m


@given(
    plan=window_plans(),
    spare=st.integers(0, 2),
    lane_groups=st.integers(1, 3),
    around=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    stalls=st.tuples(st.sampled_from(STALLS), st.sampled_from(STALLS)),
    seed=st.integers(0, 999),
)
@settings(max_examples=50)
def test_reads_as_planned(
    plan: WindowPlan,
    spare: int,
    lane_groups: int,
    around: tuple[int, int],
    stalls: tuple[float, float],
    seed: int,
) -> None:
    # Without spare rows the buffer holds just what a line needs: it must still never be stuck.
    buffer = dataclasses.replace(plan.buffer, rows=plan.buffer.rows + spare)
    plan = dataclasses.replace(plan, buffer=buffer)
    lane_groups = len(plan.share.firsts) if plan.share else lane_groups
    # Other connections' weights may lie before and behind its own.
    ahead, behind = around
    depth = ahead + lane_groups * plan.kernel[0] * plan.span + behind
    images = random_values(buffer.stream, 2, seed)
    expected = expected_words(plan, lane_groups, images, ahead, depth)
    dut = Scanned(plan, lane_groups, ahead, depth)
    bench = Bench(dut, seed)
    bench.put(dut.i, transfers(buffer.stream, images), stalls[0])
    seen = bench.get(dut.o, len(expected), stalls[1])
    bench.run()
    assert seen == expected


def square(
    height: int, width: int, kernel: int, stride: int, padding: int, capacity: int
) -> WindowPlan:
    """Return a plan of square windows over one channel."""
    stream_plan = StreamPlan(1, Range(0, 7), 1, height, width, 1)
    shape = tuple((n + 2 * padding - kernel) // stride + 1 for n in (height, width))
    return WindowPlan(
        BufferPlan(stream_plan, chunks=2, rows=capacity),
        (kernel, kernel),
        (stride, stride),
        (padding, padding),
        (shape[0], shape[1]),
        events=1,
    )


@pytest.mark.parametrize(
    ("height", "width", "kernel", "stride", "padding", "capacity"),
    [
        (7, 7, 1, 3, 0, 3),
        (7, 7, 2, 5, 0, 5),
        (7, 5, 2, 4, 1, 4),
        (1, 2, 4, 1, 3, 1),
        (2, 1, 5, 3, 4, 2),
        (8, 3, 3, 3, 0, 5),
    ],
    ids=[
        "leftover",
        "wide_stride",
        "padded",
        "kernel_over_map",
        "kernel_over_both",
        "two_rows_left",
    ],
)
def test_never_stuck(
    height: int, width: int, kernel: int, stride: int, padding: int, capacity: int
) -> None:
    plan = square(height, width, kernel, stride, padding, capacity)
    assert capacity == max(line.need for line in plan.lines)
    images = random_values(plan.buffer.stream, 3, seed=1)
    expected = expected_words(plan, 1, images)
    dut = Scanned(plan, 1)
    bench = Bench(dut)
    bench.put(dut.i, transfers(plan.buffer.stream, images))
    seen = bench.get(dut.o, len(expected), 0.2)
    bench.run()
    assert seen == expected


def test_a_word_in_every_cycle_once_the_rows_are_there() -> None:
    plan = square(3, 6, 3, 1, 0, capacity=3)
    images = random_values(plan.buffer.stream, 1, seed=2)
    expected = expected_words(plan, 5, images)
    dut = Scanned(plan, 5)
    bench = Bench(dut)
    bench.put(dut.i, transfers(plan.buffer.stream, images))
    cycles = bench.watch(dut.o.valid, dut.waiting)
    bench.get(dut.o, len(expected))
    bench.run()
    valid = [v for v, _ in cycles]
    first = valid.index(1)
    assert valid[first : first + len(expected)] == [1] * len(expected)
    assert not any(valid[first + len(expected) :])
    marked = Scanner.MARKED_LATENCY if plan.buffer.marked else 0
    ahead = [1] * (first - Scanner.LATENCY - marked) + [0] * (Scanner.LATENCY + marked)
    assert [w for _, w in cycles[:first]] == ahead, "waits for its rows alone"


def test_word_and_flags_hold_while_not_taken() -> None:
    plan = square(3, 4, 2, 1, 0, capacity=3)
    images = random_values(plan.buffer.stream, 1, seed=3)
    expected = expected_words(plan, 1, images)
    dut = Scanned(plan, 1)
    bench = Bench(dut, seed=3)
    bench.put(dut.i, transfers(plan.buffer.stream, images))
    seen = bench.get(dut.o, len(expected), stall=0.9)
    bench.run()
    assert seen == expected


def test_marked_windows_are_read_again_in_every_timestep() -> None:
    # One stored timestep serves three, and two lane groups: the next window is the same one until
    # both are through.
    plan = dataclasses.replace(square(4, 5, 2, 1, 0, capacity=3), steps=(0, 0, 0))
    assert plan.buffer.marked
    images = random_values(plan.buffer.stream, 2, seed=4)
    expected = expected_words(plan, 2, images)
    dut = Scanned(plan, 2)
    bench = Bench(dut)
    bench.put(dut.i, transfers(plan.buffer.stream, images))
    seen = bench.get(dut.o, len(expected), stall=0.3)
    bench.run()
    assert seen == expected


@pytest.mark.parametrize("share", [Share(2, 3, (0, 1)), Share(3, 5, (2, 0, 1))])
def test_a_share_of_several_words_in_each_position(share: Share) -> None:
    """The words of a window's next position follow those that other lane groups read."""
    stream_plan = StreamPlan(1, Range(0, 7), share.position, 3, 4, 1)
    buffer = BufferPlan(stream_plan, chunks=1, rows=2)
    plan = WindowPlan(buffer, (2, 3), (1, 1), (0, 0), (2, 2), events=1, share=share)
    assert not buffer.marked
    groups = len(share.firsts)
    images = random_values(stream_plan, 2, seed=5)
    expected = expected_words(plan, groups, images)
    dut = Scanned(plan, groups)
    bench = Bench(dut)
    bench.put(dut.i, transfers(stream_plan, images))
    seen = bench.get(dut.o, len(expected))
    bench.run()
    assert seen == expected
