"""A folder of images, with a folder for each class, as torchvision's ``ImageFolder`` reads it.

Pillow decodes the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.lazy import Array, IntArray, LazyImages, in_memory
from spikeloom.sw.errors import DataError, FileFormatError

#: Endings of the files that are read, in lower case; other files are left out.
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp")
#: Modes of Pillow that become one channel.
_GREY = ("1", "L")
#: Modes that become red, green and blue.
_COLOUR = ("RGB", "RGBA", "P", "CMYK", "YCbCr", "LA", "PA")


class ImageFiles(LazyImages):
    """Images in files of their own, decoded when they are asked for.

    Parameters
    ----------
    paths : sequence of Path

    Raises
    ------
    FileFormatError
        If a file is no image, or of more than 8 bits per channel.
    DataError
        If images differ in size.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        colour = False
        first: tuple[int, int] | None = None
        for path in paths:
            with _opened(path) as image:
                size, mode = image.size, image.mode
            if mode not in _GREY + _COLOUR:
                raise FileFormatError(
                    f"{path} has pixels of mode {mode}: save it with 8 bits per channel, grey or "
                    f"in colour, or give all images as .npz"
                )
            first = first or size
            if size != first:
                raise DataError(
                    f"{path} has {size[0]}x{size[1]} pixels, but {paths[0]} has "
                    f"{first[0]}x{first[1]}: bring all images to one size"
                )
            colour |= mode in _COLOUR
        assert first is not None, "there is at least one path"
        self.mode = "RGB" if colour else "L"
        self.shape = (len(paths), 3 if colour else 1, first[1], first[0])
        self.dtype = np.dtype(np.uint8)

    def read(self, numbers: IntArray) -> Array:
        images = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        for place, index in enumerate(numbers.tolist()):
            with _opened(self.paths[index]) as image:
                try:
                    pixels = np.asarray(image.convert(self.mode))
                except (OSError, SyntaxError, ValueError) as error:
                    raise FileFormatError(
                        f"{self.paths[index]} is damaged or cut short ({error}): get it again"
                    ) from None
            images[place] = pixels.reshape(*self.shape[2:], -1).transpose(2, 0, 1)
        return images


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FileFormatError(f"{path} is no image that can be read ({error})") from None


def image_folder(folder: Path, name: str, classes: Sequence[str] | None = None) -> Dataset:
    """Return the images in a folder: ``folder/CLASS/*.png``, and so on.

    The first image of each class comes first, then the second of each, and so on, by file names.
    Images in colour make all of them so. Up to a gibibyte of pixels is held in memory; of more,
    images are read when they are asked for.

    Parameters
    ----------
    folder : Path
    name : str
        Name of the data set.
    classes : sequence of str, optional
        Names of the classes; by default those of the folders, sorted.

    Raises
    ------
    FileFormatError
        If there are no such folders, one has no images, or a file cannot be read.
    DataError
        If images differ in size, or there is another class than ``classes``.
    """
    inner = sorted(x for x in folder.iterdir() if x.is_dir() and not x.name.startswith("."))
    found = {x.name: sorted(y for y in x.rglob("*") if _is_image(y)) for x in inner}
    if not found or not any(found.values()):
        raise FileFormatError(
            f"{folder} holds no images by class: put them into one folder for each class, as "
            f"{folder / 'CLASS' / 'NAME.png'}"
        )
    names = tuple(found if classes is None else classes)
    for label, files in found.items():
        if not files:
            raise FileFormatError(
                f"{folder / label} holds no images: remove it, or put images of its class into it"
            )
        if label not in names:
            raise DataError(
                f"{folder / label} is no class of the training split, which has {', '.join(names)}"
            )
    order = sorted(
        (place, names.index(label), path)
        for label, files in found.items()
        for place, path in enumerate(files)
    )
    images = in_memory(ImageFiles([path for _, _, path in order]))
    labels = np.array([label for _, label, _ in order], np.int64)
    return Dataset(name, images, labels, 8, len(names), 1 / 255, class_names=names, layout="NCHW")


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
