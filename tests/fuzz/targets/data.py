"""Readers of images, labels and events."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from fuzz.formats.arrays import Gzip, Npy, Npz
from fuzz.formats.base import Format
from fuzz.targets.base import CORPUS, Target
from spikeloom.sw.cli.images import read_labels
from spikeloom.sw.datasets import load
from spikeloom.sw.datasets.images import load_images
from spikeloom.sw.network.ranges import Range


class Images(Target, name="npy"):
    """Images of one's own, in a file of one array."""

    format: ClassVar[Format] = Npy()
    file = "input.npy"
    guides = ("spikeloom.sw.numpy_file", "spikeloom.sw.datasets")

    def read(self, path: Path) -> object:
        return load_images(path, (1, 3, 3), Range(0, 255))


class LabelledImages(Images, name="npz"):
    """Images of one's own with labels, for a network and as a data set to train on."""

    format = Npz()
    file = "input.npz"

    def read(self, path: Path) -> object:
        load(str(path), "train")
        return super().read(path)


class Labels(Target, name="labels"):
    """Labels, in a file of one array."""

    format = Npy()
    file = "input.npy"
    guides = ("spikeloom.sw.numpy_file", "spikeloom.sw.cli.images")

    def read(self, path: Path) -> object:
        return read_labels(path, 10, None)


class Idx(Target, name="idx"):
    """MNIST's images, beside its labels, or these beside their images."""

    format = Gzip(Format())
    guides = ("spikeloom.sw.numpy_file", "spikeloom.sw.datasets")
    files = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

    def take(self, data: bytes) -> None:
        right = [(CORPUS / self.name / name).read_bytes() for name in ("1-images", "2-labels")]
        labels = data[:4] == right[1][:4]
        for index, name in enumerate(self.files):
            (self.path.parent / name).write_bytes(data if index == labels else right[index])
        self.read(self.path.parent)

    def read(self, path: Path) -> object:
        return load("mnist", "test", path)


class Cifar(Target, name="cifar"):
    """CIFAR-10's test images in one of its three kinds of files."""

    format = Gzip(Npz())
    longest = 1 << 15
    guides = ("spikeloom.sw.numpy_file", "spikeloom.sw.datasets", "tarfile")
    files = ("test_batch.bin", "cifar-10-binary.tar.gz", "cifar10-test.npz")

    def take(self, data: bytes) -> None:
        chosen = {b"\x1f\x8b": 1, b"PK": 2}.get(data[:2], 0)
        for index, name in enumerate(self.files):
            path = self.path.parent / name
            if index == chosen:
                path.write_bytes(data)
            else:
                path.unlink(missing_ok=True)
        self.read(self.path.parent)

    def read(self, path: Path) -> object:
        return load("cifar10", "test", path)


class Events(Target, name="nmnist"):
    """A recording of N-MNIST, in its own file or in an archive."""

    format = Npz()
    guides = ("spikeloom.sw.numpy_file", "spikeloom.sw.datasets")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "one/Test/3").mkdir(parents=True, exist_ok=True)
        (folder / "all").mkdir(exist_ok=True)

    def take(self, data: bytes) -> None:
        packed = data[:2] == b"PK"
        file = "all/events.npz" if packed else "one/Test/3/00001.bin"
        path = self.path.parent / file
        path.write_bytes(data)
        self.read(self.path.parent / file[:3])

    def read(self, path: Path) -> object:
        return load("nmnist", "test", path)
