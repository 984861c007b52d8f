"""Network files that are damaged, missing, or none: refused with a message, never a traceback."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from support.networks.examples import everything

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.network import load, save
from spikeloom.sw.network.file import METADATA_KEY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "network.safetensors"


def test_a_file_of_another_program(path: Path) -> None:
    path.write_bytes(safetensors.numpy.save({"x": np.ones(3, np.float32)}))
    with pytest.raises(FileFormatError, match="not one of Spikeloom's: its metadata has no 'spike"):
        load(path)
    path.write_bytes(safetensors.numpy.save({}, metadata={"format": "pt"}))
    with pytest.raises(FileFormatError, match="not one of Spikeloom's"):
        load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 8,
        b"PK\x03\x04 a zip or a pickle of torch",
        b"\xff" * 64,
        (2**63).to_bytes(8, "little") + b"{}",
        (4).to_bytes(8, "little") + b"null",
        (2).to_bytes(8, "little") + b"[]",
        (200_000).to_bytes(8, "little") + b"[" * 200_000,
        (28).to_bytes(8, "little") + b'{"__metadata__":{"a":[1,2]}}',
    ],
)
def test_no_safetensors(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(
        FileFormatError, match=r"is damaged or no safetensors file .*: write it again"
    ):
        load(path)


def test_what_the_library_quotes_is_one_line(path: Path) -> None:
    header = b'{"x":{"dtype":"a\\nb","shape":[1],"data_offsets":[0,1]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    with pytest.raises(FileFormatError, match=r"^[^\n]*unknown variant `a b`[^\n]*: write it"):
        load(path)


def test_every_truncation_is_noticed(path: Path) -> None:
    save(everything(), path)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(FileFormatError, match="is damaged"):
            load(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(FileFormatError, match="is damaged"):
        load(path)


def test_missing_files_and_folders(path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"network file .* does not exist: check the path"):
        load(path)
    with pytest.raises(FileFormatError, match="cannot be read: Is a directory"):
        load(path.parent)


def test_every_changed_byte_of_a_tensor_is_noticed(path: Path) -> None:
    save(everything(), path)
    content = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(content[:8], "little")
    for place in range(begin, len(content), 11):
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match="is damaged: its content is another than the di"):
            load(path)
        content[place] ^= 1 << place % 8
    path.write_bytes(content)
    assert load(path).digest == everything().digest


def test_other_metadata_than_was_sealed(path: Path) -> None:
    save(everything(), path)
    tensors = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    changed = metadata | {METADATA_KEY: metadata[METADATA_KEY].replace('"name"', '"Name"', 1)}
    safetensors.numpy.save_file(tensors, path, changed)
    with pytest.raises(FileFormatError, match="is damaged: its content is another"):
        load(path)


def test_a_file_of_before_there_were_seals(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(everything(), path)
    tensors = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = {key: file.metadata()[key] for key in (METADATA_KEY,)}
    safetensors.numpy.save_file(tensors, path, metadata)
    with caplog.at_level(logging.INFO, "spikeloom"):
        assert load(path).digest == everything().digest
    assert f"{path} is older than digests of content" in caplog.text
