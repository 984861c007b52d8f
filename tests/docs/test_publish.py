"""``docs/site/publish.py`` keeps the sites of several versions beside one another."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "docs/site/publish.py"


@pytest.fixture(scope="module")
def publish() -> Any:
    spec = importlib.util.spec_from_file_location("publish", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def built(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "index.html").write_text(text)
    return folder


def test_versions_stand_beside_one_another_and_the_newest_is_shown(
    publish: Any, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    for version in ("0.9.0", "0.10.0", "0.2.0"):
        assert version in publish.publish(built(tmp_path / version, version), site, version)
    # Not in the order of letters: 10 is newer than 9.
    listed = 'window.SPIKELOOM_VERSIONS = ["0.10.0", "0.9.0", "0.2.0"];\n'
    assert (site / "versions.js").read_text() == listed
    assert 'content="0; url=0.10.0/index.html"' in (site / "index.html").read_text()
    for version in ("0.9.0", "0.10.0", "0.2.0"):
        assert (site / version / "index.html").read_text() == version


def test_a_version_takes_the_place_of_an_earlier_one_of_its_name(
    publish: Any, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    first = built(tmp_path / "first", "first")
    (first / "gone.html").write_text("no longer there")
    publish.publish(first, site, "0.1.0")
    assert publish.publish(built(tmp_path / "second", "second"), site, "0.1.0") == ["0.1.0"]
    assert [path.name for path in (site / "0.1.0").iterdir()] == ["index.html"]
    assert (site / "0.1.0/index.html").read_text() == "second"


def test_other_folders_are_no_versions(publish: Any, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    built(site / "pictures", "")
    (site / "0.3.0").mkdir()
    assert publish.publish(built(tmp_path / "html", ""), site, "0.1.0") == ["0.1.0"]
