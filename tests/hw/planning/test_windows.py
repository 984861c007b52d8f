"""The tables of rows and columns against the definition of cross-correlation."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from support.hw.windows import window_plans, window_words

from spikeloom.hw.build.blocks import Memory
from spikeloom.hw.build.family import Family
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.planning.windows import BufferPlan, Line, WindowPlan
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Range


def by_definition(plan: WindowPlan, y: int, x: int, group: int = 0) -> Counter[tuple[int, ...]]:
    """Return the products of one output: source row, column, channel, kernel row, kernel column."""
    stream = plan.buffer.stream
    channels = range(stream.stored_channels)
    if plan.share:
        size = plan.buffer.word_values
        first = plan.share.firsts[group]
        channels = range(first * size, (first + plan.share.words) * size)
    pairs: Counter[tuple[int, ...]] = Counter()
    for i in range(plan.kernel[0]):
        for j in range(plan.kernel[1]):
            row = y * plan.stride[0] - plan.padding[0] + i
            column = x * plan.stride[1] - plan.padding[1] + j
            if 0 <= row < stream.height and 0 <= column < stream.width:
                for channel in channels:
                    pairs[row, column, channel, i, j] += 1
    return pairs


def by_tables(plan: WindowPlan, y: int, x: int, group: int = 0) -> Counter[tuple[int, ...]]:
    """Return the same pairs in the order in which an engine reads: line, rows, words, values."""
    buffer, stored = plan.buffer, plan.buffer.stream.stored_channels
    size = buffer.word_values
    # Channels for which there are weights, and the first of them.
    weighed = plan.share.words * size if plan.share else stored
    first = plan.share.firsts[group] * size if plan.share else 0
    top = sum(above.release for above in plan.lines[:y])
    pairs: Counter[tuple[int, ...]] = Counter()
    for row, word, address, under in window_words(plan, y, x, group):
        for k in under:
            kernel_row, within = divmod(address + k // plan.events, plan.span)
            weight = within * plan.events + k % plan.events
            value = word * size + k
            place = (top + row, value // stored, value % stored)
            pairs[(*place, kernel_row, weight // weighed)] += 1
            assert weight % weighed == value % stored - first, "weights of another channel"
    return pairs


@settings(max_examples=150)
@given(plan=window_plans())
def test_tables_are_cross_correlation(plan: WindowPlan) -> None:
    for y in range(plan.shape[0]):
        for x in range(plan.shape[1]):
            for group in range(len(plan.share.firsts) if plan.share else 1):
                assert by_tables(plan, y, x, group) == by_definition(plan, y, x, group)


@settings(max_examples=150)
@given(plan=window_plans())
def test_rows_are_given_back_as_they_came(plan: WindowPlan) -> None:
    height, capacity = plan.buffer.stream.height, plan.buffer.capacity
    assert sum(line.release for line in plan.lines) == height, "the next image begins in step"
    given_back = 0
    for y, line in enumerate(plan.lines):
        assert 0 <= line.release <= line.need <= capacity, "the buffer holds what is waited for"
        assert 1 <= line.rows <= plan.kernel[0]
        assert given_back == max(y * plan.stride[0] - plan.padding[0], 0), "no row too early"
        assert given_back + line.need <= height, "no line waits for rows of the next image"
        given_back += line.release


@settings(max_examples=100)
@given(plan=window_plans())
def test_aligned_means_nothing_to_mask(plan: WindowPlan) -> None:
    size = plan.buffer.word_values
    masked = any(column.head != 0 or column.tail != size for column in plan.columns)
    assert plan.aligned is not masked


def buffer_plan(channels: int = 3, lanes: int = 1, chunks: int = 4, width: int = 5) -> BufferPlan:
    stream = StreamPlan(lanes, Range(0, 3), channels, height=4, width=width, steps=2)
    return BufferPlan(stream, chunks, rows=3)


def test_buffer_sizes() -> None:
    buffer = buffer_plan(channels=3, lanes=2, chunks=3)
    assert buffer.word_values == 6
    assert buffer.row_words == 4, "20 values, the last word with 2 of 6"
    assert buffer.row_depth == 8
    assert buffer.depth == 24


@pytest.mark.parametrize(
    ("lanes", "channels", "width", "rows", "capacity"),
    [
        (8, 16, 32, 5, 9),  # 64 words of 16 bits in each row: 16 rows fit, but four are enough
        (8, 16, 32, 13, 16),  # of the same
        (12, 12, 56, 9, 9),  # 504 of 512 words of 24 bits
        (12, 12, 48, 9, 10),  # 432
        (4, 8, 10, 8, 8),  # 160 words of 8 bits are in look-up tables
        (4, 8, 10, 9, 13),  # 180 of 2,048
        (20, 20, 64, 1, 1),  # 64 words of 40 bits, which would be two blocks
        (8, 64, 64, 5, 6),  # 512 words of 16 bits in each row: 2,560 of 3 x 1,024
    ],
)
def test_rows_beyond_those_needed_fill_a_block_ram(
    lanes: int, channels: int, width: int, rows: int, capacity: int
) -> None:
    stream = StreamPlan(lanes, Range(0, 3), channels, height=64, width=width, steps=1)
    needed = BufferPlan(stream, 1, rows)
    assert needed.capacity == rows
    assert replace(needed, roomy=True).capacity == capacity


def test_marked_words_have_no_spare_rows() -> None:
    stream = StreamPlan(1, Range(0, 3), 1, height=8, width=8, steps=1)
    buffer = BufferPlan(stream, chunks=4, rows=3, roomy=True)
    assert (buffer.marked, buffer.capacity) == (True, 3)


@given(
    bits=st.integers(1, 20),
    chunks=st.integers(1, 4),
    width=st.integers(1, 64),
    steps=st.integers(1, 3),
    rows=st.integers(1, 12),
)
@settings(max_examples=500)
def test_rows_beyond_those_needed_take_no_block_ram(
    bits: int, chunks: int, width: int, steps: int, rows: int
) -> None:
    stream = StreamPlan(1, Range(0, (1 << bits) - 1), 2, height=64, width=width, steps=steps)
    needed = BufferPlan(stream, chunks, rows)
    roomy = replace(needed, roomy=True)
    before, after = (
        Memory(buffer.depth, buffer.word_bits, parts=chunks, apart=True)
        for buffer in (needed, roomy)
    )
    for name in ("ecp5", "nexus", "gowin", "xilinx"):
        family = Family.find(name)
        assert family.blocks(after) <= family.blocks(before)


def test_need_counts_rows_that_are_skipped() -> None:
    assert Line(rows=1, kernel_row=0, release=3).need == 3
    assert Line(rows=3, kernel_row=0, release=1).need == 3


def test_events_must_divide_a_word() -> None:
    with pytest.raises(ConfigError, match=r"^events = 3 must divide the 4 values of a word$"):
        WindowPlan(buffer_plan(), (1, 1), (1, 1), (0, 0), (4, 5), events=3)


def test_events_must_divide_the_channels_where_windows_move() -> None:
    expected = "^events = 2 must divide the 3 stored channels of its source "
    with pytest.raises(ConfigError, match=expected):
        WindowPlan(buffer_plan(), (1, 1), (1, 1), (0, 0), (4, 5), events=2)


def test_events_need_not_divide_where_windows_keep_their_banks() -> None:
    plan = WindowPlan(buffer_plan(), (1, 2), (1, 2), (0, 0), (4, 2), events=2)
    assert by_tables(plan, 0, 1) == by_definition(plan, 0, 1)
    whole = WindowPlan(buffer_plan(), (4, 5), (1, 1), (0, 0), (1, 1), events=2)
    assert by_tables(whole, 0, 0) == by_definition(whole, 0, 0)


def test_words_are_marked_where_that_pays() -> None:
    def marked(chunks: int, channels: int, steps: int, width: int = 8, capacity: int = 4) -> bool:
        stream = StreamPlan(1, Range(0, 3), channels, height=4, width=width, steps=steps)
        return BufferPlan(stream, chunks, capacity).marked

    assert marked(chunks=8, channels=1, steps=1)
    assert not marked(chunks=8, channels=8, steps=1), "a word is one position's channels"
    assert not marked(chunks=8, channels=1, steps=2), "timesteps share no marks"
    assert marked(chunks=8, channels=1, steps=1, width=128)
    assert not marked(chunks=8, channels=1, steps=1, width=129), "more than 64 words"
