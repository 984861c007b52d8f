"""Labelled images: the fields of a data set, checked, and the tensors that a torch model takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from spikeloom.sw.datasets.arrays import IntArray, pixels_of
from spikeloom.sw.datasets.lazy import Changed, LazyImages
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.datasets.targets import targets_of
from spikeloom.sw.datasets.tensors import is_tensor
from spikeloom.sw.errors import DataError
from spikeloom.sw.names import shortened
from spikeloom.sw.network import Input, PixelInput
from spikeloom.sw.tasks import CLASSES, VALUES, Task, Values
from spikeloom.sw.tasks.report import spread

if TYPE_CHECKING:
    import torch

#: uint8; int32 for pixels of more than 8 bits.
PixelArray = npt.NDArray[Any]
#: An array, or LazyImages, which is indexed alike. Not their union: code that puts arrays into a
#: data set would have to ask for the type of what it gets back.
Images = Any
#: One number, or one for each channel. Not their union, for the same reason: most data have one.
Scale = Any
#: A choice of images: their numbers, or a slice.
Indices: TypeAlias = "slice | Sequence[int] | IntArray | torch.Tensor"


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images with labels; :class:`~spikeloom.sw.datasets.Dataset` is the class that users have.

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
    def format(self) -> Pixels:
        """The integers of the images, and the real numbers that a model sees in their place."""
        return Pixels(self.bits, self.scale, self.offset, self.signed)

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

    @property
    def meaning(self) -> Task:
        """The task, as what a model's outputs for these images mean."""
        if self.task == VALUES:
            return Values(spread=spread(self.targets()))
        return Task.kinds[self.task]()

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
        if isinstance(source, PixelInput) and source.bits < self.bits:
            return self._reduced(source.bits)
        if source.image_steps is None:
            return self.images
        if self.spikes is None:
            raise DataError(
                f"the network's input has a time axis of {source.steps} timesteps, but {self.name} "
                f"has still images: take a data set of events"
            )
        if self.steps != source.image_steps:
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

    def real(self, pixels: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
        """Return what a torch model sees in place of some of the images' pixels.

        Parameters
        ----------
        pixels : tensor of integers, shape (N, channels, height, width)
        dtype : torch.dtype, optional
            float32 by default.
        """
        return self.format.real(pixels, dtype)

    def _reduced(self, bits: int) -> Images:
        """Return the images with fewer bits, or as they are."""
        if bits == self.bits:
            return self.images
        given = self.format

        def change(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return given.reduce(images, bits)

        return Changed(self.images, change) if self.streams else change(self.images)
