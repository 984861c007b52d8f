"""Members of zip archives: read one by one, and refused where they are not as they say."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sw.datasets import packed
from spikeloom.sw.datasets.packed import File, Member, members
from spikeloom.sw.errors import FileFormatError


def archive_of(folder: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


FILES = {
    "x/one.bin": b"1" * 1000,
    "x/two.txt": b"2",
    "x/y/": b"",
    "three.bin": b"",
    "x/y/4.bin": b"4",
}


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_members_are_those_that_were_packed(tmp_path: Path, method: int) -> None:
    found = list(members(archive_of(tmp_path, FILES, method), ".bin"))
    assert [member.member for member in found] == ["x/one.bin", "three.bin", "x/y/4.bin"]
    assert [member.read() for member in found] == [b"1" * 1000, b"", b"4"]
    assert [(m.folder, m.name) for m in found] == [
        ("x", "one.bin"),
        ("", "three.bin"),
        ("y", "4.bin"),
    ]
    assert str(found[0]) == f"x/one.bin in {tmp_path / 'a.zip'}"


def test_files_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc")
    file = File(tmp_path / "a.bin")
    assert (file.name, str(file), file.read()) == ("a.bin", str(tmp_path / "a.bin"), b"abc")


@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_damage_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    path = archive_of(tmp_path_factory.mktemp("zip"), FILES)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= value
    path.write_bytes(content)
    read: set[bytes] = set()
    with contextlib.suppress(FileFormatError):
        read.update(member.read() for member in members(path, ".bin"))
    # Names, dates and rights are not covered by the checksums.
    assert read <= set(FILES.values())


def test_members_that_are_not_as_the_directory_says(tmp_path: Path) -> None:
    path = archive_of(tmp_path, FILES)
    member = next(members(path, ".bin"))
    for wrong, message in [
        (replace(member, start=1), "no member where the directory says so"),
        (replace(member, start=1 << 40), "is damaged"),
        (replace(member, size=999), "differs from its checksum"),
        (replace(member, checksum=0), "differs from its checksum"),
        (replace(member, packed=1 << 60), "are more than the archive's"),
        (replace(member, start=1 << 70), "is damaged"),
        (replace(member, packed=3), "differs from its checksum"),
        (replace(member, method=12), "packed by the method 12, not deflated"),
        (replace(member, size=packed.LARGEST + 1), "has 268,435,457 bytes, which no file"),
    ]:
        with pytest.raises(FileFormatError, match=message):
            wrong.read()


def test_a_member_unpacks_to_its_size_at_most(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(1 << 20), 9)[2:-4]
    path = tmp_path / "bomb"
    path.write_bytes(b"PK\x03\x04" + bytes(26) + bomb)
    with pytest.raises(FileFormatError, match="differs from its checksum"):
        Member(path, "x", 0, len(bomb), 100, zipfile.ZIP_DEFLATED, 0).read()


def test_encrypted_members(tmp_path: Path) -> None:
    path = archive_of(tmp_path, {"a.bin": b"a"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a\.bin in .* is encrypted"):
        list(members(path, ".bin"))


def test_archives_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"none\.zip is damaged or no zip archive"):
        list(members(tmp_path / "none.zip", ""))


def test_names_that_are_no_names(tmp_path: Path) -> None:
    path = archive_of(tmp_path, {"a\nb.bin": b"1"})
    with pytest.raises(FileFormatError, match=r"has a member called 'a\\nb.bin', which no file"):
        list(members(path, ".bin"))
