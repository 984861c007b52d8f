from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spikeloom.sw import python_file
from spikeloom.sw.errors import UnsupportedError


def test_a_file_is_a_module_and_sees_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "python_file_neighbour.py").write_text("VALUE = 7")
    path = tmp_path / "random.py"
    path.write_text("from python_file_neighbour import VALUE")
    before = list(sys.path)
    assert python_file.run(path, "spikeloom_test").VALUE == 7
    assert sys.path == before
    assert not hasattr(sys.modules.get("random"), "VALUE")


def test_an_error_of_the_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text("1 / 0")
    with pytest.raises(UnsupportedError, match=f"^{path} fails: ZeroDivisionError: division by"):
        python_file.run(path, "spikeloom_test")
