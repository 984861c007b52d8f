"""HDF5 files that are damaged, or made to deceive: one line each, and little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from support import nir

from spikeloom.sw.errors import FileFormatError, SpikeloomError
from spikeloom.sw.importing import read_nir
from spikeloom.sw.importing.hdf5 import FLOOR, read_tree

SIGNATURE = b"\x89HDF\r\n\x1a\n"
GRAPH = nir.chain(nir.affine(np.eye(3)), nir.fire(3), shape=(3,))


def _circle(file: h5py.File) -> None:
    file["node/nodes/again"] = file["node"]


def _many_names(file: h5py.File) -> None:
    # Each group holds the one before it twice: 2^20 members from 20 groups.
    inner = file.create_group("deep")
    for level in range(20):
        outer = file.create_group(f"level{level}")
        outer["a"] = outer["b"] = inner
        inner = outer


def _external(file: h5py.File) -> None:
    file["node/nodes/0/weight2"] = h5py.ExternalLink("/etc/passwd", "/")


def _soft(file: h5py.File) -> None:
    file["node/nodes/0/weight2"] = h5py.SoftLink("/node/nodes/0/weight")


def _elsewhere(file: h5py.File) -> None:
    file["node/nodes/0"].create_dataset(
        "more", (4,), "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
    )


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
    file["node/nodes/0"].create_virtual_dataset("more", layout)


def _nothing_stored(file: h5py.File) -> None:
    file["node/nodes/0"].create_dataset("more", (1 << 40,), "f4")


def _chunks_missing(file: h5py.File) -> None:
    more = file["node/nodes/0"].create_dataset(
        "more", (1 << 22,), "f4", chunks=(1024,), compression=1
    )
    more[:8] = 1


def _expanding(file: h5py.File) -> None:
    zeros = np.zeros(FLOOR // 8 + 1)
    file["node/nodes/0"].create_dataset("more", data=zeros, chunks=(1 << 16,), compression=9)


def _many_texts(file: h5py.File) -> None:
    file["node/nodes/0"].create_dataset("more", (30_000,), h5py.string_dtype())


def _a_long_text(file: h5py.File) -> None:
    file["node/nodes/0"]["more"] = "x" * ((1 << 20) + 1)


def _lists(file: h5py.File) -> None:
    file["node/nodes/0"].create_dataset("more", (2,), h5py.vlen_dtype(np.int32))


def _references(file: h5py.File) -> None:
    file["node/nodes/0"].create_dataset("more", (2,), h5py.ref_dtype)


def _records(file: h5py.File) -> None:
    file["node/nodes/0"].create_dataset("more", (2,), np.dtype([("a", "i4"), ("b", "f8")]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_circle, "contains itself"),
        (_many_names, "members above 10,000"),
        (_external, "is a link to another place"),
        (_soft, "is a link to another place"),
        (_elsewhere, "keeps its values in another file"),
        (_virtual, "keeps its values in another file"),
        (_nothing_stored, "too large for the size of the file"),
        (_chunks_missing, "lacks some of its values"),
        (_expanding, "too large for the size of the file"),
        (_many_texts, "is an array of texts of shape"),
        (_a_long_text, "is a text of 1,048,577 bytes"),
        (_lists, "not numbers"),
        (_references, "not numbers"),
        (_records, "not numbers"),
    ],
)
def test_a_file_made_to_deceive_is_refused_in_one_line_and_little_memory(
    change: Callable[[h5py.File], None], message: str, tmp_path: Path
) -> None:
    path = nir.write(tmp_path / "net.nir", GRAPH)
    with h5py.File(path, "r+") as file:
        change(file)
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match=message) as caught:
            read_nir(path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert most < FLOOR + 4 * path.stat().st_size


def test_values_are_read_as_they_were_written(tmp_path: Path) -> None:
    for compression in ("gzip", "lzf", None):
        tree = read_tree(nir.write(tmp_path / "net.nir", GRAPH, compression))
        node = tree["node"]["nodes"]["0"]
        assert node["type"] == "Affine"
        assert np.array_equal(node["weight"], np.eye(3, dtype=np.float32))
        assert tree["node"]["edges"].tolist() == [["input", "0"], ["0", "1"], ["1", "output"]]


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" * 99]
)
def test_what_is_no_hdf5(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"^\S*net.nir is (no NIR file|damaged)"):
        read_nir(path)
    with pytest.raises(FileFormatError, match="does not exist"):
        read_nir(tmp_path / "none.nir")


@pytest.mark.parametrize(
    ("number", "size"), [(0, 0), (0, 8), (0, 1 << 40), (1, 1 << 40), (1, (1 << 64) - 16)]
)
def test_texts_without_an_end_are_found_before_the_library_follows_them(
    number: int, size: int, tmp_path: Path
) -> None:
    path = nir.write(tmp_path / "net.nir", GRAPH)
    content = bytearray(path.read_bytes())
    first = content.find(b"GCOL") + 16
    content[first : first + 2] = number.to_bytes(2, "little")
    content[first + 8 : first + 16] = size.to_bytes(8, "little")
    path.write_bytes(bytes(content))
    with pytest.raises(FileFormatError, match="its texts at byte"):
        read_nir(path)


def test_every_cut_and_changed_byte_is_an_error_of_one_line_or_a_graph(tmp_path: Path) -> None:
    path = nir.write(tmp_path / "net.nir", GRAPH)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    told = []
    for case in range(120):
        content = bytearray(whole)
        if case % 3 == 0:
            del content[rng.integers(1, len(whole)) :]
        else:
            for place in rng.integers(0, len(whole), 1 + case % 5):
                content[place] = rng.integers(256)
        path.write_bytes(bytes(content))
        try:
            read_nir(path)
        except SpikeloomError as error:
            told.append(str(error))
    assert len(told) > 40
    assert not any("\n" in text for text in told)


@pytest.mark.parametrize("chunks", [None, (2, 2)])
@pytest.mark.parametrize("packed", [False, True])
def test_a_text_that_says_it_is_long_takes_no_memory(
    chunks: tuple[int, int] | None, packed: bool, tmp_path: Path
) -> None:
    path = tmp_path / "net.nir"
    with h5py.File(path, "w") as file:
        texts = np.array([["abc", "de"], ["f", "ghij"]], object)
        options = {"chunks": chunks, "compression": "gzip"} if chunks and packed else {}
        data = file.create_dataset("x", data=texts, dtype=h5py.string_dtype(), **options)
        start, storage = data.id.get_offset(), data.id.get_storage_size()
    assert read_tree(path)["x"].tolist() == texts.tolist()
    content = bytearray(path.read_bytes())
    if start is not None:
        each = storage // 4
        content[start + 3 * each : start + 3 * each + 4] = (0xFFFFFFFF).to_bytes(4, "little")
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match=r"/x is a text of 4,294,967,295 bytes"):
            read_tree(path)
