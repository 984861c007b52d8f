"""Options that choose images, shared by ``cosim`` and ``run``."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import data_options
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError
from spikeloom.sw.files import read_bytes

if TYPE_CHECKING:
    import numpy.typing as npt

    from spikeloom.sw.datasets.lazy import LazyImages

    Images = tuple[npt.NDArray[Any] | LazyImages, npt.NDArray[Any] | None]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def image_options(function: _Command) -> _Command:
    """Add ``--data``, ``--data-root``, ``--images``, ``--labels`` and ``--limit``."""
    function = click.option(
        "--limit", type=click.IntRange(1), metavar="N", help="The first N images only."
    )(function)
    function = click.option(
        "--labels",
        "label_file",
        type=click.Path(path_type=Path),
        help="Labels of --images, as .npy, for the accuracy.",
    )(function)
    function = click.option(
        "--images",
        "image_file",
        type=click.Path(path_type=Path),
        help="Your own images instead: integers of shape (N, *input shape), as .npy, or as .npz "
        "with 'images' and perhaps 'labels'.",
    )(function)
    return data_options(default=None)(function)


def require_choice(data: str | None, image_file: Path | None, label_file: Path | None) -> None:
    """Raise `ConfigError` unless the options name images in exactly one way."""
    if (data is None) == (image_file is None):
        raise ConfigError("which images? Give either --data or --images")
    if label_file is not None and image_file is None:
        raise ConfigError("--labels are for --images: a data set has its own")


def read_images(
    source: contract.Input,
    data: str | None,
    data_root: Path | None,
    image_file: Path | None,
    label_file: Path | None,
    limit: int | None,
    task: str | None = None,
) -> Images:
    """Return the images that the options name, ready for a network's input, and their labels.

    Labels are None if images of the user's own come without. ``task`` is the network's, by which
    they are read.
    """
    if data is not None:
        images, labels = _data_set(data, data_root, source, task)
    else:
        assert image_file is not None
        images, labels = _own(image_file, label_file, source, task)
    return images[:limit], None if labels is None else labels[:limit]


def _data_set(name: str, root: Path | None, source: contract.Input, task: str | None) -> Images:
    from spikeloom.sw import datasets

    return datasets.images_to_run(name, source, root, task)


def _own(
    image_file: Path, label_file: Path | None, source: contract.Input, task: str | None
) -> Images:
    from spikeloom.sw.datasets.images import load_images

    images, labels = load_images(image_file, source.image_shape, source.pixels(), task)
    return images, labels if label_file is None else _read_labels(label_file, len(images), task)


def _read_labels(path: Path, count: int, task: str | None) -> npt.NDArray[Any]:
    """Return the ``count`` labels in a ``.npy`` file, or the targets of another task."""
    import numpy as np

    content = read_bytes(path, "label file")
    try:
        labels = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FileFormatError(f"{path} is damaged or no .npy file ({error})") from None
    if not isinstance(labels, np.ndarray):
        raise FileFormatError(f"{path} holds several arrays: save the labels alone, as .npy")
    if task not in (None, "classes"):
        from spikeloom.sw.datasets.targets import targets_of

        return targets_of(labels, count, None, str(path), task).targets
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise DataError(
            f"{path} must hold {count} integers, one for each image, not {labels.dtype} of shape "
            f"{labels.shape}"
        )
    return labels
