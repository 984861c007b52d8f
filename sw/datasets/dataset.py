"""Data sets: labelled images that are made of arrays, described anew, and taken in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeloom.sw.datasets.arrays import IntArray, as_pixels, described_pixels
from spikeloom.sw.datasets.labelled import LabelledImages
from spikeloom.sw.datasets.lazy import take
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.datasets.targets import held_out, targets_of
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.tasks import CLASSES

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(LabelledImages):
    """Labelled images as integer pixels, with or without a time axis: the form of every data set.

    Images of your own become one by :meth:`from_arrays`. The parameters are those of
    :class:`~spikeloom.sw.datasets.labelled.LabelledImages`.
    """

    @staticmethod
    def from_arrays(
        images: Any,
        labels: Any,
        classes: int | Sequence[str] | None = None,
        *,
        name: str = "own data",
        bits: int | None = None,
        scale: float | None = None,
        pixels: Pixels | None = None,
        layout: str = "auto",
        task: str | None = None,
    ) -> Dataset:
        """Return a data set of your own images and labels, after checking all of both.

        Parameters
        ----------
        images : array, tensor or list of integers
            Of shape (N, channels, height, width); or (N, size, size) for square grey images; or
            (N, channels, length) for signals, which are kept as (N, channels, 1, length), if they
            have at most 16 channels and are at least four times as long; or (N, features), which
            are kept as (N, features, 1, 1). A memory map
            (``numpy.load(path, mmap_mode="r")``) is read when images are asked for, so that it
            need not fit into memory. Negative integers make pixels signed. With ``pixels``, real
            numbers as the model sees them are taken, too, and rounded to the nearest pixels.
        labels : array, tensor or list, of N integers or names
            Integers of any type, from 0; or texts, which are numbered in the order of ``classes``.
            Or the targets of another task: booleans, or 0 and 1, of shape (N, labels), if an image
            can have any number of labels; or real numbers of shape (N,) or (N, values).
        classes : int, or sequence of str, optional
            Number or names of the classes. By default the largest label and 1, or the names that
            occur, sorted. Give them if a split may lack a class that another one has. Or number or
            names of the labels or values.
        name : str
            For messages and for the trained model.
        bits : int, optional
            Pixels are below ``2 ** bits``, 1 to 16. By default 8 if all pixels are below 256, and
            otherwise 16.
        scale : float, optional
            Real value of one pixel step; by default the largest pixel stands for 1, that is
            ``1 / (2 ** bits - 1)``, or of signed pixels ``1 / 2 ** (bits - 1)``.
        pixels : Pixels, optional
            All of this, in place of ``bits`` and ``scale``: ``Pixels.normalised(mean, std)`` if the
            model takes images that are normalised so.
        layout : {"auto", "NCHW", "NHWC", "NHW", "NCL", "NF"}
            The meaning of the axes, where their lengths do not show it: number of the image,
            channels, height and width, or the length of a signal, or features.
        task : {"classes", "labels", "values"}, optional
            Meaning of the labels, where their type and shape do not show it: one class of several,
            several labels at once, or real values.

        Raises
        ------
        DataError
            If images are no integers, out of range, empty, or of a shape that can be read in two
            ways; or labels are neither integers nor names, out of range, or too many or too few.
            The message says how to mend it.
        """
        if pixels is not None:
            if bits is not None or scale is not None:
                raise ConfigError("pixels have bits and a scale already: leave bits and scale out")
            images, bits = as_pixels(images, pixels, name, layout), pixels.bits
            layout = "NCHW"
        signed = None if pixels is None else pixels.signed
        found, bits, signed = described_pixels(images, name, bits, layout, signed)
        meant = targets_of(labels, len(found), classes, name, task)
        if pixels is None:
            pixels = Pixels(bits, scale, signed=signed)
        return Dataset(
            name,
            found,
            meant.targets,
            bits,
            meant.count,
            pixels.scale,
            class_names=meant.names,
            signed=signed,
            offset=pixels.offset,
            task=meant.task,
            layout="NCHW",
        )

    def with_pixels(self, pixels: Pixels) -> Dataset:
        """Return the same images with other real numbers in their place, or with fewer bits.

        Parameters
        ----------
        pixels : Pixels
            With as many bits as the images have, or fewer, to which they are then rounded.

        Raises
        ------
        ConfigError
            If they have more bits, or are signed and the images are not, or the other way round.
        """
        if pixels.signed != self.signed or pixels.bits > self.bits:
            raise ConfigError(
                f"images of {self.name} have {self.bits} bits, "
                f"{'signed' if self.signed else 'unsigned'}, but were described by {pixels}"
            )
        if self.spikes is not None and pixels.bits < self.bits:
            raise ConfigError(f"{self.name} holds counts of events, whose bits cannot be reduced")
        return replace(
            self,
            images=self._reduced(pixels.bits),
            bits=pixels.bits,
            scale=pixels.scale,
            offset=pixels.offset,
            layout="NCHW",
        )

    def described(
        self,
        bits: int | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> Dataset:
        """Return the same images with fewer bits, or normalised for the model.

        Parameters
        ----------
        bits : int, optional
            Bits of the pixels, fewer than they have.
        mean, std : sequence of float, shape (1,) or (channels,), optional
            Of the images as the model sees them now, that is mostly from 0 to 1; the model then
            sees ``(image - mean) / std``. The standard deviation is 1 by default, the mean 0.

        Raises
        ------
        ConfigError
            If there are not fewer bits, or numbers for another number of channels.
        """
        found = self.format
        if bits is not None and bits != self.bits:
            found = found.reduced(bits)
        if mean is not None or std is not None:
            found = found.then_normalised(mean or (0.0,), std or (1.0,))
            found.channels(self.shape[0])
        return self if found == self.format else self.with_pixels(found)

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
            images=take(self.images, chosen),
            labels=self.labels[chosen],
            spikes=None if self.spikes is None else take(self.spikes, chosen),
            layout="NCHW",
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
        Without classes, they are drawn from all images.

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
        groups = self.labels if self.task == CLASSES else np.zeros(len(self), np.int64)
        held = held_out(groups, share, seed, self.name)
        return self.take(np.flatnonzero(~held)), self.take(np.flatnonzero(held))
