"""What builds have left is recognised, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.kept import HASH, leave

from spikeloom.sim.building import available
from spikeloom.sim.kept import Kept, kept
from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.locks import workplace


def test_each_kind_is_recognised_with_its_size_least_recently_used_first(tmp_path: Path) -> None:
    leave(tmp_path)
    assert [(one.kind, one.path.name, one.size, one.busy) for one in kept(tmp_path)] == [
        ("leftover", ".work-abc", 1, False),
        ("log", f"harness-{HASH}.log", 2, False),
        ("library", f".runtime-{HASH}", 30, False),
        ("simulator", f"harness-{HASH}", 400, False),
        ("design", f"design-{HASH}", 5000, False),
    ]
    assert kept(tmp_path / "missing") == []


def test_nothing_else_is(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    leave(elsewhere)
    root = tmp_path / "root"
    for name in (f"design-{HASH}", f"harness-{HASH}", f".runtime-{HASH}x", "network", ".work"):
        (root / name).mkdir(parents=True)
    (root / f"{HASH}.log").touch()
    (root / "build.log").touch()
    (root / f"other-{HASH}").symlink_to(elsewhere / f"harness-{HASH}")
    assert kept(root) == []


def test_a_running_simulation_is_seen_and_a_running_build_is_none(tmp_path: Path) -> None:
    leave(tmp_path)
    with (
        workplace(tmp_path / f"harness-{HASH}", "run-"),
        workplace(tmp_path, ".work-") as build,
    ):
        found = kept(tmp_path)
        assert build.is_dir()
    assert [one.kind for one in found if one.busy] == ["simulator"]
    assert "leftover" not in {one.kind for one in found}
    assert not any(one.busy for one in kept(tmp_path))


def test_removal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(tmp_path)
    found = kept(tmp_path)
    for one in [*found, *found]:  # the second time, somebody else was first
        one.remove()
    assert list(tmp_path.iterdir()) == []

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(FileFormatError, match=r"cannot remove .*x\.log: Operation not permitted"):
        Kept("log", tmp_path / "x.log", 1, 0.0, False).remove()


def test_use_is_noted(tmp_path: Path) -> None:
    leave(tmp_path)
    folder = tmp_path / f"harness-{HASH}"
    assert not available(folder / "no such product")
    assert kept(tmp_path)[3].used == pytest.approx(4000)
    assert available(folder / "build.log")
    assert kept(tmp_path)[-1].kind == "simulator"
    assert folder.stat().st_mtime > os.stat(__file__).st_mtime
