"""``spikeloom data``: what a data set holds, and whether its files are the published ones."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from spikeloom.sw import datasets
from spikeloom.sw.cli import main


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, arguments)])


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


@pytest.fixture
def contents(tmp_path: Path) -> dict[str, bytes]:
    """Files in MNIST's format, 5 and 4 images; what each holds, by its name."""
    made = {}
    for prefix, count in (("train", 5), ("t10k", 4)):
        made[f"{prefix}-images-idx3-ubyte"] = idx(np.ones((count, 28, 28), np.uint8))
        made[f"{prefix}-labels-idx1-ubyte"] = idx(np.arange(count, dtype=np.uint8))
    for name, content in made.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    return made


def test_the_embedded_digits() -> None:
    result = run("digits")
    assert result.exit_code == 0
    assert result.output.split("\n")[3].split() == ["train", "1,437", "10", "1x8x8", "5"]
    assert result.output.split("\n")[4].split() == ["test", "360", "10", "1x8x8", "5"]
    assert "no checksums are known for digits" in result.output


def test_published_files(
    contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(type(datasets.loader("mnist")), "published", published)
    result = run("mnist", "--data-root", tmp_path)
    assert result.exit_code == 0
    assert result.output.count("as published") == 4 + 1
    assert "all files are as published" in result.output


def test_files_that_differ(
    contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    published["t10k-labels-idx1-ubyte"] = "0" * 64
    monkeypatch.setattr(type(datasets.loader("mnist")), "published", published)
    result = run("mnist", "--data-root", tmp_path)
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.split()[:1] == ["NO"]]
    assert line.split()[1] == "t10k-labels-idx1-ubyte"
    assert "1 file is not as published: name the folder" in result.output
    monkeypatch.undo()
    assert "4 files are not as published" in run("mnist", "--data-root", tmp_path).output


def test_missing_files_are_named_with_where_to_get_them(tmp_path: Path) -> None:
    result = run("cifar10", "--data-root", tmp_path)
    assert result.exit_code == 2
    assert f"error: {tmp_path}/data_batch_1.bin does not exist" in result.output
    assert "www.cs.toronto.edu/~kriz/cifar.html" in result.output
    assert "Traceback" not in result.output


def test_a_folder_is_needed() -> None:
    result = run("nmnist")
    assert result.exit_code == 2
    assert "error: nmnist does not come with Spikeloom" in result.output


def test_archives_are_compared_by_the_published_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test.bin").write_bytes(bytes(3074))
    (tmp_path / "train.bin").write_bytes(bytes(3074))
    result = run("cifar100", "--data-root", tmp_path)
    assert result.exit_code == 0
    assert "checksums are those of cifar-100-binary.tar.gz, of which none lies in" in result.output
    archive = tmp_path / "cifar-100-binary.tar.gz"
    archive.write_bytes(b"abc")
    result = run("cifar100", "--data-root", tmp_path, "--json")
    assert result.exit_code == 1
    right = "900150983cd24fb0d6963f7d28e17f72"
    (file,) = json.loads(result.stdout)["files"]
    name = "cifar-100-binary.tar.gz"
    assert file == {"name": name, "path": str(archive), "md5": right, "published": False}
    monkeypatch.setattr(type(datasets.loader("cifar100")), "archives", {name: right})
    result = run("cifar100", "--data-root", tmp_path)
    assert result.exit_code == 0
    assert "all files are as published" in result.output
