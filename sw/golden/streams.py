"""Streams: the order of values into an accelerator, out of it, and at its taps.

``docs/hardware.md`` specifies it. Everything that sends images or reads results uses these
functions.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from spikeloom.sw.network import Input, Shape
from spikeloom.sw.network.record import IntArray


def pixel_stream(source: Input, images: npt.ArrayLike) -> IntArray:
    """Return images in the order in which an accelerator takes their values.

    Parameters
    ----------
    source : Input
        Of the network.
    images : array of integers, shape (N, *source.image_shape)

    Returns
    -------
    array of int64, shape (N, values)
        Row by row, column by column, the channel faster, the timestep fastest.
    """
    steps = source.image_steps or 1
    array = np.asarray(images, np.int64)
    array = array.reshape(len(array), steps, source.shape[0], math.prod(source.shape[1:]))
    return array.transpose(0, 3, 2, 1).reshape(len(array), -1)


def in_stream_order(shape: Shape, values: IntArray) -> IntArray:
    """Return (N, values) arrays with the channel fastest instead of slowest."""
    images = len(values)
    return values.reshape(images, shape[0], -1).transpose(0, 2, 1).reshape(images, -1)


def in_network_order(shape: Shape, values: IntArray) -> IntArray:
    """Undo :func:`in_stream_order`."""
    images = len(values)
    return values.reshape(images, -1, shape[0]).transpose(0, 2, 1).reshape(images, -1)


def counts_of(shape: Shape, words: IntArray) -> IntArray:
    """Return a layer's counts, from the counts or spikes that it has sent.

    Parameters
    ----------
    shape : tuple of int
        Of the layer.
    words : array of int64, shape (N, transfers, lanes)
        All transfers of each image: row by row, column by column, group by group of channels; of
        spikes, all timesteps of a group follow one another.

    Returns
    -------
    array of int64, shape (N, *shape)
        Summed over the timesteps.
    """
    images, _, lanes = words.shape
    positions, groups = math.prod(shape[1:]), -(-shape[0] // lanes)
    summed = words.reshape(images, positions, groups, -1, lanes).sum(3)
    channels = summed.reshape(images, positions, groups * lanes)[:, :, : shape[0]]
    counts: IntArray = channels.transpose(0, 2, 1).reshape(images, *shape)
    return counts
