"""Augmentation: training images are randomly moved, mirrored, and have a square cut out.

Random numbers for a whole batch are drawn first, on the CPU, and applied afterwards: every device
draws the same numbers, and applies those of its share of the images.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.training import autoaugment


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
    """

    moves: Tensor | None
    mirrored: Tensor | None
    holes: Tensor | None
    policies: Tensor | None = None

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
        Side of a square whose pixels are set to 0. Its centre is anywhere in the image, so that it
        can lie partly outside. DeVries and Taylor, "Improved regularization of convolutional
        neural networks with cutout", 2017.
    autoaugment : str, optional
        Policy of :mod:`.autoaugment`, which images go through before the square is cut out.
    """

    shift: int | tuple[int, ...] = 0
    flip: bool = False
    cutout: int = 0
    autoaugment: str | None = None

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
        return Changes(moves, mirrored, holes, policies)

    def apply(self, images: Tensor, changes: Changes) -> Tensor:
        """Return the changed images.

        Parameters
        ----------
        images : tensor, shape (N, ..., height, width)
            Of any type; all channels, and timesteps if there are any, are changed alike.
        changes : Changes
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
            images = images.masked_fill(self._holes(shape, changes.holes.to(device)), 0)
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
