"""What all units share: how they are found, and parameters no wider than makes a difference."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from components import plan_of
from neuron_bench import HUGE, layer

from spikeloom.hw.neurons import NeuronUnit
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import Burst, Dual, If, Ladder, Linear, Logits, Neuron, Signed

KINDS = "burst, dual, if, ladder, logits, signed"


def neurons(kind: str, timesteps: int = 2) -> Neuron:
    huge, zero = np.array([HUGE]), np.array([0])
    made: dict[str, Neuron] = {
        "if": If(huge, zero, zero, fraction_bits=0),
        "dual": Dual(huge, zero, zero, fraction_bits=0),
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
        ("burst", {"threshold": 5}),
        ("signed", {"positive": 6, "negative": 6}),
        ("ladder", {"level": 5}),
    ],
)
def test_parameters_are_no_wider_than_what_makes_a_difference(
    kind: str, widths: dict[str, int]
) -> None:
    plan = layer([[1]], neurons(kind), 2)
    assert plan.ranges.potential.high == (15 if kind == "ladder" else 30)
    layout = NeuronUnit.of(plan).layout(plan)
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
    ],
)
def test_cycles_of_folded_time(kind: str, timesteps: int, cycles: int | None) -> None:
    planned = layer([[1]], neurons(kind, timesteps), timesteps)
    assert NeuronUnit.of_kind(kind).folded_cycles(planned.layer) == cycles
    if cycles is not None:
        folded = dataclasses.replace(planned, folded=True)
        assert NeuronUnit.of(folded) is NeuronUnit.folded_units[kind]
        assert folded.cycles == cycles


def test_what_cannot_be_folded() -> None:
    leaky = dataclasses.replace(neurons("burst"), leak=3)  # type: ignore[type-var]
    assert NeuronUnit.of_kind("burst").folded_cycles(layer([[1]], leaky, 4).layer) is None
    changing = plan_of(
        (1,), Linear(np.array([[1]])), neurons("if"), timesteps=4, incoming="spikes"
    )["layer"].layer
    assert NeuronUnit.of_kind("if").folded_cycles(changing) is None
