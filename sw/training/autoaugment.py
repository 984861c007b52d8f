"""AutoAugment: pairs of image operations that were found by search for CIFAR-10.

Cubuk, Zoph, Mane, Vasudevan and Le, "AutoAugment: learning augmentation strategies from data", CVPR
2019. The operations and the ten magnitudes of each are those that torchvision's ``AutoAugment`` has
for images of Pillow, with nearest pixels, and zeros where an image is moved away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.errors import ConfigError

#: An operation, its probability, and the index of its magnitude.
Step = tuple[str, float, int]

_CIFAR10 = """
    invert 0.1 0, contrast 0.2 6; rotate 0.7 2, translate-x 0.3 9; sharpness 0.8 1, sharpness 0.9 3
    shear-y 0.5 8, translate-y 0.7 9; autocontrast 0.5 0, equalize 0.9 0
    shear-y 0.2 7, posterize 0.3 7; color 0.4 3, brightness 0.6 7
    sharpness 0.3 9, brightness 0.7 9; equalize 0.6 0, equalize 0.5 0
    contrast 0.6 7, sharpness 0.6 5; color 0.7 7, translate-x 0.5 8
    equalize 0.3 0, autocontrast 0.4 0; translate-y 0.4 3, sharpness 0.2 6
    brightness 0.9 6, color 0.2 8; solarize 0.5 2, invert 0.0 0
    equalize 0.2 0, autocontrast 0.6 0; equalize 0.2 0, equalize 0.6 0
    color 0.9 9, equalize 0.6 0; autocontrast 0.8 0, solarize 0.2 8
    brightness 0.1 3, color 0.7 0; solarize 0.4 5, autocontrast 0.9 0
    translate-y 0.9 9, translate-y 0.7 9; autocontrast 0.9 0, solarize 0.8 3
    equalize 0.8 0, invert 0.1 0; translate-y 0.7 9, autocontrast 0.9 0
"""


def _steps(text: str) -> tuple[Step, Step]:
    first, second = (
        (name, float(probability), int(index))
        for name, probability, index in (part.split() for part in text.split(","))
    )
    return first, second


#: The pairs of operations by the name of a policy. One pair is drawn for each image.
POLICIES: dict[str, tuple[tuple[Step, Step], ...]] = {
    "cifar10": tuple(
        _steps(pair) for line in _CIFAR10.strip().splitlines() for pair in line.split(";")
    )
}


def draw(policy: str, count: int, generator: torch.Generator) -> Tensor:
    """Return random numbers for images, float32 of shape (5, count).

    They are the number of the pair, and a probability and a sign, 0 or 1, of each operation.
    """
    pairs = torch.randint(len(POLICIES[policy]), (1, count), generator=generator)
    chances = torch.rand(2, count, generator=generator)
    signs = torch.randint(2, (2, count), generator=generator)
    return torch.cat([pairs.float(), chances, signs.float()])


def apply(policy: str, images: Tensor, drawn: Tensor) -> Tensor:
    """Return changed images.

    Parameters
    ----------
    policy : str
        A key of :data:`POLICIES`.
    images : tensor of integers, shape (N, 1 or 3, height, width)
        From 0 to 255.
    drawn : tensor, shape (5, N)
        From :func:`draw`.
    """
    pixels = images.to("cpu", torch.uint8).permute(0, 2, 3, 1).numpy()
    changed = []
    for image, (pair, *numbers) in zip(pixels, drawn.T.tolist(), strict=True):
        grey = image.shape[2] == 1
        picture = Image.fromarray(np.ascontiguousarray(image[..., 0] if grey else image))
        steps = POLICIES[policy][int(pair)]
        for (name, probability, index), chance, sign in zip(
            steps, numbers[:2], numbers[2:], strict=True
        ):
            if chance <= probability:
                picture = operate(picture, name, index, negative=sign == 0)
        changed.append(np.asarray(picture).reshape(image.shape))
    result = torch.from_numpy(np.stack(changed)).permute(0, 3, 1, 2)
    return result.to(images.device, images.dtype).contiguous()


def operate(image: Image.Image, name: str, index: int, negative: bool = False) -> Image.Image:
    """Return an image after an operation.

    Parameters
    ----------
    image : PIL.Image.Image
        Of mode L or RGB.
    name : str
    index : int
        Of the magnitude, 0 to 9.
    negative : bool
        Whether the magnitude is negative, for operations that have two directions.
    """
    share = index / 9
    signed = -share if negative else share
    moved = 150 / 331 * signed
    operations: dict[str, Callable[[], Image.Image]] = {
        "shear-x": lambda: _affine(image, (1, 0.3 * signed, 0, 0, 1, 0)),
        "shear-y": lambda: _affine(image, (1, 0, 0, 0.3 * signed, 1, 0)),
        "translate-x": lambda: _affine(image, (1, 0, -int(moved * image.width), 0, 1, 0)),
        "translate-y": lambda: _affine(image, (1, 0, 0, 0, 1, -int(moved * image.height))),
        "rotate": lambda: image.rotate(30 * signed, Image.Resampling.NEAREST),
        "brightness": lambda: ImageEnhance.Brightness(image).enhance(1 + 0.9 * signed),
        "color": lambda: ImageEnhance.Color(image).enhance(1 + 0.9 * signed),
        "contrast": lambda: ImageEnhance.Contrast(image).enhance(1 + 0.9 * signed),
        "sharpness": lambda: ImageEnhance.Sharpness(image).enhance(1 + 0.9 * signed),
        "posterize": lambda: ImageOps.posterize(image, 8 - round(4 * share)),
        "solarize": lambda: ImageOps.solarize(image, 255 - 255 * share),  # type: ignore[arg-type]
        "autocontrast": lambda: ImageOps.autocontrast(image),
        "equalize": lambda: ImageOps.equalize(image),
        "invert": lambda: ImageOps.invert(image),
    }
    return operations[name]()


def require_images(data: Dataset) -> None:
    """Refuse data that the operations are not made for.

    Raises
    ------
    ConfigError
        If they are no images of 8 bits in grey or RGB.
    """
    if data.bits == 8 and not data.signed and len(data.shape) == 3 and data.shape[0] in (1, 3):
        return
    raise ConfigError(
        f"autoaugment is for images of 8 bits with 1 or 3 channels, and {data.name} has "
        f"{data.bits} bits and the shape {data.shape}: leave it out, or the bits of the pixels"
    )


def _affine(image: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    affine = Image.Transform.AFFINE
    return image.transform(image.size, affine, matrix, Image.Resampling.NEAREST)
