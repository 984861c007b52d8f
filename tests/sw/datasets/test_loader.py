"""Data sets by name."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from spikeloom.sw import datasets
from spikeloom.sw.cli.common import DATASETS
from spikeloom.sw.datasets import Content, Loader, load
from spikeloom.sw.datasets.idx import MNIST
from spikeloom.sw.datasets.loader import Archive
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError
from spikeloom.sw.network import CountInput, SpikeInput


def test_every_data_set_is_found_by_its_name() -> None:
    assert [loader.name for loader in Loader.kinds.values()] == list(Loader.kinds)
    assert tuple(Loader.kinds) == DATASETS
    still = {"digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "imagenet", "tiny-imagenet"}
    assert {name for name, loader in Loader.kinds.items() if not loader.timed} == still


def test_unknown_names() -> None:
    with pytest.raises(ConfigError, match="no data set is called 'cifar'; there are digits, mnist"):
        datasets.load("cifar", "test")
    with pytest.raises(ConfigError, match="train or test, not 'val'"):
        datasets.load("digits", "val")


@pytest.mark.parametrize("name", [name for name in Loader.kinds if name != "digits"])
def test_a_folder_is_needed_and_the_place_to_get_it_named(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} does not come with Spikeloom: .* \(from .*\)"):
        datasets.load(name, "test")


def test_the_folder_can_hold_one_of_the_data_sets_name(tmp_path: Path) -> None:
    mnist = datasets.loader("mnist")
    assert mnist.folder(tmp_path) == tmp_path
    (tmp_path / "mnist").mkdir()
    assert mnist.folder(str(tmp_path)) == tmp_path / "mnist"


def test_contents_are_told_by_their_checksum() -> None:
    # The SHA-256 of "abc" is in the standard, FIPS 180-4.
    content = Content("some-file", Path("some.gz"), b"abc")
    assert content.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert content.sha256.startswith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f200")
    assert not any(loader.is_published(content) for loader in map(datasets.loader, Loader.kinds))


def test_published_archives_are_told_by_their_checksum(tmp_path: Path) -> None:
    # The MD5 of "abc" is in RFC 1321.
    (tmp_path / "abc").write_bytes(b"abc")
    archive = Archive("abc", tmp_path / "abc")
    assert archive.md5 == "900150983cd24fb0d6963f7d28e17f72"
    for loader in Loader.kinds.values():
        assert not loader().is_published_archive(archive)
        assert all(len(wanted) == 32 for wanted in loader.archives.values())
        assert not loader.archives or loader().packed(tmp_path) == []
    with pytest.raises(FileFormatError, match="cannot be read: No such file"):
        _ = Archive("abc", tmp_path / "none").md5


def test_first_images_are_those_of_the_test_split() -> None:
    source = CountInput((1, 8, 8), 16)
    images = datasets.first_images("digits", source, 3)
    assert images.dtype == np.int64
    assert np.array_equal(images, datasets.load("digits", "test").images[:3])
    assert len(datasets.first_images("digits", source, 1000)) == 360
    with pytest.raises(DataError, match="digits has still images"):
        datasets.first_images("digits", SpikeInput((1, 8, 8), 5, 3), 1)


def test_files_that_are_not_as_published_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {
        "t10k-images-idx3-ubyte": bytes((0, 0, 8, 3)) + bytes((0, 0, 0, 1) * 3) + b"x",
        "t10k-labels-idx1-ubyte": bytes((0, 0, 8, 1)) + bytes((0, 0, 0, 1)) + b"\1",
    }
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    published = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    monkeypatch.setattr(MNIST, "published", published)
    hashed = []
    is_published = MNIST.is_published

    def noted(self: MNIST, content: Content) -> bool:
        hashed.append(content.name)
        return is_published(self, content)

    monkeypatch.setattr(MNIST, "is_published", noted)
    for _ in range(2):
        load("mnist", "test", tmp_path)
    assert hashed == list(content), "each is hashed once"
    assert not caplog.records
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(content[path.name][:-1] + b"y")
    os.utime(path, ns=(1, 1))
    assert load("mnist", "test", tmp_path).images.item() == ord("y")
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{path.name} in {path} is not as published for mnist")
