"""All proofs by name; ``make prove`` runs them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from support.hw.components import plan_of
from support.hw.neuron_bench import layer

from formal.datapath import BernoulliHarness, DigitHarness, PeHarness, PlaneHarness, ZeroHarness
from formal.neurons import LoopHarness, UnitHarness
from formal.prover import Proof
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.planning.planes import PlaneSumsPlan
from spikeloom.hw.values import DigitPlan
from spikeloom.sw.network import (
    BernoulliInput,
    Burst,
    Cuba,
    Dual,
    If,
    Ladder,
    Linear,
    Logits,
    Neuron,
    Range,
    Signed,
)

#: Weight and fraction bits of layers whose potentials have nearly all of the contract's 48 bits.
_WIDE = ((1 << 31) - 1, 8)
_HIGHEST = (1 << 47) - 1


def neuron(
    kind: str,
    timesteps: int,
    current: int,
    bits: int,
    largest: int = 1,
    leak: tuple[int, ...] = (),
    reset: str = "",
) -> Neuron:
    """Return a neuron with two channels, whose parameters lie at both ends of the useful bounds.

    Thresholds are 1, and just beyond the reach of T steps of ``current``, so that nothing fires;
    biases are an eighth of the current, with either sign. A reset ``"amount"`` is 1 or more than
    the threshold, and a reset ``"value"`` of either sign.
    """
    far = min(timesteps * current + 3, _HIGHEST)
    threshold, initial = np.array([1, far]), np.array([0, current // 2])
    bias = np.array([-(current // 8), current // 8])
    farther = np.array([1, min(2 * far, _HIGHEST)])
    resets: dict[str, Any] = {
        "amount": {"reset_amount": np.array([current + 1, far])},
        "value": {"reset_value": np.array([-current, current // 2])},
    }
    own = resets.get(reset, {})
    neurons: dict[str, Neuron] = {
        "if": If(threshold, initial, bias, bits, leak, **own),
        "cuba": Cuba(threshold, -initial, bias, bits, leak, current_leak=leak, **own),
        "dual": Dual(threshold, initial, bias, bits, leak),
        "signed": Signed(farther, farther, bias, bits, 4, 2),
        "burst": Burst(threshold, initial, bias, bits, largest, leak),
        "ladder": Ladder(np.array([[-far] * timesteps, [far] * timesteps])),
        "logits": Logits(bias, bits, leak),
    }
    return neurons[kind]


def planned(
    kind: str,
    timesteps: int,
    weight: int,
    bits: int = 1,
    folded: bool = False,
    largest: int = 1,
    leak: tuple[int, ...] = (),
    reset: str = "",
) -> LayerPlan:
    """Return the plan of a layer with a :func:`neuron`, which reads 4-bit pixels."""
    tested = neuron(kind, timesteps, (15 * weight) << bits, bits, largest, leak, reset)
    return layer([[weight], [-weight]], tested, timesteps, folded)


def _width(plan: LayerPlan, *more: str) -> str:
    return ", ".join(
        [f"T = {plan.layer.timesteps}", f"v {plan.ranges.potential.width} bits", *more]
    )


def _units() -> Iterator[Proof]:
    """Each unit equals its specification in each timestep, and stays within its ranges."""
    for kind, timesteps in (("if", 4), ("dual", 3), ("signed", 4), ("ladder", 4), ("logits", 4)):
        plan = planned(kind, timesteps, 3)
        yield Proof(kind, _width(plan), partial(UnitHarness, plan))
    for largest, shift in ((3, 0), (5, 0), (3, 1), (5, 2)):
        plan = planned("burst", 3, 1, largest=largest, leak=(shift,) if shift else ())
        name = f"burst {largest}" + (f", leak {shift}" if shift else "")
        yield Proof(name, _width(plan), partial(UnitHarness, plan))
    own: list[tuple[str, tuple[int, ...], str]] = [
        *(("if", (), "amount"), ("if", (), "value")),
        *(("if", (1,), ""), ("if", (2, -3), "amount"), ("if", (1, -3, 4), "value")),
        *(("dual", (1,), ""), ("dual", (1, -3), ""), ("logits", (1, -3, 4), "")),
        *(("cuba", (), ""), ("cuba", (1,), ""), ("cuba", (2, -3), "amount")),
        *(("cuba", (1,), "value"), ("burst", (2, -3), "")),
    ]
    for kind, leak, reset in own:
        plan = planned(kind, 3, 1, largest=3, leak=leak, reset=reset)
        name = ", ".join([kind, *(["leak " + " ".join(map(str, leak))] if leak else [])])
        name += f", reset by {reset}" if reset == "amount" else f", reset to {reset}" * bool(reset)
        # The induction over two leaking states takes too long; their ranges are tested instead.
        assumed = kind == "cuba" and bool(leak)
        width = _width(plan, *(["ranges assumed"] if assumed else []))
        yield Proof(name, width, partial(UnitHarness, plan, assume_ranges=assumed))
    steps = dataclasses.replace(planned("ladder", 4, 3), steps_per_cycle=2)
    yield Proof("ladder, 2 steps at once", _width(steps), partial(UnitHarness, steps))


def _wide_units() -> Iterator[Proof]:
    """The same at full width; the ranges are assumed."""
    for kind, timesteps in (("if", 8), ("dual", 7), ("signed", 7), ("logits", 8)):
        plan = planned(kind, timesteps, *_WIDE)
        yield Proof(
            f"{kind}, wide",
            _width(plan, "ranges assumed"),
            partial(UnitHarness, plan, assume_ranges=True),
        )
    plan = planned("burst", 3, 15, largest=5)
    yield Proof(
        "burst 5, wide",
        _width(plan, "ranges assumed"),
        partial(UnitHarness, plan, assume_ranges=True),
    )


def _folded() -> Iterator[Proof]:
    """Folded units give the closed form, and so does the contract's loop."""
    for kind, timesteps, weight, largest in (
        ("if", 4, 2, 1),
        ("if", 5, 1, 1),
        ("if", 7, 1, 1),
        ("dual", 5, 1, 1),
        ("signed", 3, 1, 1),
        ("burst", 2, 1, 2),
        ("burst", 3, 1, 2),
    ):
        plan = planned(kind, timesteps, weight, folded=True, largest=largest)
        more = f" {largest}" if largest > 1 else ""
        yield Proof(
            f"{kind}{more}, folded, T = {timesteps}",
            _width(plan),
            partial(UnitHarness, plan),
            depth=plan.cycles,
            any_state=True,
        )
    for kind, timesteps, largest in (
        ("if", 5, 1),
        ("dual", 5, 1),
        ("signed", 5, 1),
        ("burst", 3, 3),
    ):
        plan = planned(kind, timesteps, 3, largest=largest)
        yield Proof(f"{kind}: loop is closed form", _width(plan), partial(LoopHarness, plan))


def _datapath() -> Iterator[Proof]:
    """Pixels lose their zero point or spike, digits and events add up to values and sums."""
    for pixels, zeros in ((Range(0, 255), (124, 116, 104)), (Range(-128, 127), (-65535, 65535))):
        name = f"zero points {', '.join(map(str, zeros))}"
        yield Proof(name, f"{pixels.width} bits", partial(ZeroHarness, pixels, zeros), depth=8)
    for bits, timesteps in ((8, 3), (11, 1)):
        random = BernoulliInput((2,), bits, timesteps, seed=1)
        harness = partial(BernoulliHarness, random)
        yield Proof(f"random spikes, T = {timesteps}", f"{bits} bits", harness, depth=14)
    for values in (Range(0, 6), Range(0, 255), Range(-128, 127), Range(-1, 1)):
        events = (DigitPlan.of(values).positions + 1) // 2
        yield Proof(
            f"digits of {values.low} to {values.high}",
            f"{DigitPlan.of(values).positions} positions",
            partial(DigitHarness, values),
            # For leftovers, for the value itself, and a cycle to see that nothing follows.
            depth=2 * DigitPlan.of(values).positions - events + 3,
            any_state=True,
        )
    for events, bits, depth in ((1, 3, 7), (2, 2, 7), (3, 3, 6)):
        plan = plan_of((4,), Linear(np.array([[3, -4, 1, 2]])), bits=bits, events=events)["layer"]
        yield Proof(
            f"sums of {events} bank{'s' if events > 1 else ''}",
            f"A {plan.ranges.accumulator.width} bits",
            partial(PeHarness, plan),
            depth=depth,
        )
    kernel = np.array([[3, -4, 1, 2, -3]])
    for planes, values in ((1, Range(0, 3)), (2, Range(-2, 1))):
        dot = PlaneSumsPlan(kernel, values, Range(-21, 20), planes)
        yield Proof(
            f"sums of {planes} plane{'s' if planes > 1 else ''}",
            f"A {dot.sums.width} bits",
            partial(PlaneHarness, dot),
            depth=8,
        )


PROOFS: tuple[Proof, ...] = (*_units(), *_wide_units(), *_folded(), *_datapath())
