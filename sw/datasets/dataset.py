"""Labelled images as integer pixels, with or without a time axis: the form of every data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import InitVar, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from spikeloom.sw.datasets.arrays import as_pixels, described_pixels, pixels_of
from spikeloom.sw.datasets.lazy import Changed, LazyImages, take
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.datasets.targets import held_out, targets_of
from spikeloom.sw.datasets.tensors import is_tensor
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.names import shortened
from spikeloom.sw.network import DirectInput, Input
from spikeloom.sw.tasks import CLASSES, VALUES, Task, Values
from spikeloom.sw.tasks.report import spread

if TYPE_CHECKING:
    import torch

#: uint8; int32 for pixels of more than 8 bits.
PixelArray = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]
#: An array, or LazyImages, which is indexed alike. Not their union: code that puts arrays into a
#: data set would have to ask for the type of what it gets back.
Images = Any
#: One number, or one for each channel. Not their union, for the same reason: most data have one.
Scale = Any
#: A choice of images: their numbers, or a slice.
Indices: TypeAlias = "slice | Sequence[int] | IntArray | torch.Tensor"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels.

    Images of your own become one by :meth:`from_arrays`.

    Parameters
    ----------
    name : str
    images : array of integers or LazyImages, shape (N, channels, height, width)
        Pixels, as the network's integer input takes them. They are kept as uint8, or as int32 if
        they have more than 8 bits.
    labels : array of integers, shape (N,); or of booleans or floats, shape (N, ``classes``)
        Class of each image, 0 to ``classes - 1``, kept as int64; or, of other tasks, whether each
        of several labels applies, or real values, kept as float32.
    bits : int
        Pixels are below ``2 ** bits``.
    classes : int
        Number of classes, of labels or of values.
    scale : float or sequence of float, shape (channels,)
        Real value of one pixel step, of all channels or of each. A torch model sees
        ``(images - offset) * scale``; without an offset, that lies in [0, 1].
    spikes : array of uint8 or LazyImages, shape (N, T, channels, height, width), optional
        The images with a time axis, for recordings of an event camera; ``images`` are then the
        sums over it.
    class_names : tuple of str, optional
        Name of each class, label or value, if they have names.
    signed : bool
        Whether pixels can be negative.
    offset : float or sequence of float, shape (channels,)
        Pixel that stands for 0, of all channels or of each.
    task : {"classes", "labels", "values"}
        One class of several, several labels at once, or real values: see
        :mod:`spikeloom.sw.tasks`.
    layout : {"auto", "NCHW"}
        Images whose channels seem to come last are refused, unless this is "NCHW". It is not kept.

    Raises
    ------
    DataError
        If images or labels have another type, shape or range, or do not fit each other.
    """

    name: str
    images: Images
    labels: npt.NDArray[Any]
    bits: int
    classes: int
    scale: Scale
    spikes: Images | None = None
    class_names: tuple[str, ...] | None = None
    signed: bool = False
    offset: Scale = 0.0
    task: str = CLASSES
    layout: InitVar[str] = "auto"

    def __post_init__(self, layout: str) -> None:
        if len(self.images) != len(self.labels):
            raise DataError(
                f"{self.name} has {len(self.images)} images but {len(self.labels)} labels"
            )
        if np.ndim(self.images) != 4 or 0 in np.shape(self.images):
            raise DataError(
                f"images of {self.name} must have shape (N, channels, height, width) with none of "
                f"them 0, not {np.shape(self.images)}"
            )
        if not isinstance(self.images, LazyImages):
            images, _ = pixels_of(self.images, self.name, self.bits, layout, self.signed)
            object.__setattr__(self, "images", images)
        if isinstance(self.spikes, np.ndarray) and (
            self.spikes.ndim != 5
            or not np.array_equal(self.spikes.sum(1, dtype=np.uint32), self.images)
        ):
            raise DataError(
                f"spikes of {self.name} must have shape (N, T, channels, height, width) and add up "
                f"over T to the images {self.images.shape}: their shape is {self.spikes.shape}"
            )
        labels = targets_of(self.labels, len(self.images), self.classes, self.name, self.task)
        object.__setattr__(self, "labels", labels.targets)
        if self.class_names is not None and len(self.class_names) != self.classes:
            raise DataError(
                f"{self.name} has {self.classes} classes, but {len(self.class_names)} names of "
                f"classes"
            )

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

    @property
    def format(self) -> Pixels:
        """The integers of the images, and the real numbers that a model sees in their place."""
        return Pixels(self.bits, self.scale, self.offset, self.signed)

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

    def _reduced(self, bits: int) -> Images:
        """Return the images with fewer bits, or as they are."""
        if bits == self.bits:
            return self.images
        given = self.format

        def change(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return given.reduce(images, bits)

        return Changed(self.images, change) if self.streams else change(self.images)

    def real(self, pixels: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
        """Return what a torch model sees in place of some of the images' pixels.

        Parameters
        ----------
        pixels : tensor of integers, shape (N, channels, height, width)
        dtype : torch.dtype, optional
            float32 by default.
        """
        return self.format.real(pixels, dtype)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        # The arrays would fill the screen.
        pixels, (low, high) = self.format.range(), self.format.reals()
        classes = f"{self.classes} classes"
        if self.class_names is not None:
            classes += f": {shortened(self.class_names)}"
        where = ", read when asked for" if self.streams else ""
        return (
            f"<Dataset {self.name!r}: {len(self):,} images of "
            f"{'x'.join(map(str, self.timed_shape))}{where}, {classes}\n"
            f"  pixels {pixels.low} to {pixels.high}, for a model {low:.4g} to {high:.4g}>"
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        _, channels, height, width = self.images.shape
        return (channels, height, width)

    @property
    def streams(self) -> bool:
        """Whether images are read when they are asked for, rather than held in memory."""
        return isinstance(self.images, LazyImages)

    @property
    def steps(self) -> int | None:
        """Number of timesteps T; None if there is no time axis."""
        return None if self.spikes is None else self.spikes.shape[1]

    @property
    def timed_shape(self) -> tuple[int, ...]:
        """Shape of one image: (T, channels, height, width), without T if there is no time axis."""
        return self.shape if self.steps is None else (self.steps, *self.shape)

    def images_for(self, source: Input) -> Images:
        """Return the images in the form that a network's input takes.

        Returns
        -------
        array of integers or LazyImages, shape (N, channels, height, width)
            With the time axis behind N, if the input has one; rounded to fewer bits, if the input
            has fewer.

        Raises
        ------
        DataError
            If the input has a time axis, and the data set has none, or one of another length.
        """
        if isinstance(source, DirectInput) and source.bits < self.bits:
            return self._reduced(source.bits)
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

    def pixels(self, indices: Indices | None = None, source: Input | None = None) -> torch.Tensor:
        """Return some images unscaled, as a tensor; one that may share memory with them.

        Parameters
        ----------
        indices : slice, or integers of shape (N,), optional
            Images to return, in this order; all by default.
        source : Input, optional
            Return the images in the form that this input takes: :meth:`images_for`.
        """
        import torch

        if is_tensor(indices):
            indices = indices.cpu().numpy()
        images = self.images if source is None else self.images_for(source)
        chosen = images[slice(None) if indices is None else indices]
        # torch warns of arrays that cannot be written to.
        return torch.from_numpy(chosen if chosen.flags.writeable else chosen.copy())

    def batch(
        self,
        indices: Indices | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
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
        dtype : torch.dtype, optional
            Pixels are scaled in this precision, float32 by default: 1/255 in float32 is another
            number than in float64.

        Returns
        -------
        images : tensor of ``dtype``, shape (N, channels, height, width)
        targets : tensor of int64, shape (N,); or of float32, shape (N, ``classes``)
        """
        if is_tensor(indices):
            indices = indices.cpu().numpy()
        chosen = slice(None) if indices is None else indices
        images, targets = self.pixels(chosen), self.targets()[chosen]
        return self.real(images.to(device), dtype), targets.to(device)

    def inputs(self) -> torch.Tensor:
        """Return all images for a torch model: float32, (N, channels, height, width)."""
        return self.batch()[0]

    def targets(self) -> torch.Tensor:
        """Return the labels as an int64 tensor, shape (N,).

        Those of other tasks are float32, of shape (N, ``classes``): 1 and 0 for labels that apply
        and those that do not, or real values.
        """
        import torch

        targets = torch.from_numpy(self.labels)
        return targets if self.task == CLASSES else targets.float()

    @property
    def meaning(self) -> Task:
        """The task, as what a model's outputs for these images mean."""
        if self.task == VALUES:
            return Values(spread=spread(self.targets()))
        return Task.kinds[self.task]()

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
