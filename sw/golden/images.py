"""Checks of the images that are handed to a network."""

from __future__ import annotations

import math
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from spikeloom.sw.errors import DataError
from spikeloom.sw.network import Input


class HasInput(Protocol):
    """A network, or anything else that describes its input."""

    @property
    def input(self) -> Input: ...


@runtime_checkable
class Images(Protocol):
    """Images that a slice reads from where they are, as those of a data set that is a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of images, and the shape of each."""

    def __len__(self) -> int: ...

    def __getitem__(self, which: slice, /) -> npt.NDArray[Any]: ...


def check_images(
    network: HasInput, images: npt.ArrayLike | Tensor, first: int = 0
) -> npt.NDArray[Any]:
    """Return ``images`` as an array, once it is known that they fit the network's input.

    Signals of shape (C, L) are taken as (C, 1, L). ``first`` is the number that messages give to
    the first image.

    Raises
    ------
    DataError
        If they are not integers, have another shape, or are none at all, or if a value is out of
        range.
    """
    if isinstance(images, Tensor):
        if images.is_floating_point() or images.is_complex():
            raise _no_integers(str(images.dtype), network)
        images = images.detach().cpu().numpy()
    try:
        array = np.asarray(images)
    except ValueError as error:
        raise DataError(f"images must be one array of integers: {error}") from None
    if array.dtype.kind not in "iu":
        raise _no_integers(str(array.dtype), network)
    shape = network.input.image_shape
    if len(shape) > 1 and shape[-2] == 1 and array.shape[1:] == (*shape[:-2], shape[-1]):
        array = array[..., None, :]  # signals (C, L) are feature maps of one row
    if array.shape[1:] != shape or array.ndim == 0:
        expected = f"(N, {', '.join(map(str, shape))})"
        hint = _shape_hint(network.input, array.shape)
        raise DataError(f"images must have the shape {expected}, not {array.shape}: {hint}")
    if not len(array):
        raise DataError("there are no images: at least one is needed")
    allowed = network.input.pixels()
    if array.min() < allowed.low or array.max() > allowed.high:
        at = tuple(int(i) for i in np.argwhere((array < allowed.low) | (array > allowed.high))[0])
        raise DataError(
            f"image {first + at[0]} holds {array[at]} at {at[1:]}, but the network's input takes "
            f"{allowed.low} to {allowed.high}: pass the pixels of the data set that it was trained "
            f"on; if they have another range, prepare(..., pixels=Pixels(...)) for it"
        )
    return array


def check_parts(network: HasInput, images: npt.ArrayLike | Tensor | Images, size: int) -> Images:
    """Check images as :func:`check_images` does, but ``size`` of them at a time; return them.

    Images that stay where they are until a slice reads them are returned as they are given, so that
    they need not fit into memory. All others become an array.
    """
    if isinstance(images, np.ndarray | Tensor) or not isinstance(images, Images):
        return check_images(network, images)
    for first in range(0, max(len(images), 1), size):
        check_images(network, images[first : first + size], first)
    return images


def _shape_hint(source: Input, found: tuple[int, ...]) -> str:
    """Return advice on images whose shape is not that of the input."""
    shape, frame, steps = source.image_shape, source.shape, source.image_steps
    if found == shape:
        return "add the axis of images, images[None]"
    if steps is None and len(shape) == 3 and found[1:] == (*shape[1:], shape[0]):
        return "the channels come before height and width, images.transpose(0, 3, 1, 2)"
    if found and math.prod(found[1:]) == math.prod(shape):
        return f"use images.reshape(-1, {', '.join(map(str, shape))})"
    if steps is None and len(found) == len(shape) + 2 and found[2:] == frame:
        if source.steps is not None:
            return "it makes spikes of pixels itself, give these without a time axis"
        return "its input is constant over time, sum the images over their time axis, images.sum(1)"
    if steps is not None and found == frame:
        return "the axes of images and time are missing"
    if steps is not None and found[1:] == frame and found[0] != steps:
        return f"the time axis of {steps} timesteps is missing, bin the events in time"
    if steps is not None and len(found) == len(shape) + 1 and found[2:] == frame:
        if found[0] == steps:
            return "the time axis comes after that of images, images.swapaxes(0, 1)"
        return f"the network takes {steps} timesteps, not {found[1]}"
    return "these are images for another network"


def _no_integers(dtype: str, network: HasInput) -> DataError:
    allowed = network.input.pixels()
    return DataError(
        f"images must be integers from {allowed.low} to {allowed.high}, not {dtype}: pass the "
        f"pixels as they are in the data set, not scaled to fractions; Pixels(...).nearest(images) "
        f"returns those that a model's images stand for"
    )
