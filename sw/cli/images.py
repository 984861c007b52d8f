"""Options that choose images, shared by ``cosim`` and ``run``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import data_options
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError
from spikeloom.sw.files import read_bytes

if TYPE_CHECKING:
    import numpy.typing as npt

    from spikeloom.sw.datasets.lazy import LazyImages
    from spikeloom.sw.tasks import Task

    Images = tuple[npt.NDArray[Any] | LazyImages, npt.NDArray[Any] | None]


@dataclass(frozen=True)
class ImageOptions:
    """The values of these options.

    Parameters
    ----------
    data : str or None
        Data set: a name, or a user's own.
    root : Path or None
        Folder with its original files.
    file, labels : Path or None
        Images of the user's own instead, and their labels.
    limit : int or None
        Number of images, the first ones; None for all.
    """

    data: str | None = None
    root: Path | None = None
    file: Path | None = None
    labels: Path | None = None
    limit: int | None = None

    def require(self) -> None:
        """Raise `ConfigError` unless the options name images in exactly one way."""
        if (self.data is None) == (self.file is None):
            raise ConfigError("which images? Give either --data or --images")
        if self.labels is not None and self.file is None:
            raise ConfigError("--labels are for --images: a data set has its own")

    def arguments(self) -> list[str]:
        """Return the options that name the same images to another command, without a limit."""
        given = {
            "--data": self.data,
            "--data-root": self.root,
            "--images": self.file,
            "--labels": self.labels,
        }
        return [str(x) for option, value in given.items() if value for x in (option, value)]

    def read(self, source: contract.Input, task: Task | None = None) -> Images:
        """Return the images, ready for a network's input, and their labels.

        Labels are None if images of the user's own come without. ``task`` is the network's, by
        which they are read.
        """
        name = None if task is None else task.name
        if self.data is not None:
            images, labels = _data_set(self.data, self.root, source, name)
        else:
            assert self.file is not None
            images, labels = _own(self.file, self.labels, source, name)
        if self.limit is None:
            return images, labels
        import numpy as np

        from spikeloom.sw.datasets.lazy import take

        first = np.arange(min(self.limit, len(images)))
        return take(images, first), None if labels is None else labels[: self.limit]


def image_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--data``, ``--data-root``, ``--images``, ``--labels`` and ``--limit`` as ``images``."""

    @data_options(default=None)
    @click.option(
        "--images",
        "image_file",
        type=click.Path(path_type=Path),
        help="Your own images instead: integers of shape (N, *input shape), as .npy, or as .npz "
        "with 'images' and perhaps 'labels'.",
    )
    @click.option(
        "--labels",
        "label_file",
        type=click.Path(path_type=Path),
        help="Labels of --images, as .npy, for the accuracy.",
    )
    @click.option("--limit", type=click.IntRange(1), metavar="N", help="The first N images only.")
    @functools.wraps(function)
    def chosen(
        *arguments: Any,
        data: str | None,
        data_root: Path | None,
        image_file: Path | None,
        label_file: Path | None,
        limit: int | None,
        **options: Any,
    ) -> Any:
        images = ImageOptions(data, data_root, image_file, label_file, limit)
        return function(*arguments, images=images, **options)

    return chosen


def _data_set(name: str, root: Path | None, source: contract.Input, task: str | None) -> Images:
    from spikeloom.sw import datasets

    return datasets.images_to_run(name, source, root, task)


def _own(
    image_file: Path, label_file: Path | None, source: contract.Input, task: str | None
) -> Images:
    from spikeloom.sw.datasets.images import load_images

    images, labels = load_images(image_file, source.image_shape, source.pixels(), task)
    return images, labels if label_file is None else read_labels(label_file, len(images), task)


def read_labels(path: Path, count: int, task: str | None) -> npt.NDArray[Any]:
    """Return the ``count`` labels in a ``.npy`` file, or the targets of another task."""
    from spikeloom.sw import numpy_file

    content = read_bytes(path, "label file")
    try:
        arrays = numpy_file.arrays(content)
    except ValueError as error:
        raise FileFormatError(f"{path} is damaged or no .npy file ({error})") from None
    if "" not in arrays:
        raise FileFormatError(f"{path} holds several arrays: save the labels alone, as .npy")
    labels = arrays[""]
    if task not in (None, "classes"):
        from spikeloom.sw.datasets.targets import targets_of

        return targets_of(labels, count, None, str(path), task).targets
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise DataError(
            f"{path} must hold {count} integers, one for each image, not {labels.dtype} of shape "
            f"{labels.shape}"
        )
    return labels
