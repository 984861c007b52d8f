"""Readers of the records that the simulation writes: bit fields in little-endian 32-bit words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikeloom.sim.design import Design, EngineInfo, Field
from spikeloom.sim.job import LOGITS, sent_file, steps_file
from spikeloom.sw.network.record import IntArray

#: Records as 32-bit words, the lowest first, shape (records, words).
Words = npt.NDArray[np.uint32]

_WORD = 32


def read_words(path: Path, bits: int) -> Words:
    """Return the records in a file, each of which has ``bits`` bits, rounded up to whole words.

    The file is mapped into memory rather than read, as it may be larger. If an aborted simulation
    left an incomplete record at the end, it is omitted. A file that does not exist has no records.
    """
    words = -(-bits // _WORD)
    size = path.stat().st_size if path.exists() else 0
    records = size // (4 * words)
    if records == 0:
        return np.zeros((0, words), np.uint32)
    return np.memmap(path, dtype="<u4", mode="r", shape=(records, words))


def unpack(words: Words, offset: int, fields: Sequence[Field]) -> IntArray:
    """Return the values of adjacent fields of every record, from the lowest bits up.

    Parameters
    ----------
    words : array of uint32, shape (records, words)
    offset : int
        Position of the first field's lowest bit.
    fields : sequence of Field
        The fields, of at most 64 bits each.

    Returns
    -------
    array of int64, shape (records, fields)
    """
    values = np.empty((len(words), len(fields)), np.int64)
    for index, field in enumerate(fields):
        values[:, index] = _field(words, offset, field)
        offset += field.width
    return values


def _field(words: Words, offset: int, field: Field) -> IntArray:
    first, shift = divmod(offset, _WORD)
    value = np.zeros(len(words), np.uint64)
    for word in range(first, (offset + field.width - 1) // _WORD + 1):
        place = (word - first) * _WORD - shift
        part = words[:, word].astype(np.uint64)
        value |= part << np.uint64(place) if place >= 0 else part >> np.uint64(-place)
    unused = np.uint64(64 - field.width)
    value <<= unused
    # The sign bit is the top bit now: an arithmetic shift copies it, a logical one does not.
    return (
        value.view(np.int64) >> np.int64(unused)
        if field.signed
        else ((value >> unused).view(np.int64))
    )


class LayerRecords:
    """Records of one layer's debug taps, in the order in which the hardware showed them.

    Parameters
    ----------
    folder : Path
        Folder that the simulation ran in.
    layer : EngineInfo
        The layer, which must have taps.
    """

    def __init__(self, folder: Path, layer: EngineInfo) -> None:
        assert layer.taps is not None
        self.layer = layer
        shown = layer.units * layer.steps_per_cycle
        self._potentials = [layer.taps.potential] * shown
        self._spikes = [layer.taps.spike] * shown
        self._values = [layer.taps.value] * layer.lanes
        self._spikes_at = shown * layer.taps.potential.width
        self._steps = read_words(
            folder / steps_file(layer.name), self._spikes_at + shown * layer.taps.spike.width
        )
        self._sent = read_words(
            folder / sent_file(layer.name), layer.lanes * layer.taps.value.width
        )

    def steps(self, which: slice) -> tuple[IntArray, IntArray]:
        """Return spikes and potentials of some timesteps, each of shape (timesteps, units).

        The slice counts timesteps. Its ends must be multiples of ``steps_per_cycle``, the timesteps
        in one record.
        """
        first, last = which.start or 0, which.stop
        each, units = self.layer.steps_per_cycle, self.layer.units
        words = self._steps[first // each : None if last is None else last // each]
        spikes = unpack(words, self._spikes_at, self._spikes)
        potentials = unpack(words, 0, self._potentials)
        return spikes.reshape(-1, units), potentials.reshape(-1, units)

    def sent(self, which: slice) -> IntArray:
        """Return some of the values that the layer passed on, shape (records, lanes)."""
        return unpack(self._sent[which], 0, self._values)


class OutputRecords:
    """Records of the output stream's transfers.

    Parameters
    ----------
    folder : Path
        Folder that the simulation ran in.
    design : Design
        The simulated hardware.

    Attributes
    ----------
    cycles : array of int64, shape (transfers,)
        Clock cycle of each transfer, counted from the end of reset.
    logits : array of int64, shape (transfers,)
        Logit of each transfer.
    last : array of int64, shape (transfers,)
        1 where the accelerator marked the logit as an image's last, else 0.
    """

    def __init__(self, folder: Path, design: Design) -> None:
        words = read_words(folder / LOGITS, 2 * _WORD + design.payload_width)
        cycle, last = Field(63, False), Field(1, False)
        self.cycles = unpack(words, 0, [cycle])[:, 0]
        self.logits = unpack(words, 2 * _WORD, [design.logit])[:, 0]
        self.last = unpack(words, 2 * _WORD + design.payload_width - 1, [last])[:, 0]
