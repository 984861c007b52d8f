"""Recordings of the DVS128, an event camera of 128x128 pixels: gestures, and CIFAR-10's images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from spikeloom.sw.datasets.aedat import SIDE, Packets, decode_dvs128
from spikeloom.sw.datasets.arrays import Array, IntArray
from spikeloom.sw.datasets.event_data import EventData, Labelled, Recorded
from spikeloom.sw.datasets.packed import File, members
from spikeloom.sw.errors import DataError, FileFormatError
from spikeloom.sw.files import read_bytes

#: Bytes of a list of recordings or of gestures, at most; those of the data set have some hundreds.
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Gesture:
    """A span of time in a recording.

    Parameters
    ----------
    recording : int
        Number of the recording's file.
    label : int
    start, end : int
        Microseconds; the end is not part of it.
    """

    recording: int
    label: int
    start: int
    end: int


class Gestures:
    """Gestures in recordings of several each, as a sequence of (events, label).

    Parameters
    ----------
    files : sequence of Packets
    gestures : sequence of Gesture
    """

    def __init__(self, files: Sequence[Packets], gestures: Sequence[Gesture]) -> None:
        self.files, self.gestures = files, gestures
        self.labels: IntArray = np.array([gesture.label for gesture in gestures], np.int64)

    def __len__(self) -> int:
        return len(self.gestures)

    def __getitem__(self, index: int) -> tuple[Array, int]:
        gesture = self.gestures[index]
        events = self.files[gesture.recording].between(gesture.start, gesture.end)
        return events, gesture.label


class DVSGesture(EventData):
    """1,176 and 288 gestures of hands and arms, of eleven kinds, of 29 people in five lights.

    The user's folder holds the files of ``DvsGesture.tar.gz``, itself or in a folder
    ``DvsGesture``: ``trials_to_train.txt`` and ``trials_to_test.txt``, which name recordings;
    these, ``user01_fluorescent.aedat`` and so on, in AEDAT 3.1; and beside each the list of its
    gestures, ``user01_fluorescent_labels.csv``, with class, start and end. Each line of these lists
    is an image, in the lists' order.

    Amir et al., "A low power, fully event-based gesture recognition system", CVPR 2017.
    """

    name = "dvs-gesture"
    needs = "trials_to_train.txt, trials_to_test.txt and the rest of DvsGesture.tar.gz, unpacked"
    origin = "research.ibm.com/interactive/dvsgesture"
    archives: ClassVar[Mapping[str, str]] = {
        "DvsGesture.tar.gz": "8a5c71fb11e24e5ca5b11866ca6c00a1",
    }
    sensor = (2, SIDE, SIDE)
    classes = 11
    class_names = (
        "hand clapping",
        "right hand wave",
        "left hand wave",
        "right arm clockwise",
        "right arm counterclockwise",
        "left arm clockwise",
        "left arm counterclockwise",
        "arm roll",
        "air drums",
        "air guitar",
        "other gestures",
    )

    def recordings(self, split: str, folder: Path) -> Labelled:
        listed = folder / f"trials_to_{split}.txt"
        if not listed.is_file():
            listed = folder / "DvsGesture" / listed.name
        if not listed.is_file():
            raise FileFormatError(f"{folder / listed.name} does not exist: {self.advice()}")
        files: list[Packets] = []
        gestures: list[Gesture] = []
        for line in _lines(listed):
            name = line.strip()
            if not name:
                continue
            if not re.fullmatch(r"[\w-]+\.aedat", name):
                raise DataError(f"{listed} names {name[:80]!r}, which is no file of a recording")
            path = listed.with_name(name)
            gestures += self._gestures(path.with_name(f"{path.stem}_labels.csv"), len(files))
            files.append(Packets(path))
        if not gestures:
            raise FileFormatError(f"{listed} lists no gestures: get it again")
        return Gestures(files, gestures)

    def _gestures(self, path: Path, recording: int) -> Iterator[Gesture]:
        # The first line has the columns' names.
        for number, line in enumerate(_lines(path)[1:], 2):
            if not line.strip():
                continue
            fields = line.split(",")
            if len(fields) != 3 or not all(re.fullmatch(r"\s*[0-9]{1,15}\s*", x) for x in fields):
                raise DataError(
                    f"line {number} of {path} must be class, start and end in microseconds, not "
                    f"{line[:80]!r}"
                )
            kind, start, end = (int(field.strip()) for field in fields)
            if not 1 <= kind <= self.classes or start >= end:
                raise DataError(
                    f"line {number} of {path} says class {kind} from {start} to {end}: classes are "
                    f"1 to {self.classes}, and a gesture ends after its start"
                )
            yield Gesture(recording, kind - 1, start, end)


class CIFAR10DVS(EventData):
    """9,000 and 1,000 images of CIFAR-10 that moved before an event camera.

    The user's folder holds the folders ``airplane`` to ``truck``, each with a thousand recordings,
    ``cifar10_airplane_0.aedat`` and so on, in AEDAT 2.0; or ``airplane.zip`` to ``truck.zip``,
    which hold these folders. There is no published split: the test split has the recordings 0 to
    99 of each class, as in Duan et al., "Temporal effective batch normalization in spiking neural
    networks", NeurIPS 2022, and papers since. Random splits give other accuracies.

    Li et al., "CIFAR10-DVS: an event-stream dataset for object classification", Frontiers in
    Neuroscience 11:309, 2017.
    """

    name = "cifar10-dvs"
    needs = "the folders airplane to truck, or airplane.zip to truck.zip"
    origin = "figshare.com/articles/dataset/CIFAR10-DVS_New/4724671"
    archives: ClassVar[Mapping[str, str]] = {
        "airplane.zip": "0afd5c4bf9ae06af762a77b180354fdd",
        "automobile.zip": "8438dfeba3bc970c94962d995b1b9bdd",
        "bird.zip": "a9c207c91c55b9dc2002dc21c684d785",
        "cat.zip": "52c63c677c2b15fa5146a8daf4d56687",
        "deer.zip": "b6bf21f6c04d21ba4e23fc3e36c8a4a3",
        "dog.zip": "f379ebdf6703d16e0a690782e62639c3",
        "frog.zip": "cad6ed91214b1c7388a5f6ee56d08803",
        "horse.zip": "e7cbbf77bec584ffbf913f00e682782a",
        "ship.zip": "41c7bd7d6b251be82557c6cce9a7d5c9",
        "truck.zip": "89f3922fd147d9aeff89e76a2b0b70a7",
    }
    sensor = (2, SIDE, SIDE)
    classes = 10
    class_names = tuple(name.removesuffix(".zip") for name in archives)
    #: Recordings of each class in the test split, which are the first.
    tests = 100

    def recordings(self, split: str, folder: Path) -> Labelled:
        found = []
        for label, kind in enumerate(self.class_names):
            for file in self._files(folder, kind):
                number = re.fullmatch(rf"cifar10_{kind}_([0-9]{{1,9}})\.aedat", file.name)
                if number and (int(number[1]) < self.tests) == (split == "test"):
                    found.append((int(number[1]), label, file))
        if not found:
            raise FileFormatError(
                f"{folder} holds no recordings of the {split} split, such as airplane/"
                f"cifar10_airplane_{0 if split == 'test' else self.tests}.aedat: {self.advice()}"
            )
        found.sort(key=lambda item: item[:2])
        labels = np.array([label for _, label, _ in found], np.int64)
        return Recorded([file for _, _, file in found], labels, decode_dvs128)

    def _files(self, folder: Path, kind: str) -> Iterator[File]:
        if (folder / kind).is_dir():
            yield from map(File, (folder / kind).glob("*.aedat"))
        elif (folder / f"{kind}.zip").is_file():
            self.warn_unless_published(folder / f"{kind}.zip")
            yield from members(folder / f"{kind}.zip", ".aedat")
        else:
            raise FileFormatError(
                f"{folder / kind} does not exist, nor {kind}.zip: {self.advice()}"
            )


def _lines(path: Path) -> list[str]:
    return read_bytes(path, "list", _LARGEST).decode("utf-8", "replace").splitlines()
