from __future__ import annotations

import ast
from pathlib import Path

import pytest

from mutants import choice
from mutants.known import KNOWN

SOURCE = "def f(a, b):\n    return a + b\n\n\ndef g(a):\n    return a < 2 or a > 5\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two files, one of which is much larger."""
    (tmp_path / "sw").mkdir()
    (tmp_path / "sw/small.py").write_text(SOURCE)
    many = "".join(f"def f{k}(a):\n    return a + {k}\n" for k in range(40))
    (tmp_path / "sw/large.py").write_text(many)
    (tmp_path / "sw/__init__.py").write_text("")
    monkeypatch.setattr(choice, "SUBJECTS", ("sw",))
    monkeypatch.setattr(choice.files, "__defaults__", (("sw",),))
    monkeypatch.setattr(choice.written, "__defaults__", ((("sw/small.py", "a < 2", "a < 3"),),))
    return tmp_path


def test_a_seed_chooses_the_same_again_in_every_file(root: Path) -> None:
    names = [one.name for one in choice.chosen(root, 40, seed=1)]
    assert names == [one.name for one in choice.chosen(root, 40, seed=1)]
    assert names != [one.name for one in choice.chosen(root, 40, seed=2)]
    assert len(names) == len(set(names))
    large = sum(name.startswith("sw/large.py") for name in names)
    assert 30 <= large < len(names) <= 43
    assert names[0] == "sw/small.py:6:known-1"
    half = {name.split(":")[0] for name in names[1 : len(names) // 2]}
    assert half == {"sw/large.py", "sw/small.py"}


def test_a_mutant_is_its_file_with_one_change(root: Path) -> None:
    for one in choice.possible(root, "sw/small.py"):
        changed = ast.unparse(one.tree()).splitlines()
        before = ast.unparse(ast.parse(SOURCE)).splitlines()
        assert sum(a != b for a, b in zip(changed, before, strict=True)) == 1


def test_names_differ_and_digests_follow_the_file(root: Path) -> None:
    mutants = choice.possible(root, "sw/small.py")
    assert len({one.name for one in mutants}) == len(mutants)
    (root / "sw/small.py").write_text(f"{SOURCE}\n")
    for one, other in zip(mutants, choice.possible(root, "sw/small.py"), strict=True):
        assert one.name == other.name
        assert one.digest != other.digest


def test_one_by_hand_must_fit_the_source(root: Path) -> None:
    (one,) = choice.written(root, [("sw/small.py", "a + b", "a - b")])
    assert "return a - b" in ast.unparse(one.tree())
    assert one.line == 2
    with pytest.raises(ValueError, match="2 times"):
        choice.written(root, [("sw/small.py", "def ", "")])


def test_those_that_survived_once_fit_the_source() -> None:
    root = Path(__file__).parents[2]
    assert len(choice.written(root)) == len(KNOWN)
    assert {"hw/engine/pe.py", "sw/golden/dynamics.py"} <= set(choice.files(root))
