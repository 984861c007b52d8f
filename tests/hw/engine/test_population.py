from __future__ import annotations

import dataclasses
import itertools
import random
from typing import Any

import numpy as np
import pytest
from support.hw.components import STALLS, Bench, plan_of
from support.hw.pysim import unpack
from support.networks.naive import step as contract

from spikeloom.hw.engine.population import Population
from spikeloom.hw.planning import LayerPlan
from spikeloom.sw.network import Burst, Dual, If, Ladder, Linear, Logits, Neuron, Signed

POSITIONS = 3
#: First cycle with sums: elements have none before.
EARLIEST = 1


def neurons(kind: str, channels: int, timesteps: int) -> Neuron:
    rng = np.random.default_rng(channels)
    bias = rng.integers(-9, 10, channels)
    if kind == "if":
        threshold = rng.integers(1, 60, channels)
        return If(threshold, threshold // 3, bias, fraction_bits=1)
    if kind == "dual":
        threshold = rng.integers(1, 60, channels)
        return Dual(threshold, threshold // 3, bias, fraction_bits=1)
    if kind == "signed":
        quanta = rng.integers(1, 99, (2, channels))
        return Signed(quanta[0], quanta[1], bias, 1, amplitude=4, negative_amplitude=2)
    if kind == "burst":
        threshold = rng.integers(1, 60, channels)
        return Burst(threshold, threshold // 3, bias, fraction_bits=1, largest=5)
    if kind == "ladder":
        return Ladder(np.sort(rng.integers(-40, 60, (channels, timesteps)), axis=1))
    return Logits(bias, fraction_bits=1)


class Case:
    """Random sums for a population, and the values that it must send for them."""

    def __init__(
        self,
        kind: str,
        way: str,
        channels: int,
        lanes: int,
        timesteps: int,
        seed: int = 0,
        together: bool = False,
        folded: bool = False,
        units: int | None = None,
    ) -> None:
        incoming, _, outgoing = way.partition(" to ")
        planned: LayerPlan = plan_of(
            (2,),
            Linear(np.random.default_rng(9).integers(-9, 10, (channels, 2))),
            neurons(kind, channels, timesteps),
            timesteps=timesteps,
            incoming=incoming,
            outgoing=outgoing or "count",
            lanes=lanes,
        )["layer"]
        self.plan = dataclasses.replace(
            planned,
            steps_per_cycle=timesteps if together else 1,
            folded=folded,
            units=units or lanes,
        )
        plan, rng = self.plan, random.Random(seed)
        assert plan.sends == (outgoing or "logits")
        low, high = plan.ranges.accumulator.low, plan.ranges.accumulator.high
        self.sums: list[list[int]] = []
        self.sent: list[list[int]] = []
        self.steps: list[tuple[list[int], list[int]]] = []
        for _ in range(POSITIONS):
            for group in range(plan.target.lane_groups):
                # In spike transport an accumulator for each step; else one for all.
                arriving = [
                    [rng.randint(low, high) for _ in range(lanes)]
                    for _ in range(timesteps if incoming == "spikes" else 1)
                ]
                self.sums += arriving
                self.expect(group, arriving * (1 if incoming == "spikes" else timesteps))

    def expect(self, group: int, currents: list[list[int]]) -> None:
        plan = self.plan
        mine = range(group * plan.lanes, (group + 1) * plan.lanes)
        used = [c for c in mine if c < plan.target.channels]
        state: dict[int, Any] = dict.fromkeys(used)
        counts = dict.fromkeys(used, 0)
        steps = []
        for t, lanes in enumerate(currents):
            spikes = {}
            for lane, c in enumerate(used):
                spikes[c], state[c] = contract(plan.layer.neuron, c, t, state[c], lanes[lane])
                counts[c] += spikes[c]
            potentials = {c: after[0] for c, after in state.items()}
            if not plan.folded:
                steps.append((list(potentials.values()), list(spikes.values())))
            elif t == len(currents) - 1:
                steps.append((list(potentials.values()), list(counts.values())))
            sent = {"spikes": spikes, "count": counts, "logits": potentials}[plan.sends]
            if plan.sends == "spikes" or t == len(currents) - 1:
                self.sent.append([sent.get(c, 0) for c in mine])
        # Units serve some lanes through all timesteps before they serve the next.
        for first in range(0, plan.lanes, plan.units):
            some = slice(first, first + plan.units)
            self.steps += [(potentials[some], spikes[some]) for potentials, spikes in steps]


WAYS = [
    ("if", "count to count"),
    ("if", "count to spikes"),
    ("if", "spikes to spikes"),
    ("if", "spikes to count"),
    ("dual", "count to spikes"),
    ("dual", "spikes to count"),
    ("signed", "count to count"),
    ("signed", "spikes to spikes"),
    ("burst", "count to spikes"),
    ("burst", "spikes to count"),
    ("ladder", "count to count"),
    ("logits", "count"),
    ("logits", "spikes"),
]
FOLDED = ["if", "dual", "signed", "burst"]


@pytest.mark.parametrize(("kind", "way"), WAYS)
@pytest.mark.parametrize(("channels", "lanes", "timesteps"), [(1, 1, 1), (2, 2, 3), (7, 3, 3)])
@pytest.mark.parametrize("stall", STALLS)
def test_steps_and_transfers(
    kind: str, way: str, channels: int, lanes: int, timesteps: int, stall: float
) -> None:
    compare(Case(kind, way, channels, lanes, timesteps), stall)


@pytest.mark.parametrize(("channels", "lanes", "timesteps"), [(2, 2, 3), (7, 3, 4)])
@pytest.mark.parametrize("stall", STALLS)
def test_all_timesteps_in_one_cycle(
    channels: int, lanes: int, timesteps: int, stall: float
) -> None:
    compare(Case("ladder", "count to count", channels, lanes, timesteps, together=True), stall)


@pytest.mark.parametrize("kind", FOLDED)
@pytest.mark.parametrize(("channels", "lanes", "timesteps"), [(1, 1, 1), (2, 2, 3), (7, 3, 8)])
@pytest.mark.parametrize("stall", STALLS)
def test_folded(kind: str, channels: int, lanes: int, timesteps: int, stall: float) -> None:
    compare(Case(kind, "count to count", channels, lanes, timesteps, folded=True), stall)


@pytest.mark.parametrize(
    ("kind", "folded", "together"),
    [
        *((kind, False, False) for kind in ("if", "signed", "ladder", "logits")),
        *((kind, True, False) for kind in FOLDED),
        ("ladder", False, True),
    ],
)
@pytest.mark.parametrize(
    ("channels", "lanes", "units", "timesteps"),
    [(2, 2, 1, 3), (4, 4, 2, 1), (9, 6, 2, 3), (5, 4, 1, 4), (8, 8, 1, 2)],
)
@pytest.mark.parametrize("stall", STALLS)
def test_units_that_serve_several_lanes(
    kind: str,
    folded: bool,
    together: bool,
    channels: int,
    lanes: int,
    units: int,
    timesteps: int,
    stall: float,
) -> None:
    way = "count" if kind == "logits" else "count to count"
    compare(Case(kind, way, channels, lanes, timesteps, 0, together, folded, units), stall)


def compare(case: Case, stall: float) -> None:
    plan = case.plan
    dut = Population(plan)
    bench = Bench(dut, seed=len(case.sums))
    bench.put(dut.i, case.sums, stall, EARLIEST)
    seen = bench.get(dut.o, len(case.sent), stall)
    cycles = bench.watch(
        dut.tap.step,
        dut.tap.potential,
        dut.tap.spike,
        dut.tap.sent,
        dut.tap.value,
        dut.busy,
        dut.o.valid,
    )
    bench.run()
    assert seen == case.sent
    strobed = [c for c in cycles if c[0]]
    for index, name in ((1, "potential"), (2, "spike")):
        values = plan.neurons.shown_spike if name == "spike" else plan.ranges.potential
        shown = [c[index] for c in strobed]
        together = plan.units * plan.steps_per_cycle
        steps = unpack(shown, together, values.width, values.signed)
        words = steps.reshape(-1, plan.units).tolist()
        wanted = [step[index - 1] for step in case.steps]
        # Lanes past the last channel show anything.
        assert [w[: len(v)] for w, v in zip(words, wanted, strict=True)] == wanted
    values = plan.target.values
    sent = unpack([c[4] for c in cycles if c[3]], plan.lanes, values.width, values.signed)
    assert sent.tolist() == case.sent
    assert all(busy for *_, busy, valid in cycles if valid)
    assert not cycles[-1][5], "nothing stays behind"


@pytest.mark.parametrize(("kind", "way"), WAYS)
def test_a_timestep_in_every_cycle(kind: str, way: str) -> None:
    case = Case(kind, way, channels=4, lanes=2, timesteps=3)
    dut = Population(case.plan)
    bench = Bench(dut)
    bench.put(dut.i, case.sums, first=EARLIEST)
    bench.get(dut.o, len(case.sent))
    cycles = bench.watch(dut.tap.step, dut.blocked)
    bench.run()
    steps = [step for step, _ in cycles]
    first = steps.index(1)
    assert steps[first : first + len(case.steps)] == [1] * len(case.steps)
    assert not any(blocked for _, blocked in cycles)


def test_turns_follow_one_another() -> None:
    case = Case("if", "count to count", channels=8, lanes=4, timesteps=3, units=1)
    dut = Population(case.plan)
    assert case.plan.served == 4 * 3
    bench = Bench(dut)
    bench.put(dut.i, case.sums, first=EARLIEST)
    bench.get(dut.o, len(case.sent))
    cycles = bench.watch(dut.tap.step, dut.tap.sent)
    bench.run()
    first = [step for step, _ in cycles].index(1)
    assert sum(step for step, _ in cycles) == 12 * len(case.sent)
    assert all(step for step, _ in cycles[first : first + 12 * len(case.sent)])
    sent = [k for k, (_, sent) in enumerate(cycles) if sent]
    assert sent == [first + 12 * (k + 1) for k in range(len(case.sent))]


@pytest.mark.parametrize("kind", FOLDED)
def test_folded_time_takes_a_cycle_for_each_bit_of_the_count(kind: str) -> None:
    case = Case(kind, "count to count", channels=4, lanes=2, timesteps=8, folded=True)
    dut = Population(case.plan)
    bench = Bench(dut)
    bench.put(dut.i, case.sums, first=EARLIEST)
    bench.get(dut.o, len(case.sent))
    cycles = bench.watch(dut.tap.step)
    bench.run()
    strobes = [k for k, (step,) in enumerate(cycles) if step]
    bits = {"burst": 6}.get(kind, 4)
    assert [b - a for a, b in itertools.pairwise(strobes)] == [bits] * (len(case.steps) - 1)


@pytest.mark.parametrize(("kind", "way"), WAYS)
def test_blocked_is_a_step_that_has_nowhere_to_send(kind: str, way: str) -> None:
    case = Case(kind, way, channels=2, lanes=1, timesteps=3)
    dut = Population(case.plan)
    bench = Bench(dut)
    bench.put(dut.i, case.sums, first=EARLIEST)
    cycles = bench.watch(dut.tap.step, dut.blocked, dut.i.ready, dut.o.valid)

    async def patient(ctx: Any) -> None:
        for _ in range(30):
            await ctx.tick()

    bench.simulator.add_testbench(patient)
    bench.run()
    # The first transfer lies in the output register; the step with the second must wait.
    per_transfer = 1 if case.plan.sends == "spikes" else 3
    assert sum(step for step, *_ in cycles) == 3 * per_transfer - 1
    assert cycles[-1] == (0, 1, 0, 1)
    assert not any(step and blocked for step, blocked, *_ in cycles)
