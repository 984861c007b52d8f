"""Labelled images as integer pixels, with or without a time axis: the form of every data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.network import Input

PixelArray = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]
#: A choice of images: their numbers, or a slice.
Indices = slice | Sequence[int] | IntArray | torch.Tensor


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels.

    Parameters
    ----------
    name : str
    images : array of uint8, shape (N, channels, height, width)
        Pixels, as the network's integer input takes them.
    labels : array of int64, shape (N,)
        0 to ``classes - 1``.
    bits : int
        Pixels are below ``2 ** bits``.
    classes : int
    scale : float
        Real value of one pixel step: ``images * scale`` lies in [0, 1], which is what a torch
        model sees.
    spikes : array of uint8, shape (N, T, channels, height, width), optional
        The images with a time axis, for recordings of an event camera; ``images`` are then the
        sums over it.
    """

    name: str
    images: PixelArray
    labels: IntArray
    bits: int
    classes: int
    scale: float
    spikes: PixelArray | None = None

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise DataError(
                f"{self.name} has {len(self.images)} images but {len(self.labels)} labels"
            )
        if self.images.ndim != 4 or self.images.size == 0:
            raise DataError(
                f"images of {self.name} must have shape (N, channels, height, width) with none of "
                f"them 0, not {self.images.shape}"
            )
        if int(self.images.max()) >> self.bits:
            raise DataError(
                f"images of {self.name} hold the pixel {self.images.max()}, which does not fit "
                f"{self.bits} bits"
            )
        if self.spikes is not None and (
            self.spikes.ndim != 5
            or not np.array_equal(self.spikes.sum(1, dtype=np.uint32), self.images)
        ):
            raise DataError(
                f"spikes of {self.name} must have shape (N, T, channels, height, width) and add up "
                f"over T to the images {self.images.shape}: their shape is {self.spikes.shape}"
            )
        if self.labels.min() < 0 or self.labels.max() >= self.classes:
            raise DataError(
                f"labels of {self.name} must be from 0 to {self.classes - 1}, not "
                f"{self.labels.min()} to {self.labels.max()}"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        _, channels, height, width = self.images.shape
        return (channels, height, width)

    @property
    def steps(self) -> int | None:
        """Number of timesteps T; None if there is no time axis."""
        return None if self.spikes is None else self.spikes.shape[1]

    @property
    def timed_shape(self) -> tuple[int, ...]:
        """Shape of one image: (T, channels, height, width), without T if there is no time axis."""
        return self.shape if self.steps is None else (self.steps, *self.shape)

    def images_for(self, source: Input) -> PixelArray:
        """Return the images in the form that a network's input takes.

        Returns
        -------
        array of uint8, shape (N, channels, height, width)
            With the time axis behind N, if the input has one.

        Raises
        ------
        DataError
            If the input has a time axis, and the data set has none, or one of another length.
        """
        if source.steps is None:
            return self.images
        if self.spikes is None:
            raise DataError(
                f"the network's input has a time axis of {source.steps} timesteps, but {self.name} "
                f"has still images: take a data set of events"
            )
        if self.steps != source.steps:
            raise DataError(
                f"the network's input has a time axis of {source.steps} timesteps, but {self.name} "
                f"was put into {self.steps} bins: load it with Binning({source.steps})"
            )
        return self.spikes

    def batch(
        self,
        indices: Indices | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return some images in the form that a torch model takes, and their labels.

        Only these images are turned into real numbers: those of a whole data set take four times
        the memory of its pixels, for CIFAR-10 600 MB.

        Parameters
        ----------
        indices : slice, or integers of shape (N,), optional
            Images to return, in this order; all by default.
        device : torch.device, optional
            Device of the tensors; pixels travel there as bytes.
        dtype : torch.dtype
            Pixels are scaled in this precision: 1/255 in float32 is another number than in
            float64.

        Returns
        -------
        images : tensor of ``dtype`` in [0, 1], shape (N, channels, height, width)
        targets : tensor of int64, shape (N,)
        """
        if isinstance(indices, torch.Tensor):
            indices = indices.cpu().numpy()
        chosen = slice(None) if indices is None else indices
        images, targets = (torch.from_numpy(a[chosen]) for a in (self.images, self.labels))
        return images.to(device).to(dtype).mul_(self.scale), targets.to(device)

    def inputs(self) -> torch.Tensor:
        """Return all images for a torch model: float32 in [0, 1], (N, channels, height, width)."""
        return self.batch()[0]

    def targets(self) -> torch.Tensor:
        """Return the labels as an int64 tensor, shape (N,)."""
        return torch.from_numpy(self.labels)

    def take(self, indices: Sequence[int] | IntArray | torch.Tensor) -> Dataset:
        """Return the images with these numbers, in this order.

        Parameters
        ----------
        indices : integers, shape (M,)
            Each from 0 to N - 1; at least one.

        Raises
        ------
        ConfigError
            If they are no such integers.
        """
        chosen = np.asarray(indices)
        if chosen.ndim != 1 or chosen.size == 0 or chosen.dtype.kind not in "iu":
            raise ConfigError(
                f"images of {self.name} are taken by integers along one axis, at least one, not by "
                f"{chosen.dtype} of shape {chosen.shape}"
            )
        if chosen.min() < 0 or chosen.max() >= len(self):
            raise ConfigError(
                f"images of {self.name} have the numbers 0 to {len(self) - 1}, so {chosen.min()} "
                f"to {chosen.max()} cannot be taken"
            )
        return replace(
            self,
            images=self.images[chosen],
            labels=self.labels[chosen],
            spikes=None if self.spikes is None else self.spikes[chosen],
        )

    def head(self, count: int) -> Dataset:
        """Return the first ``count`` images (all of them, if there are fewer).

        Raises
        ------
        ConfigError
            If ``count`` is not positive.
        """
        if count < 1:
            raise ConfigError(f"the number of images must be at least 1, not {count}")
        return self.take(np.arange(min(count, len(self))))

    def split(self, share: float, seed: int) -> tuple[Dataset, Dataset]:
        """Return two parts of the images: for training, and for validation.

        Each image is in one of the parts, and the order stays. Validation gets its ``share`` of
        all images and of each class, as exactly as whole images allow: a class's share is rounded
        down or up. The images of a class are drawn at random; the same seed draws the same ones.

        Parameters
        ----------
        share : float
            Share of the images for validation, more than 0 and less than 1.
        seed : int
            Seed of the draw, at least 0.

        Returns
        -------
        training, validation : Dataset

        Raises
        ------
        ConfigError
            If the share is out of range, or leaves one of the two without images.
        """
        if not 0 < share < 1:
            raise ConfigError(
                f"the share of images for validation must be between 0 and 1, not {share}"
            )
        if seed < 0:
            raise ConfigError(f"the seed of a split must be at least 0, not {seed}")
        wanted = share * np.bincount(self.labels, minlength=self.classes)
        total = int(np.floor(share * len(self) + 0.5))
        if not 0 < total < len(self):
            part = "validation" if total == 0 else "training"
            raise ConfigError(
                f"a share of {share} for validation leaves no image of {self.name}'s {len(self)} "
                f"for {part}: choose another share, or more images"
            )
        counts = np.floor(wanted).astype(np.int64)
        # Images that rounding down has left over go to the classes that lost most by it.
        most = np.argsort(counts - wanted, kind="stable")
        counts[most[: total - counts.sum()]] += 1
        generator = np.random.default_rng(seed)
        held = np.zeros(len(self), bool)
        for label, count in enumerate(counts):
            members = np.flatnonzero(self.labels == label)
            held[generator.permutation(members)[:count]] = True
        return self.take(np.flatnonzero(~held)), self.take(np.flatnonzero(held))


@dataclass(frozen=True)
class Binning:
    """Time bins in which the events of a recording are counted.

    Parameters
    ----------
    timesteps : int
        Number of equally long time bins.
    highest : int
        Largest count of a pixel and polarity in one bin; a bin with more events has this count. A
        pixel's sum over all bins must fit 8 bits: ``timesteps * highest`` is at most 255.
    """

    timesteps: int = 8
    highest: int = 1

    def __post_init__(self) -> None:
        if self.timesteps < 1 or self.highest < 1 or self.timesteps * self.highest > 255:
            raise ConfigError(
                f"events can be put into bins whose sum is at most 255, not {self.timesteps} bins "
                f"of up to {self.highest}: take fewer timesteps or a smaller highest value"
            )

    @staticmethod
    def of(source: Input) -> Binning | None:
        """Return the binning for a network's input; None if the input has no time axis."""
        return None if source.steps is None else Binning(source.steps, source.values().high)
