"""Common to all units: their registry, and parameters no wider than makes a difference."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from amaranth.back import rtlil, verilog
from support.hw.components import plan_of
from support.hw.neuron_bench import HUGE, layer

from spikeloom.hw.neurons import NeuronUnit
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import Burst, Cuba, Dual, If, Ladder, Linear, Logits, Neuron, Signed

KINDS = "burst, cuba, dual, if, ladder, logits, signed"


def neurons(kind: str, timesteps: int = 2) -> Neuron:
    huge, zero = np.array([HUGE]), np.array([0])
    made: dict[str, Neuron] = {
        "if": If(huge, zero, zero, fraction_bits=0),
        "dual": Dual(huge, zero, zero, fraction_bits=0),
        "cuba": Cuba(huge, zero, zero, 0, reset_amount=huge, current_leak=1),
        "signed": Signed(huge, huge, zero, fraction_bits=0),
        "burst": Burst(huge, zero, zero, fraction_bits=0, largest=3),
        "ladder": Ladder(np.array([[-HUGE] + [HUGE] * (timesteps - 1)])),
        "logits": Logits(zero, fraction_bits=0),
    }
    return made[kind]


# One weight of 1 and pixels up to 15: potentials up to 30, and for signed neurons twice that.
@pytest.mark.parametrize(
    ("kind", "widths"),
    [
        ("if", {"threshold": 5}),
        ("dual", {"threshold": 5}),
        # i is 15, then 8 + 15, and v their sum.
        ("cuba", {"threshold": 6, "reset": 1}),
        ("burst", {"threshold": 5}),
        ("signed", {"positive": 6, "negative": 6}),
        ("ladder", {"level": 5}),
    ],
)
def test_parameters_are_no_wider_than_what_makes_a_difference(
    kind: str, widths: dict[str, int]
) -> None:
    plan = layer([[1]], neurons(kind), 2)
    assert plan.ranges.potential.high == {"ladder": 15, "cuba": 38}.get(kind, 30)
    layout = NeuronUnit.of(plan.neurons).layout(plan.neurons)
    assert {name: layout[name].width for name in widths} == widths


def test_kinds_without_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Neuron, "kinds", dict(Neuron.kinds))

    class Izhikevich(If, kind="izhikevich"):
        def __init__(self) -> None:
            super().__init__(np.array([5]), np.array([0]), np.array([0]), fraction_bits=0)

    expected = f"no hardware for neurons of kind 'izhikevich'; there is: {KINDS}$"
    with pytest.raises(UnsupportedError, match=f"^{expected}"):
        NeuronUnit.of_kind("izhikevich")
    with pytest.raises(UnsupportedError, match=f"^layer 'layer': {expected}"):
        layer([[1]], Izhikevich(), 1)


# A cycle for each bit of the largest count.
@pytest.mark.parametrize(
    ("kind", "timesteps", "cycles"),
    [
        *((kind, t, c) for kind in ("if", "dual", "signed") for t, c in ((1, 1), (3, 2), (4, 3))),
        ("if", 4096, 13),
        ("burst", 5, 4),
        ("burst", 6, 5),
        ("ladder", 4, None),
        ("logits", 4, None),
        ("cuba", 4, None),
    ],
)
def test_cycles_of_folded_time(kind: str, timesteps: int, cycles: int | None) -> None:
    planned = layer([[1]], neurons(kind, timesteps), timesteps)
    assert NeuronUnit.of_kind(kind).folded_cycles(planned.layer) == cycles
    if cycles is not None:
        folded = dataclasses.replace(planned, folded=True)
        assert NeuronUnit.of(folded.neurons) is NeuronUnit.folded_kinds[kind]
        assert folded.cycles == cycles


def test_what_cannot_be_folded() -> None:
    one = np.array([1])
    for kind, option in (
        *(("burst", {"leak": 3}), ("dual", {"leak": (3,)}), ("if", {"leak": (3,)})),
        *(("if", {"reset_amount": one}), ("if", {"reset_value": one})),
    ):
        other = dataclasses.replace(neurons(kind), **option)  # type: ignore[type-var]
        assert NeuronUnit.of_kind(kind).folded_cycles(layer([[1]], other, 4).layer) is None
    changing = plan_of(
        (1,), Linear(np.array([[1]])), neurons("if"), timesteps=4, incoming="spikes"
    )["layer"].layer
    assert NeuronUnit.of_kind("if").folded_cycles(changing) is None


#: Cells for which a place and route tool would take a multiplier, or a divider's worth of logic.
COSTLY = {"mul", "div", "mod", "divfloor", "modfloor", "pow"}


# T of one bit, of all bits, and of neither.
@pytest.mark.parametrize("timesteps", [1, 4, 7, 11])
@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("kind", KINDS.split(", "))
def test_converts_alone_and_without_multipliers(kind: str, folded: bool, timesteps: int) -> None:
    if folded and kind not in NeuronUnit.folded_kinds:
        assert kind in ("cuba", "ladder", "logits")
        return
    plan = layer([[127], [-128]], two_channels(kind, timesteps), timesteps, folded)
    unit = NeuronUnit.of(plan.neurons)
    # A combinational loop would be refused here.
    assert "module alone(" in verilog.convert(unit(plan.neurons), name="alone")
    cells = set(re.findall(r"cell \$(\w+) ", rtlil.convert(unit(plan.neurons))))
    assert cells
    assert not cells & COSTLY


def two_channels(kind: str, timesteps: int) -> Neuron:
    """Return neurons of two channels with a leak and amplitudes, where the kind has such."""
    thresholds, small, bias = np.array([1, HUGE]), np.array([0, 3]), np.array([-9, 9])
    made: dict[str, Neuron] = {
        "if": If(thresholds, small, bias, 3),
        "dual": Dual(thresholds, small, bias, 3),
        "cuba": Cuba(thresholds, small, bias, 3, (3, -4, 5), reset_value=bias, current_leak=(2,)),
        "signed": Signed(thresholds, thresholds[::-1], bias, 3, 8, 2),
        "burst": Burst(thresholds, small, bias, 3, largest=6),
        "ladder": Ladder(np.array([range(timesteps)] * 2)),
        "logits": Logits(bias, 3),
    }
    return made[kind]
