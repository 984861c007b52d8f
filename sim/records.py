"""Records that the simulation writes: bit fields in little-endian 32-bit words.

Values are read from records, and expected values are packed into words, to be compared with the
records without taking them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikeloom.sim.design import Design, EngineInfo, Field
from spikeloom.sim.job import LOGITS, sent_file, steps_file
from spikeloom.sw.network.record import IntArray

#: Records as 32-bit words, the lowest first, shape (records, words).
Words = npt.NDArray[np.uint32]
BoolArray = npt.NDArray[np.bool_]

_WORD = 32


class RecordFile:
    """Records in a file: a slice reads these, and no others, into memory.

    If an aborted simulation left an incomplete record at the end, it is omitted. A file that does
    not exist has no records.

    Parameters
    ----------
    path : Path
    bits : int
        Bits of a record, which has as many whole words as they need.
    """

    def __init__(self, path: Path, bits: int) -> None:
        self._path = path
        self._words = -(-bits // _WORD)
        size = path.stat().st_size if path.exists() else 0
        self._records = size // (4 * self._words)

    def __len__(self) -> int:
        return self._records

    def __getitem__(self, which: slice) -> Words:
        first, last, _ = which.indices(self._records)
        if first >= last:
            return np.zeros((0, self._words), np.uint32)
        words = np.fromfile(
            self._path,
            dtype="<u4",
            count=(last - first) * self._words,
            offset=4 * first * self._words,
        )
        return words.reshape(-1, self._words)


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


def pack(values: Iterable[IntArray], fields: Sequence[Field]) -> Words:
    """Return records of adjacent fields, from bit 0 up, as :func:`unpack` reads them.

    Parameters
    ----------
    values : iterable of arrays of int64, shape (records,)
        Values of each field. Bits that a field has no room for are lost.
    fields : sequence of Field
        The fields, of at most 64 bits each.

    Returns
    -------
    array of uint32, shape (records, words)
    """
    values = list(values)
    words = -(-sum(field.width for field in fields) // _WORD)
    # Word by word, so that each operation runs over adjacent numbers.
    packed = np.zeros((words, len(values[0])), np.uint32)
    offset = 0
    for column, field in zip(values, fields, strict=True):
        kept = column.astype(np.uint64) & np.uint64((1 << field.width) - 1)
        first, shift = divmod(offset, _WORD)
        for word in range(first, (offset + field.width - 1) // _WORD + 1):
            place = (word - first) * _WORD - shift
            part = kept << np.uint64(-place) if place <= 0 else kept >> np.uint64(place)
            packed[word] |= part.astype(np.uint32)
        offset += field.width
    return packed.T


def _fits(values: IntArray, field: Field) -> bool:
    """Return whether a field can hold values: one that is cut off is no value that agrees."""
    low, high = (
        (-1 << field.width - 1, (1 << field.width - 1) - 1)
        if field.signed
        else (0, (1 << field.width) - 1)
    )
    return len(values) == 0 or bool(values.min() >= low and values.max() <= high)


def _equal(words: Words, expected: Words, mask: Words) -> bool:
    """Return whether records are equal where the mask of one image's records has bits."""
    if len(words) != len(expected):
        return False
    for word in range(expected.shape[1]):
        differing = (words[:, word] ^ expected[:, word]).reshape(-1, len(mask)) & mask[:, word]
        if differing.any():
            return False
    return True


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
        self._steps = RecordFile(
            folder / steps_file(layer.name), self._spikes_at + shown * layer.taps.spike.width
        )
        self._sent = RecordFile(
            folder / sent_file(layer.name), layer.lanes * layer.taps.value.width
        )
        self._masks: tuple[Words, Words] | None = None

    def agree(
        self,
        first: int,
        images: int,
        steps: tuple[IntArray, IntArray],
        sent: IntArray,
        used: tuple[BoolArray, BoolArray],
    ) -> bool:
        """Return whether the records of some images are there, and hold what is expected.

        This is much faster than taking the records apart.

        Parameters
        ----------
        first, images : int
            Index of the first image, and number of images.
        steps : (array of int64, array of int64), each of shape (timesteps, units)
            Expected spikes and potentials.
        sent : array of int64, shape (records, lanes)
            Expected values that are passed on.
        used : (array of bool, array of bool)
            Lanes that hold a channel, in the timesteps and in the sent records of one image.
        """
        spikes, potentials = steps
        if not all(
            _fits(values, field)
            for values, field in (
                (spikes, self._spikes[0]),
                (potentials, self._potentials[0]),
                (sent, self._values[0]),
            )
        ):
            return False
        if self._masks is None:
            shown, passed = (-x.astype(np.int64) for x in used)
            self._masks = self._packed_steps(shown, shown), pack(passed.T, self._values)
        records = self.layer.steps_per_image // self.layer.steps_per_cycle
        return all(
            _equal(words[first * count : (first + images) * count], expected, mask)
            for words, count, expected, mask in (
                (self._steps, records, self._packed_steps(spikes, potentials), self._masks[0]),
                (self._sent, self.layer.sent_per_image, pack(sent.T, self._values), self._masks[1]),
            )
        )

    def _packed_steps(self, spikes: IntArray, potentials: IntArray) -> Words:
        """Return the records of some timesteps' values, each of shape (timesteps, units)."""
        shown = len(self._spikes)
        columns = [*potentials.reshape(-1, shown).T, *spikes.reshape(-1, shown).T]
        return pack(columns, self._potentials + self._spikes)

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
        words = RecordFile(folder / LOGITS, 2 * _WORD + design.payload_width)[:]
        cycle, last = Field(63, False), Field(1, False)
        self.cycles = unpack(words, 0, [cycle])[:, 0]
        self.logits = unpack(words, 2 * _WORD, [design.logit])[:, 0]
        self.last = unpack(words, 2 * _WORD + design.payload_width - 1, [last])[:, 0]
