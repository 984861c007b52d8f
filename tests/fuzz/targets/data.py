"""Readers of images, labels and events."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar
from unittest import mock

from fuzz.formats.arrays import Gzip, Npy, Npz
from fuzz.formats.base import Format
from fuzz.formats.graphs import Hdf5
from fuzz.targets.base import CORPUS, Target
from spikeloom.sw.cli.images import read_labels
from spikeloom.sw.datasets import Binning, load, shd
from spikeloom.sw.datasets.cameras import CIFAR10DVS
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
    files: ClassVar[tuple[str, ...]] = (
        *("test_batch.bin", "cifar-10-binary.tar.gz", "cifar10-test.npz"),
    )
    of = "cifar10"

    def take(self, data: bytes) -> None:
        chosen = {b"\x1f\x8b": 1, b"PK": len(self.files) - 1}.get(data[:2], 0)
        for index, name in enumerate(self.files):
            path = self.path.parent / name
            if index == chosen:
                path.write_bytes(data)
            else:
                path.unlink(missing_ok=True)
        self.read(self.path.parent)

    def read(self, path: Path) -> object:
        return load(self.of, "test", path)


class Hundred(Cifar, name="cifar100"):
    """CIFAR-100's test images in one of its two kinds of files."""

    format = Gzip(Format())
    files = ("test.bin", "cifar-100-binary.tar.gz")
    of = "cifar100"


class Events(Target, name="nmnist"):
    """A recording of N-MNIST, in its own file or in one of two kinds of archives."""

    format = Npz()
    guides = ("spikeloom.sw.numpy_file", "spikeloom.sw.datasets")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "one/Test/3").mkdir(parents=True, exist_ok=True)
        for name in ("all", "zip"):
            (folder / name).mkdir(exist_ok=True)

    def take(self, data: bytes) -> None:
        file = "one/Test/3/00001.bin"
        if data[:2] == b"PK":
            file = "zip/Test.zip" if b"Test/" in data else "all/events.npz"
        path = self.path.parent / file
        path.write_bytes(data)
        self.read(self.path.parent / file[:3])

    def read(self, path: Path) -> object:
        return load("nmnist", "test", path)


class Moved(Target, name="aedat"):
    """A recording of CIFAR10-DVS, in its own file or in an archive."""

    format = Format()
    guides = ("spikeloom.sw.datasets",)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for place in (folder / "one", folder / "zip"):
            for kind in CIFAR10DVS.class_names:
                (place / kind).mkdir(parents=True, exist_ok=True)
        (folder / "zip" / "airplane").rmdir()

    def take(self, data: bytes) -> None:
        packed = data[:2] == b"PK"
        file = "zip/airplane.zip" if packed else "one/airplane/cifar10_airplane_0.aedat"
        (self.path.parent / file).write_bytes(data)
        self.read(self.path.parent / file[:3])

    def read(self, path: Path) -> object:
        return load("cifar10-dvs", "test", path)


class Gestures(Target, name="gestures"):
    """A recording of DVS Gesture, or one of the lists beside it."""

    format = Format()
    guides = ("spikeloom.sw.datasets",)
    files = ("trials_to_test.txt", "user_labels.csv", "user.aedat")

    def take(self, data: bytes) -> None:
        right = [
            (CORPUS / self.name / name).read_bytes() for name in ("1-trials", "2-list", "3-events")
        ]
        chosen = 2 if data[:2] == b"#!" else 0 if b".aed" in data else 1
        right[chosen] = data
        for name, content in zip(self.files, right, strict=True):
            (self.path.parent / name).write_bytes(content)
        self.read(self.path.parent)

    def read(self, path: Path) -> object:
        # Few bins, since a list of a few bytes a line can name thousands of gestures.
        return load("dvs-gesture", "test", path, Binning(1))


class SpokenDigits(Target, name="shd"):
    """Recordings of the Spiking Heidelberg Digits, without another process for each."""

    format = Hdf5("shd")
    file = "shd_test.h5"
    guarded = True
    guides = ("spikeloom.sw.datasets",)

    def read(self, path: Path) -> object:
        with mock.patch.object(shd, "guarded", lambda reader, path: reader(path)):
            return load("shd", "test", path.parent)


class Photographs(Target, name="photographs"):
    """A photograph of Tiny ImageNet, of ImageNet, or the list of the validation images."""

    format = Format()
    guides = ("spikeloom.sw.datasets",)
    files = ("val/images/a.JPEG", "val/val_annotations.txt", "train/n1/a.JPEG")

    def take(self, data: bytes) -> None:
        names = ("1-picture", "2-list", "1-picture")
        right = [(CORPUS / self.name / name).read_bytes() for name in names]
        right[int(b"JPEG\t" in data)] = data
        for name, content in zip(self.files, right, strict=True):
            path = self.path.parent / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (self.path.parent / self.files[2]).write_bytes(data)
        self.read(self.path.parent)

    def read(self, path: Path) -> object:
        load("tiny-imagenet", "test", path)
        return load("imagenet", "train", path)
