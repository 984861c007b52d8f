"""The proofs hold for the units, and fail for units with a defect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.hw.components import mutated, plan_of

from formal.__main__ import main
from formal.datapath import BernoulliHarness, DigitHarness, PeHarness
from formal.neurons import UnitHarness
from formal.proofs import PROOFS, planned
from formal.prover import Proof, prove
from spikeloom.hw.engine import BernoulliCoder
from spikeloom.hw.engine.events import DigitSplitter
from spikeloom.hw.engine.pe import PeArray
from spikeloom.hw.neurons import (
    BurstUnit,
    DualUnit,
    FoldedIf,
    FoldedSigned,
    IfUnit,
    LadderUnit,
    NeuronUnit,
    SignedUnit,
)
from spikeloom.hw.planning import LayerPlan
from spikeloom.sw.network import BernoulliInput, Linear, Range

#: Each solver uses one core and much memory, so they run one after another.
pytestmark = pytest.mark.xdist_group("yosys")


def refuted(proof: Proof, folder: Path) -> str:
    """Require that a proof fails; return its counterexample."""
    outcome = prove(proof, folder)
    assert not outcome.proved
    assert "failed assertion" in outcome.counterexample, outcome.log
    return outcome.counterexample


def broken(unit: type[Any], old: str, new: str, method: str = "elaborate") -> type[Any]:
    """Return a unit with one defect: a piece of a method's source is replaced."""
    changed = mutated(getattr(unit, method), old, new)
    return type(f"Broken{unit.__name__}", (unit,), {method: changed})


def step_proof(plan: LayerPlan, unit: type[Any]) -> Proof:
    return Proof("broken", "", lambda: UnitHarness(plan, unit))


def folded_proof(plan: LayerPlan, unit: type[Any]) -> Proof:
    return Proof("broken", "", lambda: UnitHarness(plan, unit), plan.cycles, any_state=True)


def test_if_unit_is_its_specification(tmp_path: Path) -> None:
    (proof,) = [proof for proof in PROOFS if proof.name == "if"]
    outcome = prove(proof, tmp_path)
    assert outcome.proved, outcome.log
    assert outcome.counterexample == ""


STEPS: dict[str, Callable[[], Proof]] = {
    "fires above its threshold only": lambda: step_proof(
        planned("if", 3, 3), broken(IfUnit, "integrated >= self", "integrated > self")
    ),
    "takes back what it never sent": lambda: step_proof(
        planned("dual", 3, 3), broken(DualUnit, "(integrated < 0) & (net != 0)", "integrated < 0")
    ),
}


@pytest.mark.parametrize("defect", STEPS)
def test_a_defect_is_found(defect: str, tmp_path: Path) -> None:
    assert "formal/neurons.py" in refuted(STEPS[defect](), tmp_path)


def test_a_rounded_up_half_is_found(tmp_path: Path) -> None:
    unit = broken(FoldedSigned, "below + (quantum >> 1)", "below + ((quantum + 1) >> 1)")
    refuted(folded_proof(planned("signed", 2, 1, folded=True), unit), tmp_path)


def _bank(events: int) -> LayerPlan:
    weight = np.array([[3, -4, 1, 2]])
    return plan_of((4,), Linear(weight), bits=3, events=events)["layer"]


MORE: dict[str, Callable[[], Proof]] = {
    "half a quantum does not fire": lambda: step_proof(
        planned("signed", 3, 3), broken(SignedUnit, ") >= quantum", ") > quantum")
    ),
    "the wrong quantum is taken back": lambda: step_proof(
        planned("signed", 3, 3), broken(SignedUnit, "net <= 0, net < 0", "net <= 0, net <= 0")
    ),
    "more than the largest burst": lambda: step_proof(
        planned("burst", 2, 1, largest=5), broken(BurstUnit, "reached & ~tight", "reached")
    ),
    "a leak that rounds to zero": lambda: step_proof(
        planned("burst", 2, 1, largest=3, leak=(1,)),
        broken(BurstUnit, "rest - (value >> shift)", "rest - ((value + 1) >> shift)", "_leaked"),
    ),
    "a level is passed, not reached": lambda: step_proof(
        planned("ladder", 2, 3),
        broken(LadderUnit, "self.current >= levels", "self.current > levels"),
    ),
    "a pause is taken for a step": lambda: step_proof(
        planned("if", 3, 3), broken(IfUnit, "with m.If(self.enable)", "with m.If(1)", "_keep")
    ),
    "more than T spikes in T timesteps": lambda: folded_proof(
        planned("if", 5, 1, folded=True),
        broken(FoldedIf, "return bit | ~alike", "return Const(1)", "_allowed"),
    ),
    "the divisor is passed, not reached": lambda: folded_proof(
        planned("if", 3, 1, folded=True),
        broken(FoldedIf, "upper >= divisor", "upper > divisor", "_divided"),
    ),
}


@pytest.mark.formal
@pytest.mark.parametrize("defect", MORE)
def test_any_defect_is_found(defect: str, tmp_path: Path) -> None:
    refuted(MORE[defect](), tmp_path)


@pytest.mark.formal
def test_lost_signs_of_digits_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = mutated(DigitSplitter.elaborate, "(value & ~triple) >> 1", "(value & ~triple) >> 2")
    monkeypatch.setattr(DigitSplitter, "elaborate", changed)
    proof = Proof("broken", "", lambda: DigitHarness(Range(-8, 7)), depth=10, any_state=True)
    assert "formal/datapath.py" in refuted(proof, tmp_path)


@pytest.mark.formal
def test_numbers_that_go_on_to_the_next_image_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = mutated(BernoulliCoder.elaborate, "number.eq(start)", "number.eq(following)")
    monkeypatch.setattr(BernoulliCoder, "elaborate", changed)
    source = BernoulliInput((2,), 8, 3, seed=1)
    proof = Proof("broken", "", lambda: BernoulliHarness(source), depth=14)
    assert "formal/datapath.py" in refuted(proof, tmp_path)


@pytest.mark.formal
def test_sums_that_leave_a_trace_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = mutated(PeArray.elaborate, "accumulator.eq(0)", "accumulator.eq(self.o.payload[k])")
    monkeypatch.setattr(PeArray, "elaborate", changed)
    assert "formal/datapath.py" in refuted(
        Proof("broken", "", lambda: PeHarness(_bank(1)), 6), tmp_path
    )


@pytest.mark.formal
@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_proof(proof: Proof, tmp_path: Path) -> None:
    outcome = prove(proof, tmp_path)
    assert outcome.proved, outcome.counterexample or outcome.log


def test_names_are_different() -> None:
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)


def test_every_unit_has_a_proof() -> None:
    names = [proof.name for proof in PROOFS]
    for kind in NeuronUnit.kinds:
        assert any(name.startswith(kind) and "folded" not in name for name in names), kind
    for kind in NeuronUnit.folded_kinds:
        assert any(name.startswith(kind) and "folded" in name for name in names), kind


def test_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 2
    shown = capsys.readouterr().out
    assert shown.startswith("no proof is called nonsense; there is:\n  if\n")
