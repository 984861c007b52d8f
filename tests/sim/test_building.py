from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from spikeloom.sim.building import failure, workshop
from spikeloom.sw.errors import ToolError


def test_a_folder_with_a_space_is_built_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    root = tmp_path / "Ä folder"
    with workshop(root / "product", "file") as work:
        assert work.parent == elsewhere
        (work / "file").write_text("made")
        (work / "inner").mkdir()
    assert (root / "product" / "file").read_text() == "made"
    assert (root / "product" / "inner").is_dir()
    assert [x.name for x in root.iterdir()] == ["product"]
    assert not any(elsewhere.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(root))
    with (
        pytest.raises(ToolError, match=r"make cannot build in .*: name a folder without spaces"),
        workshop(root / "other", "file"),
    ):
        pass
    assert [x.name for x in root.iterdir()] == ["product"]


def test_a_folder_that_make_can_use_is_used(tmp_path: Path) -> None:
    with workshop(tmp_path / "ä" / "product", "file") as work:
        assert work.parent == tmp_path / "ä"
    with pytest.raises(KeyError), workshop(tmp_path / "ä" / "other", "file"):
        raise KeyError
    assert [x.name for x in (tmp_path / "ä").iterdir()] == ["product"]


def test_a_failure_shows_make_s_reason(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("0 INFO  ** TEST ** STATUS\n0 INFO  ****\nmake: *** No rule. Stop.\nlast\n")
    message = str(failure("it failed", log))
    assert message.endswith("says:\n  make: *** No rule. Stop.\n  last"), message
