"""Locks on folders: held once, gone with their process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.locks import locked

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
