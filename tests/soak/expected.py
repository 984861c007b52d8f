"""Images, and all values that hardware shows and gives for them, from the golden model."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikeloom.hw.planning.streams import Sends
from spikeloom.sim.design import Design, EngineInfo, Field
from spikeloom.sim.order import in_hardware_order, used_lanes
from spikeloom.sim.records import pack
from spikeloom.sw.golden import Golden, Result
from spikeloom.sw.golden.streams import in_stream_order, pixel_stream
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray

Words = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Tap:
    """The records of one debug tap.

    Parameters
    ----------
    wanted : array of uint32, shape (images, records, words)
    mask : array of uint32, shape (records, words)
        Bits of the lanes that hold a channel.
    values : array of uint32, shape (records,)
        Values in each record.
    """

    wanted: Words
    mask: Words
    values: Words

    def content(self) -> bytes:
        """Return the tap as ``main.cpp`` reads it."""
        arrays = (self.values, self.mask, self.wanted)
        return struct.pack("<2I", *self.mask.shape) + b"".join(
            np.ascontiguousarray(array, "<u4").tobytes() for array in arrays
        )


def content(network: Network, design: Design, images: IntArray, stuck_after: int) -> bytes:
    """Return the file that ``main.cpp`` reads."""
    expected = Golden(network).run(images, trace=True)
    found = [tap for layer in design.layers for tap in taps(layer, expected)]
    pixels = pixel_stream(network.input, images).reshape(len(images), -1)
    head = (len(images), pixels.shape[1], design.output_transfers, len(found), stuck_after)
    bits = network.input.pixels().width
    return b"".join(
        (
            struct.pack("<5I", *head),
            (pixels & ((1 << bits) - 1)).astype("<u4").tobytes(),
            payloads(design, expected).astype("<u8").tobytes(),
            *(tap.content() for tap in found),
        )
    )


def payloads(design: Design, expected: Result) -> npt.NDArray[np.uint64]:
    """Return the output stream's payloads: a logit, and above it a mark of the last."""
    shape = design.layers[-1].shape
    logits = in_stream_order(shape, expected.logits.numpy()).reshape(len(expected.logits), -1)
    width = design.logit.width
    found = (logits & ((1 << width) - 1)).astype(np.uint64)
    found[:, -1] |= np.uint64(1 << (design.payload_width - 1))
    return found


def taps(layer: EngineInfo, expected: Result) -> list[Tap]:
    """Return a layer's taps, of its timesteps and of what it sends."""
    assert expected.trace is not None
    assert layer.taps is not None
    trace = expected.trace[layer.name]
    counts = expected.counts.get(layer.name)
    if layer.folded:
        assert counts is not None
        spikes, potentials, sent = counts[None], trace.potentials[-1:], counts[None]
    else:
        spikes, potentials = trace.spikes, trace.potentials
        if layer.sends == Sends.SPIKES:
            sent = spikes
        elif layer.sends == Sends.LOGITS:
            sent = potentials[-1:]
        else:
            assert counts is not None
            sent = counts[None]
    images, each, work = spikes.shape[1], layer.steps_per_cycle, layer.at_work
    shown = layer.units * each
    used = used_lanes(work, layer.shown_timesteps, layer.steps_per_image).reshape(-1, shown)
    columns = [in_hardware_order(work, x).reshape(-1, shown) for x in (potentials, spikes)]
    fields = [layer.taps.potential] * shown + [layer.taps.spike] * shown
    passed = in_hardware_order(layer, sent)
    steps = len(sent)
    used_sent = used_lanes(layer, steps, layer.sent_per_image)
    return [
        _tap(images, np.concatenate(columns, 1), np.concatenate([used, used], 1), fields),
        _tap(images, passed, used_sent, [layer.taps.value] * layer.lanes),
    ]


def _tap(images: int, values: IntArray, used: npt.NDArray[np.bool_], fields: list[Field]) -> Tap:
    records, words = len(used), math.ceil(sum(field.width for field in fields) / 32)
    wanted = pack(values.T, fields).reshape(images, records, words)
    mask = pack((-used.astype(np.int64)).T, fields)
    return Tap(wanted, mask, used.sum(1).astype(np.uint32))
