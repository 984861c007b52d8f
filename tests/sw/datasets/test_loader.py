"""Data sets by name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from spikeloom.sw import datasets
from spikeloom.sw.datasets import Content, Loader
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.network import CountInput, SpikeInput


def test_every_data_set_is_found_by_its_name() -> None:
    assert [loader.name for loader in Loader.kinds.values()] == list(Loader.kinds)
    assert list(Loader.kinds) == ["digits", "mnist", "fashion-mnist", "cifar10", "nmnist"]


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


def test_first_images_are_those_of_the_test_split() -> None:
    source = CountInput((1, 8, 8), 16)
    images = datasets.first_images("digits", source, 3)
    assert images.dtype == np.int64
    assert np.array_equal(images, datasets.load("digits", "test").images[:3])
    assert len(datasets.first_images("digits", source, 1000)) == 360
    with pytest.raises(DataError, match="digits has still images"):
        datasets.first_images("digits", SpikeInput((1, 8, 8), 5, 3), 1)
