"""Augmentation: training images are randomly moved, mirrored, and have parts cut out.

Random numbers for a whole batch are drawn first, on the CPU, and applied afterwards: every device
draws the same numbers, and applies those of its share of the images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.training import autoaugment

#: Tries to find a rectangle that fits into an image.
TRIES = 10
#: Areas of rectangles, as shares of the image's, and ratios of height to width.
_AREAS, _RATIOS = (0.02, 0.33), (0.3, 3.3)


@dataclass(frozen=True)
class Changes:
    """Random numbers for the images of a batch.

    Parameters
    ----------
    moves : tensor of int64, shape (2, N), or None
        Rows and columns to leave out at the top and left of each padded image.
    mirrored : tensor of bool, shape (N,), or None
        Whether left and right are exchanged.
    holes : tensor of float32, shape (2, N), or None
        Centre of the square to cut out, as shares of the height and width.
    policies : tensor of float32, shape (5, N), or None
        As :func:`.autoaugment.draw` returns them.
    rectangles : tensor of float32, shape (1 + 4 * TRIES, N), or None
        Whether a rectangle is erased, and for each try to find one its area, its shape, and its
        row and column, all from 0 to 1.
    """

    moves: Tensor | None
    mirrored: Tensor | None
    holes: Tensor | None
    policies: Tensor | None = None
    rectangles: Tensor | None = None

    def part(self, rank: int, of: int) -> Changes:
        """Return the changes of the images ``rank``, ``rank + of``, ``rank + 2 of`` and so on."""
        if of == 1:
            return self
        return Changes(
            *(None if x is None else x[..., rank::of] for x in vars(self).values()),
        )


@dataclass(frozen=True)
class Augmentation:
    """Random changes of images, none of them unless it is chosen.

    Parameters
    ----------
    shift : int, or (int, int)
        Largest movement of an image in each direction, in pixels, or along its rows' axis and its
        columns' axis: (0, 2) moves to the left and right only. Zeros come in. An axis of length 1,
        or of less than twice the shift, is never moved along: little of the image would stay.
    flip : bool
        Whether half of the images are mirrored.
    cutout : int
        Side of a square that is set to the pixel that stands for 0, as it is behind a
        normalisation. Its centre is anywhere in the image, so that it
        can lie partly outside. DeVries and Taylor, "Improved regularization of convolutional
        neural networks with cutout", 2017.
    autoaugment : str, optional
        Policy of :mod:`.autoaugment`, which images go through before anything is cut out.
    erase : float, optional
        Probability that a rectangle of an image is set to the pixel that stands for 0, as
        torchvision's ``RandomErasing`` does with its defaults behind a normalisation: of 2 to 33 %
        of the image's area, 0.3 to 3.3 times as high as it is wide, wholly inside; the image stays
        as it is if ten tries find none that fits. Zhong, Zheng, Kang, Li and Yang, "Random erasing
        data augmentation", AAAI 2020.
    """

    shift: int | tuple[int, ...] = 0
    flip: bool = False
    cutout: int = 0
    autoaugment: str | None = None
    erase: float | None = None

    def require(self, data: Dataset) -> None:
        """Refuse data that cannot be changed like this.

        Raises
        ------
        ConfigError
        """
        if self.autoaugment is not None:
            autoaugment.require_images(data)

    @property
    def reach(self) -> tuple[int, int]:
        """Largest movement along the height and the width."""
        rows, columns = (self.shift,) * 2 if isinstance(self.shift, int) else self.shift
        return rows, columns

    def draw(self, count: int, generator: torch.Generator) -> Changes:
        """Return random changes for ``count`` images."""
        moves = mirrored = holes = None
        rows, columns = self.reach
        if rows == columns != 0:
            moves = torch.randint(0, 2 * rows + 1, (2, count, 1), generator=generator)[..., 0]
        elif rows or columns:
            drawn = [torch.randint(2 * n + 1, (count,), generator=generator) for n in self.reach]
            moves = torch.stack(drawn)
        if self.flip:
            mirrored = torch.rand(count, generator=generator) < 0.5
        if self.cutout:
            holes = torch.rand(2, count, generator=generator)
        policies = None
        if self.autoaugment is not None:
            policies = autoaugment.draw(self.autoaugment, count, generator)
        rectangles = None
        if self.erase is not None:
            rectangles = torch.rand(1 + 4 * TRIES, count, generator=generator)
            rectangles[0] = rectangles[0] < self.erase
        return Changes(moves, mirrored, holes, policies, rectangles)

    def apply(self, images: Tensor, changes: Changes, zeros: Sequence[int] = (0,)) -> Tensor:
        """Return the changed images.

        Parameters
        ----------
        images : tensor, shape (N, ..., height, width)
            Of any type; all channels, and timesteps if there are any, are changed alike.
        changes : Changes
        zeros : sequence of int, shape (1,) or (channels,)
            Pixels that stand for 0: :attr:`Pixels.zeros`.
        """
        shape, device = images.shape, images.device
        images = images.flatten(1, -3)
        if changes.moves is not None:
            images = _moved(images, self.reach, changes.moves.to(device))
        if changes.mirrored is not None:
            mirrored = changes.mirrored.to(device)[:, None, None, None]
            images = torch.where(mirrored, images.flip(3), images)
        if changes.policies is not None and self.autoaugment is not None:
            images = autoaugment.apply(self.autoaugment, images, changes.policies)
        if changes.holes is not None:
            images = _filled(images, self._holes(shape, changes.holes.to(device)), zeros)
        if changes.rectangles is not None:
            images = _filled(images, _erased(shape, changes.rectangles.to(device)), zeros)
        return images.reshape(shape) if len(shape) > 4 else images

    def _holes(self, shape: torch.Size, centres: Tensor) -> Tensor:
        """Return a mask of the pixels to cut out, (N, 1, height, width)."""
        inside = []
        for share, side in zip(centres, shape[-2:], strict=True):
            first = (share * side).long() - self.cutout // 2
            index = torch.arange(side, device=share.device)
            inside.append((index >= first[:, None]) & (index < first[:, None] + self.cutout))
        rows, columns = inside
        both: Tensor = rows[:, :, None] & columns[:, None, :]
        return both[:, None]


def _filled(images: Tensor, mask: Tensor, zeros: Sequence[int]) -> Tensor:
    """Return images with the pixels of a mask (N, 1, height, width) set to those that stand for 0.

    Channels may be those of several timesteps, one behind the other.
    """
    fill = torch.tensor(zeros, dtype=images.dtype, device=images.device)
    fill = fill.expand(images.shape[1]) if len(fill) == 1 else fill
    fill = fill.repeat(images.shape[1] // len(fill))
    return torch.where(mask, fill[:, None, None], images)


def _erased(shape: torch.Size, drawn: Tensor) -> Tensor:
    """Return a mask of the pixels to erase, (N, 1, height, width)."""
    height, width = shape[-2:]
    area, form, row, column = drawn[1:].double().reshape(4, TRIES, -1)
    low, high = (math.log(ratio) for ratio in _RATIOS)
    area = height * width * (_AREAS[0] + area * (_AREAS[1] - _AREAS[0]))
    form = (low + form * (high - low)).exp()
    rows, columns = (x.sqrt().round().long() for x in (area * form, area / form))
    fits = (rows < height) & (columns < width)
    # The first try that fits.
    chosen = fits.double().argmax(0, keepdim=True)
    erased = drawn[0].bool() & fits.any(0)
    inside = []
    for share, length, side in ((row, rows, height), (column, columns, width)):
        first = (share * (side - length + 1)).floor().long().gather(0, chosen)[0]
        last = first + length.gather(0, chosen)[0]
        index = torch.arange(side, device=drawn.device)
        inside.append((index >= first[:, None]) & (index < last[:, None]))
    both: Tensor = inside[0][:, :, None] & inside[1][:, None, :] & erased[:, None, None]
    return both[:, None]


def _moved(images: Tensor, reach: tuple[int, int], moves: Tensor) -> Tensor:
    count, _, height, width = images.shape
    sizes = (height, width)
    movable = [size > 1 and size >= 2 * most for size, most in zip(sizes, reach, strict=True)]
    up, left = (most if may else 0 for most, may in zip(reach, movable, strict=True))
    padded = functional.pad(images, (left, left, up, up))
    places = []
    for axis, size in enumerate(sizes):
        place = torch.arange(size, device=images.device).expand(count, size)
        places.append(moves[axis][:, None] + place if movable[axis] else place)
    rows, columns = places
    picked = torch.arange(count, device=images.device)[:, None, None]
    return padded[picked, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
