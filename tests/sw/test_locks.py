"""Locks on folders: held once, gone with their process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.locks import locked, workplace

HOLD = """
import sys
from pathlib import Path
from spikeloom.sw.locks import locked
with locked(Path(sys.argv[1]), "build"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_one_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with locked(folder, "training"):
        refused = f"^another training is at work in {folder}: take another folder, or wait$"
        with pytest.raises(FileFormatError, match=refused), locked(folder, "training"):
            pass
    with locked(folder, "training"):
        assert not any(folder.iterdir())


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(FileFormatError, match="another build"), locked(tmp_path, "build"):
            pass
        other.kill()
    with locked(tmp_path, "build"):
        pass


def test_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = r"^cannot write .*file/a: Not a directory$"
    with pytest.raises(FileFormatError, match=refused), locked(tmp_path / "file" / "a", "build"):
        pass


WORK = """
import sys
from pathlib import Path
from spikeloom.sw.locks import workplace
with workplace(Path(sys.argv[1]), "work-") as work:
    print(work, flush=True)
    sys.stdin.read()
"""


def test_folders_of_dead_work_are_collected(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORK, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        (theirs / "file").touch()
        with workplace(tmp_path, "work-") as mine:
            assert mine != theirs
            assert (theirs / "file").exists(), "it is at work"
        assert not mine.exists()
        other.kill()
    assert (theirs / "file").exists()
    with workplace(tmp_path, "work-") as mine:
        assert list(tmp_path.iterdir()) == [mine]
    assert not any(tmp_path.iterdir())


def test_a_folder_that_is_renamed_or_kept(tmp_path: Path) -> None:
    with workplace(tmp_path, "work-") as work:
        (work / "file").touch()
        work.rename(tmp_path / "product")
    with pytest.raises(ZeroDivisionError), workplace(tmp_path, "work-", ZeroDivisionError) as kept:
        raise ZeroDivisionError
    with pytest.raises(KeyError), workplace(tmp_path, "work-", ZeroDivisionError):
        raise KeyError
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "product", kept])
    (tmp_path / "file").touch()
    with (
        pytest.raises(FileFormatError, match=r"cannot write .*file: Not a directory"),
        workplace(tmp_path / "file", "work-"),
    ):
        pass
