"""Order of the hardware's records: image, row, column, group of lanes, timestep."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from spikeloom.sim.design import EngineInfo
from spikeloom.sim.records import BoolArray
from spikeloom.sw.network.record import IntArray


def in_hardware_order(layer: EngineInfo, values: Tensor | IntArray) -> IntArray:
    """Return golden values as records in the hardware's order.

    Parameters
    ----------
    layer : EngineInfo
    values : tensor of int64, shape (T, N, *layer.shape)

    Returns
    -------
    array of int64, shape (N * height * width * groups * T, lanes)
        Lanes beyond the last channel are 0.
    """
    array = np.asarray(values)
    steps, images = array.shape[:2]
    channels = layer.shape[0]
    array = array.reshape(steps, images, channels, layer.positions)
    filled = np.zeros((images, layer.positions, layer.groups * layer.lanes, steps), np.int64)
    filled[:, :, :channels] = array.transpose(1, 3, 2, 0)
    grouped = filled.reshape(images, layer.positions, layer.groups, layer.lanes, steps)
    return grouped.transpose(0, 1, 2, 4, 3).reshape(-1, layer.lanes)


def used_lanes(layer: EngineInfo, steps: int, records: int) -> BoolArray:
    """Return which lanes of the first ``records`` records hold a channel.

    The other lanes are unused, in the last group of channels whose number is not a multiple of the
    lanes. The result has the shape (records, lanes).
    """
    channel = np.arange(layer.groups * layer.lanes).reshape(layer.groups, 1, layer.lanes)
    cycle = np.broadcast_to(channel < layer.shape[0], (layer.groups, steps, layer.lanes))
    return np.resize(cycle.reshape(-1, layer.lanes), (records, layer.lanes))


def differences(layer: EngineInfo, steps: int, expected: IntArray, got: IntArray) -> BoolArray:
    """Return where two arrays of records, shape (records, lanes), differ in their used lanes.

    If one has more records than the other, these differ in all used lanes.
    """
    differs = used_lanes(layer, steps, max(len(expected), len(got)))
    common = min(len(expected), len(got))
    differs[:common] &= expected[:common] != got[:common]
    return differs
