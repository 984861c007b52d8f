"""Events: all non-zero digits in their order, none lost and none twice, whatever stalls."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from amaranth.lib import data
from hypothesis import given, settings
from support.hw.components import STALLS, Bench, through

from spikeloom.hw.engine.events import (
    Compactor,
    DigitSplitter,
    EventGenerator,
    ValuePicker,
    event_layout,
    word_layout,
)
from spikeloom.hw.values import DigitPlan, shape_of
from spikeloom.sw.network import Range

ADDRESS_BITS = 4
#: A word of a bank: its weight address, and its values.
Word = tuple[int, list[int]]

stalls = st.tuples(st.sampled_from(STALLS), st.sampled_from(STALLS))


def windows(high: int, slots: int, low: int = 0) -> st.SearchStrategy[list[list[Word]]]:
    """Random windows of words, in which many values and some whole windows are zero."""
    value = st.one_of(st.just(0), st.integers(low, high), st.just(high), st.just(low))
    values = st.one_of(st.just([0] * slots), st.lists(value, min_size=slots, max_size=slots))
    word = st.tuples(st.integers(0, (1 << ADDRESS_BITS) - 1), values)
    return st.lists(st.lists(word, min_size=1, max_size=4), min_size=1, max_size=6)


def payloads(given_windows: list[list[Word]]) -> list[dict[str, Any]]:
    return [
        {"base": base, "values": values, "last": int(k == len(window) - 1)}
        for window in given_windows
        for k, (base, values) in enumerate(window)
    ]


def expected_events(given_windows: list[list[Word]], digits: DigitPlan) -> list[dict[str, int]]:
    """Return the events of each window, with the address of null events taken as 0."""
    events = []
    for window in given_windows:
        mine = [
            {
                "address": (base + slot) % (1 << ADDRESS_BITS),
                "shift": shift,
                "negative": int(sign < 0),
                "null": 0,
                "last": 0,
            }
            for base, values in window
            for slot, value in enumerate(values)
            for sign, shift in digits.digits(value)
        ]
        mine = mine or [{"address": 0, "shift": 0, "negative": 0, "null": 1, "last": 0}]
        mine[-1]["last"] = 1
        events += mine
    return events


def without_null_addresses(events: list[dict[str, int]]) -> list[dict[str, int]]:
    return [{**event, "address": 0} if event["null"] else event for event in events]


@pytest.mark.parametrize(
    ("low", "high", "slots"),
    [(0, 1, 1), (0, 1, 8), (0, 6, 3), (0, 15, 4), (0, 255, 2), (-1, 1, 2), (-4, 4, 3), (-90, 9, 2)],
)
def test_bank(low: int, high: int, slots: int) -> None:
    value, digits = shape_of(Range(low, high)), DigitPlan.of(Range(low, high))

    @given(
        drawn=windows(high, slots, low),
        depth=st.sampled_from([4, 8]),
        stall=stalls,
        seed=st.integers(0, 99),
    )
    @settings(max_examples=15)
    def check(drawn: list[list[Word]], depth: int, stall: tuple[float, float], seed: int) -> None:
        dut = EventGenerator(value, slots, digits, ADDRESS_BITS, depth)
        expected = expected_events(drawn, digits)
        bench = Bench(dut, seed)
        bench.put(dut.i, payloads(drawn), stall[0])
        seen = bench.get(dut.o, len(expected), stall[1])
        states = bench.watch(dut.busy, dut.o.valid)
        bench.run()
        assert without_null_addresses(seen) == expected
        assert all(busy for busy, valid in states if valid)
        assert not states[-1][0], "nothing stays behind"

    check()


class TestCompactor:
    layout = word_layout(shape_of(Range(0, 7)), 2, ADDRESS_BITS)

    @given(drawn=windows(7, 2), stall=stalls, seed=st.integers(0, 99))
    @settings(max_examples=40)
    def test_drops_zero_words(
        self, drawn: list[list[Word]], stall: tuple[float, float], seed: int
    ) -> None:
        kept = [[word for word in window if any(word[1])] or window[-1:] for window in drawn]
        expected = payloads(kept)
        seen = through(Compactor(self.layout), payloads(drawn), len(expected), *stall, seed)
        assert seen == expected

    def test_zero_words_take_no_time_of_the_output(self) -> None:
        # Each window's last word with a non-zero leaves as soon as the window's end is known.
        drawn = [[(0, [1, 0]), (1, [0, 0]), (2, [0, 0])], [(3, [0, 0])], [(4, [0, 2])]]
        dut = Compactor(self.layout)
        bench = Bench(dut)
        bench.put(dut.i, payloads(drawn))
        bench.get(dut.o, 3)
        cycles = bench.watch(dut.i.valid, dut.i.ready, dut.o.valid)
        bench.run()
        assert [ready for valid, ready, _ in cycles if valid] == [1] * 5
        assert [valid for _, _, valid in cycles[:7]] == [0, 0, 0, 1, 1, 1, 0]


class TestValuePicker:
    @given(drawn=windows(7, 3), stall=stalls, seed=st.integers(0, 99))
    @settings(max_examples=30)
    def test_hands_on_non_zeros(
        self, drawn: list[list[Word]], stall: tuple[float, float], seed: int
    ) -> None:
        value = shape_of(Range(0, 7))
        layout = word_layout(value, 3, ADDRESS_BITS)
        expected = []
        for word in payloads(drawn):
            slots: list[int | None] = [k for k, v in enumerate(word["values"]) if v] or [None]
            for slot in slots:
                address = (word["base"] + (slot or 0)) % (1 << ADDRESS_BITS)
                picked = 0 if slot is None else word["values"][slot]
                last = int(word["last"] and slot == slots[-1])
                expected.append({"value": picked, "address": address, "last": last})
        dut = ValuePicker(layout, value, 3, ADDRESS_BITS)
        assert through(dut, payloads(drawn), len(expected), *stall, seed) == expected


class TestDigitSplitter:
    @pytest.mark.parametrize(
        ("low", "high"),
        [*((0, high) for high in (1, 2, 6, 7, 15, 31, 85)), (-1, 1), (-1, 0), (-5, 3), (-64, 85)],
    )
    @pytest.mark.parametrize("stall", STALLS)
    def test_every_value(self, low: int, high: int, stall: float) -> None:
        digits = DigitPlan.of(Range(low, high))
        value = shape_of(Range(low, high))
        layout = data.StructLayout({"value": value, "address": ADDRESS_BITS, "last": 1})
        dut = DigitSplitter(layout, digits, ADDRESS_BITS)
        values = [
            {"value": v, "address": v % 16, "last": v // 3 % 2}
            for v in [*range(low, high + 1), 0, high]
        ]
        expected = []
        for v in values:
            split = digits.digits(v["value"])
            for k, (sign, shift) in enumerate(split):
                last = int(v["last"] and k == len(split) - 1)
                expected.append(
                    {
                        "address": v["address"],
                        "shift": shift,
                        "negative": int(sign < 0),
                        "null": 0,
                        "last": last,
                    }
                )
            if not split:
                expected.append(
                    {"address": 0, "shift": 0, "negative": 0, "null": 1, "last": v["last"]}
                )
        seen = through(dut, values, len(expected), stall, stall, seed=high)
        assert without_null_addresses(seen) == expected

    def test_an_event_in_every_cycle(self) -> None:
        digits, value = DigitPlan.of(Range(0, 7)), shape_of(Range(0, 7))
        dut = EventGenerator(value, 2, digits, ADDRESS_BITS, depth=4)
        drawn = [[(0, [5, 7]), (2, [0, 3])], [(0, [1, 0])]] * 4
        expected = expected_events(drawn, digits)
        bench = Bench(dut)
        bench.put(dut.i, payloads(drawn))
        seen = bench.get(dut.o, len(expected))
        cycles = bench.watch(dut.o.valid)
        bench.run()
        valid = [v for (v,) in cycles]
        first = valid.index(1)
        assert without_null_addresses(seen) == expected
        assert valid[first : first + len(expected)] == [1] * len(expected)


@pytest.mark.parametrize("depth", [4, 8])
def test_bank_queues_while_its_events_are_not_taken(depth: int) -> None:
    digits, value = DigitPlan.of(Range(0, 1)), shape_of(Range(0, 1))
    dut = EventGenerator(value, 1, digits, ADDRESS_BITS, depth)
    bench = Bench(dut)
    bench.put(dut.i, payloads([[(0, [1])]] * 40))
    cycles = bench.watch(dut.i.valid, dut.i.ready)

    async def wait(ctx: Any) -> None:
        for _ in range(60):
            await ctx.tick()

    bench.simulator.add_testbench(wait)
    bench.run()
    taken = sum(valid & ready for valid, ready in cycles)
    # One in the splitter, one in the compactor.
    assert taken == depth + 2


def test_event_shift_is_as_wide_as_the_positions() -> None:
    assert event_layout(DigitPlan.of(Range(0, 1)), 3)["shift"].width == 0
    assert event_layout(DigitPlan.of(Range(0, 255)), 3)["shift"].width == 4


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("depth", [0, 4])
def test_bank_is_busy_while_something_is_inside(slots: int, depth: int) -> None:
    digits, value = DigitPlan.of(Range(0, 3)), shape_of(Range(0, 3))
    dut = EventGenerator(value, slots, digits, ADDRESS_BITS, depth)
    drawn = [[(0, [3] + [0] * (slots - 1))]]
    bench = Bench(dut)
    bench.put(dut.i, payloads(drawn), first=3)
    bench.get(dut.o, len(expected_events(drawn, digits)))
    cycles = bench.watch(dut.busy, dut.i.valid, dut.o.valid)
    bench.run()
    first = [valid for _, valid, _ in cycles].index(1)
    last = max(k for k, (_, _, valid) in enumerate(cycles) if valid)
    busy = [state for state, _, _ in cycles]
    assert first < last
    assert not any(busy[:first])
    assert all(busy[first + 1 : last + 1])
    assert not any(busy[last + 1 :])
