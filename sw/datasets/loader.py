"""Loading data sets by name, from files of the user's. Nothing is ever downloaded."""

from __future__ import annotations

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from spikeloom.sw.datasets import seen
from spikeloom.sw.datasets.arrays import IntArray
from spikeloom.sw.datasets.binning import Binning
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.labelled import PixelArray
from spikeloom.sw.datasets.lazy import LazyImages
from spikeloom.sw.datasets.own import is_own, load_own, load_own_images
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.files import require_file
from spikeloom.sw.network import Input
from spikeloom.sw.registry import Registered
from spikeloom.sw.sealed import digest
from spikeloom.sw.tasks import CLASSES

_LOG = logging.getLogger(__name__)
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Content:
    """The content of one of a data set's original files, wherever it was found.

    Parameters
    ----------
    name : str
        Name of the original file, without the suffix of its compression.
    path : path
        The file itself, or the one that it is packed into.
    data : bytes
        Decompressed content.
    """

    name: str
    path: Path
    data: bytes

    @property
    def sha256(self) -> str:
        """SHA-256 of the content, in hexadecimal digits."""
        return digest(self.data)


@dataclass(frozen=True)
class Archive:
    """An archive as people get it, which may be gigabytes long.

    Parameters
    ----------
    name : str
        Name that it was published under.
    path : path
    """

    name: str
    path: Path

    @property
    def md5(self) -> str:
        """MD5 of the archive, in hexadecimal digits: it shows damage, and no more than that.

        Raises
        ------
        FileFormatError
            If it cannot be read.
        """
        try:
            require_file(self.path, "data file")
            with open(self.path, "rb") as file:
                found = hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False))
        except OSError as error:
            raise FileFormatError(
                f"data file {self.path} cannot be read: {error.strerror or error}"
            ) from None
        return found.hexdigest()


class Loader(Registered, ABC):
    """A way to find and read one data set. A subclass is found by its ``name``.

    Attributes
    ----------
    name : str
    needs : str
        Files that the user's folder must hold; empty if the data set comes with Spikeloom.
    origin : str
        Where people usually get these files.
    published : mapping of str to str
        SHA-256 of the original files' decompressed content, by the files' names. The figures are
        those that several projects publish, and were computed here, too.
    archives : mapping of str to str
        MD5 of archives as people get them, by the archives' names, for data sets of whose files
        nothing else is published. The figures are those in the loaders of torchvision, tonic and
        SpikingJelly.
    timed : bool
        Whether images have a time axis, into whose bins recordings of events are put.
    """

    kinds: ClassVar[dict[str, type[Loader]]] = {}
    name_attribute = "name"
    name: ClassVar[str]
    needs: ClassVar[str] = ""
    origin: ClassVar[str] = ""
    published: ClassVar[Mapping[str, str]] = MappingProxyType({})
    archives: ClassVar[Mapping[str, str]] = MappingProxyType({})
    timed: ClassVar[bool] = False

    @abstractmethod
    def load(self, split: str, root: str | Path | None, binning: Binning) -> Dataset:
        """Return one split. Parameters and errors are those of :func:`load`."""

    def contents(self, split: str, root: str | Path | None) -> Iterator[Content]:
        """Yield the original files of one split, as far as their content is published.

        Raises
        ------
        ConfigError, FileFormatError
            As :func:`load`.
        """
        del split, root
        yield from ()

    def known_contents(self, split: str, root: str | Path | None) -> Iterator[Content]:
        """Yield the original files of one split, and say of those that are not as published.

        They may be damaged, or another data set in the same format, which is none of our business.
        """
        for content in self.contents(split, root):
            if self.published and not self._known(content):
                _LOG.warning(
                    "%s in %s is not as published for %s: it is damaged, or another data set",
                    content.name,
                    content.path,
                    self.name,
                )
            yield content

    def _known(self, content: Content) -> bool:
        """Return whether a file is as published; hashed once, unless it has changed since."""
        wanted = self.published.get(content.name)
        if wanted is None or seen.recall(content.path, wanted):
            return wanted is not None
        if not self.is_published(content):
            return False
        seen.remember(content.path, wanted)
        return True

    def is_published(self, content: Content) -> bool:
        """Return whether a file has the content that was published under its name."""
        return self.published.get(content.name) == content.sha256

    def packed(self, root: str | Path | None) -> list[Archive]:
        """Return the archives in the user's folder whose MD5 is published."""
        folder = self.folder(root)
        return [Archive(name, folder / name) for name in self.archives if (folder / name).is_file()]

    def is_published_archive(self, archive: Archive) -> bool:
        """Return whether an archive is the one that was published under its name."""
        return self.archives.get(archive.name) == archive.md5

    def warn_unless_published(self, path: Path) -> None:
        """Say of an archive that is being read if it is not as published.

        It is compared once, unless it has changed since.
        """
        wanted = self.archives.get(path.name)
        if wanted is None or seen.recall(path, wanted):
            return
        if self.is_published_archive(Archive(path.name, path)):
            seen.remember(path, wanted)
            return
        _LOG.warning(
            "%s is not as published for %s: it is damaged, or another data set", path, self.name
        )

    def folder(self, root: str | Path | None) -> Path:
        """Return the folder to look in: ``root``, or a folder in it with the data set's name.

        Raises
        ------
        ConfigError
            If there is no ``root``.
        """
        if root is None:
            raise ConfigError(f"{self.name} does not come with Spikeloom: {self.advice()}")
        inner = Path(root) / self.name
        return inner if inner.is_dir() else Path(root)

    def advice(self) -> str:
        """Return advice on missing files, for error messages."""
        return f"name the folder that holds {self.needs} (from {self.origin})"


def loader(name: str) -> Loader:
    """Return the loader of the data set called ``name``.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name not in Loader.kinds:
        raise ConfigError(
            f"no data set is called {name!r}; there are {', '.join(Loader.kinds)}, and your own: a "
            f".npz or .npy file, a folder of images by class, or FILE.py:FUNCTION"
        )
    return Loader.kinds[name]()


def load(
    name: str,
    split: str,
    root: str | Path | None = None,
    binning: Binning | None = None,
    beside: str | Path | None = None,
    task: str | None = None,
) -> Dataset:
    """Load one split of a data set.

    Parameters
    ----------
    name : str
        That of a data set, one of ``Loader.kinds``; or a path, which is one to data of your own: a
        ``.npz`` or ``.npy`` file, a folder of images by class, or ``FILE.py:FUNCTION``; see
        :func:`~spikeloom.sw.datasets.own.load_own`.
    split : {"train", "test"}
    root : path, optional
        Folder with the original files, for the data sets that do not come with Spikeloom; or one
        with a folder of the data set's name in it.
    binning : Binning, optional
        For recordings of events: how they are binned in time, ``Binning()`` by default. Still
        images are loaded without regard to it.
    beside : path, optional
        Another folder to look for a path in, after ``root``.
    task : {"classes", "labels", "values"}, optional
        Of data of your own: the meaning of their labels, where type and shape do not show it.

    Raises
    ------
    ConfigError
        If the name or the split is unknown, or a folder is needed and not given.
    FileFormatError
        If a file is missing or not what its name says.
    DataError
        If images and labels do not fit each other.
    """
    if split not in SPLITS:
        raise ConfigError(f"the split must be {' or '.join(SPLITS)}, not {split!r}")
    if name not in Loader.kinds and is_own(name):
        return load_own(name, split, (root, beside), binning, task)
    chosen = loader(name)
    if task not in (None, CLASSES):
        raise ConfigError(f"{name} has classes, so its task cannot be {task!r}")
    return chosen.load(split, root, binning or Binning())


def images_to_run(
    name: str, source: Input, root: str | Path | None = None, task: str | None = None
) -> tuple[PixelArray | LazyImages, npt.NDArray[Any] | None]:
    """Return the images of a data set's test split for a network's input, and their labels.

    Parameters
    ----------
    name, root, task
        As for :func:`load`. Data of the user's own may have no labels here; they are then taken as
        a whole.
    source : Input
        The network's input; images of events are binned for it.

    Returns
    -------
    images : array of integers or LazyImages, shape (N, channels, height, width)
        With the time axis behind N, if the input has one.
    labels : array, or None
        int64 of shape (N,); of several labels bool, and of values float32, of shape (N, K).

    Raises
    ------
    ConfigError, FileFormatError, DataError
        As :func:`load`; DataError also if the network's input has a time axis, and the images have
        none.
    """
    binning = Binning.of(source)
    if name not in Loader.kinds and is_own(name):
        found = load_own_images(name, (root,), binning, task)
        if not isinstance(found, Dataset):
            return found, None
    else:
        found = load(name, "test", root, binning, task=task)
    return found.images_for(source), found.labels


def first_images(
    name: str,
    source: Input,
    number: int,
    root: str | Path | None = None,
    task: str | None = None,
) -> IntArray:
    """Return the first images of :func:`images_to_run`, at least one.

    Parameters
    ----------
    name, source, root, task
        As for :func:`images_to_run`.
    number : int
        Number of images, at least 1. There are fewer if the split has fewer.

    Returns
    -------
    array of int64, shape (number, channels, height, width)
        With the time axis behind the number, if the input has one.
    """
    images, _ = images_to_run(name, source, root, task)
    return np.asarray(images[:number], np.int64)
