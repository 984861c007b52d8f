from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.files import read_bytes, replacing, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "half"
    assert names(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        assert os.umask(before) == 0o027
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_text_is_written_as_utf_8(tmp_path: Path) -> None:
    write_text(str(tmp_path / "a.txt"), "Θ ≥ 1")
    assert read_bytes(str(tmp_path / "a.txt"), "it") == "Θ ≥ 1".encode()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("no folder")
    with pytest.raises(FileFormatError, match=f"cannot write {tmp_path}/a/b.txt: "):
        write_text(tmp_path / "a" / "b.txt", "x")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=f"thing {tmp_path}/a does not exist: check the path"):
        read_bytes(tmp_path / "a", "thing")
    with pytest.raises(FileFormatError, match=f"thing {tmp_path} cannot be read: Is a directory"):
        read_bytes(tmp_path, "thing")


def test_pipes_and_devices_are_neither_read_nor_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, kind in ((pipe, "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(FileFormatError, match=f"^thing {path} is {kind}, not a file"):
            read_bytes(path, "thing")
        with pytest.raises(FileFormatError, match=f"^cannot write {path}: it is {kind}, not a"):
            write_text(path, "x")
        assert not path.is_file()
    link = tmp_path / "link"
    link.symlink_to(pipe)
    with pytest.raises(FileFormatError, match=f"^thing {link} is a pipe"):
        read_bytes(link, "thing")


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "link", tmp_path / "there" / "file"
    link.symlink_to(target)
    for text in ("new", "newer"):
        write_text(link, text)
        assert link.is_symlink()
        assert target.read_text() == text
    assert names(tmp_path / "there") == ["file"]


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(FileFormatError, match=r"^cannot write .*a\.txt: Is a directory$"):
        write_text(tmp_path / "a.txt", "x")
    assert names(tmp_path) == ["a.txt"]
