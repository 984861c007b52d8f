"""A folder of images, with a folder for each class, as torchvision's ``ImageFolder`` reads it.

Pillow decodes the files.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.lazy import Array, IntArray, LazyImages, in_memory
from spikeloom.sw.errors import DataError, FileFormatError
from spikeloom.sw.files import require_file

#: Endings of the files that are read, in lower case; other files are left out.
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp")
#: Modes of Pillow that become one channel.
_GREY = ("1", "L")
#: Modes that become red, green and blue.
_COLOUR = ("RGB", "RGBA", "P", "CMYK", "YCbCr", "LA", "PA")
#: Pixels of an image, at most: the library unpacks all of them, however small the file is.
_PIXELS = 1 << 26


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
                raise _of_many_bits(path, mode)
            first = first or size
            if size != first:
                raise DataError(
                    f"{path} has {size[0]}x{size[1]} pixels, but {paths[0]} has "
                    f"{first[0]}x{first[1]}: bring all images to one size"
                )
            colour |= mode in _COLOUR
        assert first is not None, "there is at least one path"
        self.mode = "RGB" if colour else "L"
        self.extent = first  # width and height
        self.shape = (len(paths), 3 if colour else 1, first[1], first[0])
        self.dtype = np.dtype(np.uint8)

    def read(self, numbers: IntArray) -> Array:
        images = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        for place, index in enumerate(numbers.tolist()):
            images[place] = decoded(self.paths[index], self.mode, self.extent)
        return images


def decoded(path: Path, mode: str, size: tuple[int, int], share: float | None = None) -> Array:
    """Return the image in a file.

    Parameters
    ----------
    path : Path
    mode : {"L", "RGB"}
        Grey or colour.
    size : (int, int)
        Width and height.
    share : float, optional
        The image has any size: the central square is taken, whose side is this share of the
        image's shorter side, and brought to ``size`` bilinearly. By default, the image must have
        this size.

    Returns
    -------
    array of uint8, shape (channels, height, width)

    Raises
    ------
    FileFormatError
        If the file is no image, damaged, or too large.
    DataError
        If the image has another size.
    """
    # Pillow warns of what it finds odd in photographs' notes.
    with warnings.catch_warnings(action="ignore"), _opened(path) as image:
        if image.mode not in _GREY + _COLOUR:
            raise _of_many_bits(path, image.mode)
        if share is None and image.size != size:
            raise DataError(
                f"{path} has {image.width}x{image.height} pixels, not {size[0]}x{size[1]}: get it "
                f"again, or bring all images to one size"
            )
        try:
            found = image.convert(mode)
            if share is not None:
                half = min(found.size) * share / 2
                x, y = found.width / 2, found.height / 2
                box = (x - half, y - half, x + half, y + half)
                found = found.resize(size, Image.Resampling.BILINEAR, box)
            pixels = np.asarray(found)
        # The decoders of formats raise whatever their place of failure suggests.
        except Exception as error:
            raise FileFormatError(
                f"{path} is damaged or cut short ({_reason(error)}): get it again"
            ) from None
    return pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)


def _opened(path: Path) -> Image.Image:
    try:
        require_file(path, "image")
        with warnings.catch_warnings(action="ignore"):
            image = Image.open(path)
    except FileFormatError:
        raise
    except Exception as error:  # see above
        raise FileFormatError(f"{path} is no image that can be read ({_reason(error)})") from None
    if image.width * image.height > _PIXELS:
        image.close()
        raise FileFormatError(
            f"{path} has {image.width}x{image.height} pixels, more than {_PIXELS:,}: make it "
            f"smaller"
        )
    return image


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


def _of_many_bits(path: Path, mode: str) -> FileFormatError:
    return FileFormatError(
        f"{path} has pixels of mode {mode}: save it with 8 bits per channel, grey or in colour, or "
        f"give all images as .npz"
    )


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
