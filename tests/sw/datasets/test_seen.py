"""Files that were hashed are not hashed again until they change."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from spikeloom.sw.datasets import seen

DIGEST = "ab" * 32


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "images"
    path.write_bytes(b"images")
    return path


def test_a_file_is_recalled_until_it_changes(file: Path) -> None:
    assert not seen.recall(file, DIGEST)
    seen.remember(file, DIGEST)
    assert seen.recall(file, DIGEST)
    assert not seen.recall(file, DIGEST[::-1])
    about = file.stat()
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns + 1))
    assert not seen.recall(file, DIGEST)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert seen.recall(file, DIGEST)
    file.write_bytes(b"more images")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert not seen.recall(file, DIGEST)


def test_notes_lie_in_the_folder_for_caches(file: Path, cache: Path) -> None:
    seen.remember(file, DIGEST)
    (notes,) = cache.rglob("*.json")
    assert notes == cache / "spikeloom" / "published.json"
    assert list(json.loads(notes.read_text())) == [f"{DIGEST} {file}"]


def test_without_the_variable_they_lie_in_the_home(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The specification has relative paths ignored.
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        monkeypatch.setenv("HOME", str(tmp_path / f"home{value}"))
        seen.remember(file, DIGEST)
        assert (tmp_path / f"home{value}/.cache/spikeloom/published.json").is_file()


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1, "a": 2}', "\0"])
def test_damaged_notes_are_none(file: Path, cache: Path, content: str) -> None:
    (cache / "spikeloom").mkdir(parents=True)
    (cache / "spikeloom" / "published.json").write_text(content)
    assert not seen.recall(file, DIGEST)
    seen.remember(file, DIGEST)
    assert seen.recall(file, DIGEST)


def test_a_folder_that_cannot_be_written_to_is_no_error(file: Path, cache: Path) -> None:
    cache.write_text("a file")
    seen.remember(file, DIGEST)
    assert not seen.recall(file, DIGEST)


def test_the_oldest_are_forgotten(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "MOST", 2)
    digests = [str(number) * 64 for number in range(3)]
    for digest in digests:
        seen.remember(file, digest)
    assert [seen.recall(file, digest) for digest in digests] == [False, True, True]
