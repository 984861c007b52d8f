from __future__ import annotations

from pathlib import Path

import pytest

from spikeloom.hw.build.folder import WORK, claimed
from spikeloom.sw.errors import FileFormatError

MARK = "top.ys"


def build(folder: Path) -> Path:
    """Leave what a build leaves."""
    with claimed(folder, MARK) as work:
        assert list(work.iterdir()) == []
        (work / MARK).touch()
        (work / "stale").touch()
    return work


def test_a_build_finds_an_empty_folder(tmp_path: Path) -> None:
    assert build(tmp_path / "not" / "there") == tmp_path / "not" / "there" / WORK
    build(tmp_path / "not" / "there")


def test_what_no_build_has_left_stays(tmp_path: Path) -> None:
    mine = tmp_path / WORK / "mine"
    mine.parent.mkdir()
    mine.write_text("years of work")
    with pytest.raises(FileFormatError, match=r"work is there already, and no build's: take anoth"):
        build(tmp_path)
    assert mine.read_text() == "years of work"
    mine.unlink()
    build(tmp_path)


def test_one_build_at_a_time(tmp_path: Path) -> None:
    refused = r"^another build is at work in .*: take another folder, or wait$"
    with claimed(tmp_path, MARK), pytest.raises(FileFormatError, match=refused):
        build(tmp_path)
    build(tmp_path)


def test_a_build_that_fails_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), claimed(tmp_path, MARK) as work:
        (work / MARK).write_text(f"{1 / 0}")
    build(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileFormatError, match=r"^cannot write .*file: File exists$"):
        build(tmp_path / "file")
    (tmp_path / WORK).touch()
    with pytest.raises(FileFormatError, match=r"^cannot write .*work: Not a directory$"):
        build(tmp_path)
