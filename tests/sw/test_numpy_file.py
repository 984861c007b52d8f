"""Arrays from files that are whole, damaged, or made to do harm."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from spikeloom.sw import numpy_file


def saved(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def header(text: str, data: bytes = b"") -> bytes:
    line = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line + data


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


@given(
    arrays_of.arrays(
        st.sampled_from([np.dtype(name) for name in ("u1", "<i2", "<f4", "?", ">i4")]),
        arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3),
    ),
    st.booleans(),
)
def test_arrays_are_read_as_they_were_written(array: Any, fortran: bool) -> None:
    given_ = np.asfortranarray(array) if fortran else array
    found = numpy_file.arrays(saved(given_))[""]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
    assert found.flags.writeable
    file = io.BytesIO()
    np.savez_compressed(file, a=given_, b=np.arange(3))
    both = numpy_file.arrays(file.getvalue())
    assert list(both) == ["a", "b"]
    np.testing.assert_array_equal(both["a"], array)


def test_mapped_arrays(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    np.save(tmp_path / "a.npy", array)
    found = numpy_file.mapped(tmp_path / "a.npy")
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, array)
    np.save(tmp_path / "empty.npy", array[:0])
    assert numpy_file.mapped(tmp_path / "empty.npy").shape == (0, 3, 4)


HUGE = "{'descr': '|u1', 'fortran_order': False, 'shape': (79164837199872,)}"
DAMAGED = [
    (b"", "its header cannot be read"),
    (b"no array", "its header cannot be read"),
    (header(HUGE), r"its header needs 79,164,837,199,872 bytes of data, and 0 follow"),
    (header(HUGE.replace("79164837199872", "9" * 30)), "its header needs"),
    (header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}"), r"its shape is \(-1,\)"),
    (header("{'descr': '|u1', 'fortran_order': False, 'shape': (True,)}", b"1"), "its shape is"),
    (header("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", b"1"), "needs 2 bytes"),
    (header("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", b"123"), "and 3 follow"),
    (header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"12345678"), "Python"),
    (header("{'descr': 7, 'fortran_order': False, 'shape': ()}"), "its header cannot be read"),
    (header("{'descr': '|u1', 'fortran_order': False, 'shape': ("), "its header cannot be read"),
    (header("(" * 5000), "its header cannot be read"),
    (b"\x93NUMPY\x09\x00" + bytes(8), r"\(9, 0\)"),
]
TEXTS = "{'descr': '%sU2', 'fortran_order': False, 'shape': (1,)}"


@pytest.mark.parametrize(("content", "message"), DAMAGED)
def test_damage_is_one_error(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        numpy_file.arrays(content)
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        numpy_file.mapped(tmp_path / "a.npy")


def test_archives() -> None:
    whole = saved(np.arange(4))
    with pytest.raises(ValueError, match="two arrays called 'a'"):
        numpy_file.arrays(archive({"a.npy": whole, "a": whole}))
    with pytest.raises(ValueError, match="'a' is an archive itself"):
        numpy_file.arrays(archive({"a.npy": archive({"b.npy": whole})}))
    with pytest.raises(ValueError, match="its header cannot be read"):
        numpy_file.arrays(archive({"a.txt": b"text"}))
    content = archive({"a.npy": whole}, zipfile.ZIP_STORED)
    place = content.index(whole)
    with pytest.raises(ValueError, match="Bad CRC-32"):
        numpy_file.arrays(content[: place + 130] + b"x" + content[place + 131 :])
    # Bytes 8 and 10 of the two headers of a member are its version and its method.
    central = content.index(b"PK\x01\x02")
    with pytest.raises(ValueError, match="'a' is packed by compression method 99"):
        numpy_file.arrays(content[: central + 10] + b"\x63" + content[central + 11 :])
    with pytest.raises(ValueError, match="'a' is encrypted"):
        numpy_file.arrays(content[: central + 8] + b"\x01" + content[central + 9 :])
    with pytest.raises(ValueError, match="zip file version"):
        numpy_file.arrays(content[: central + 6] + b"\xff" + content[central + 7 :])
    with pytest.raises(ValueError, match=r"."):
        numpy_file.arrays(content[:-10])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archives_are_packed_by_the_methods_of_numpy(method: int) -> None:
    content = archive({"a.npy": saved(np.arange(4))}, method)
    with pytest.raises(ValueError, match=rf"method {method}, but numpy's are 0 and 8"):
        numpy_file.arrays(content)


@pytest.mark.parametrize("order", ["<", ">"])
def test_texts_have_characters_that_exist(order: str, tmp_path: Path) -> None:
    byteorder: Any = {"<": "little", ">": "big"}[order]

    def text(last: int) -> bytes:
        return header(TEXTS % order, b"".join(n.to_bytes(4, byteorder) for n in (65, last)))

    assert numpy_file.arrays(text(0x10FFFF))[""].tolist() == ["A\U0010ffff"]
    with pytest.raises(ValueError, match="texts with characters that do not exist"):
        numpy_file.arrays(text(0x110000))
    (tmp_path / "a.npy").write_bytes(text(0x110000))
    with pytest.raises(ValueError, match="texts with characters that do not exist"):
        numpy_file.mapped(tmp_path / "a.npy")


def test_bombs_are_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_file, "_ALWAYS", 1 << 16)
    bomb = bytes(1 << 24)
    with pytest.raises(ValueError, match="unpacks to hundreds of times its size"):
        numpy_file.arrays(archive({"a.npy": bomb}))
    with pytest.raises(ValueError, match="unpacks to hundreds of times its size"):
        numpy_file.inflated(gzip.compress(bomb))
    assert numpy_file.inflated(gzip.compress(bytes(1 << 16))) == bytes(1 << 16)


def test_gzip() -> None:
    content = gzip.compress(b"one") + gzip.compress(b" two")
    assert numpy_file.inflated(content) == b"one two"
    with pytest.raises(ValueError, match="cut short"):
        numpy_file.inflated(content[:-4])
    with pytest.raises(ValueError, match="unknown compression method"):
        numpy_file.inflated(b"\x1f\x8b" + bytes(20))
