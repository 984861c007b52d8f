"""Packing: images to the bytes that are sent to a board, and bytes of records to values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spikeloom.sw.errors import DataError

#: Possible numbers of bits of a value in a packed image.
WIDTHS = (1, 2, 4, 8, 16)


def packed_bits(bits: int) -> int:
    """Return the bits that a value of ``bits`` bits, 1 to 16, takes in a packed image."""
    return next(width for width in WIDTHS if width >= bits)


def packed_bytes(values: int, bits: int) -> int:
    """Return the bytes of a packed image of ``values`` values that take ``bits`` bits each."""
    return -(-values * bits // 8)


def pack(values: npt.ArrayLike, bits: int, signed: bool = False) -> bytes:
    """Pack the values of an image, the first in the lowest bits of the first byte.

    Parameters
    ----------
    values : array of int
        In the order of the accelerator's input.
    bits : int
        Bits of a packed value: 1, 2, 4, 8 or 16.
    signed : bool
        Whether values are two's complement.

    Returns
    -------
    bytes
        Unused bits in the last byte are 0.

    Raises
    ------
    DataError
        If a value does not fit.
    """
    flat = np.asarray(values, np.int64).reshape(-1)
    low = -(1 << (bits - 1)) if signed else 0
    outside = flat[(flat < low) | (flat >= low + (1 << bits))]
    if outside.size:
        form = "signed" if signed else "unsigned"
        raise DataError(f"an image holds {outside[0]}, but its values have {bits} bits, {form}")
    flat = flat & ((1 << bits) - 1)
    if bits == 16:
        return bytes(flat.astype("<u2").view(np.uint8).tolist())
    per_byte = 8 // bits
    padded = np.pad(flat, (0, -len(flat) % per_byte)).reshape(-1, per_byte)
    octets = (padded << (np.arange(per_byte) * bits)).sum(1)
    return bytes(octets.tolist())


def unpack_words(
    data: bytes, size: int, lanes: int, width: int, signed: bool
) -> npt.NDArray[np.int64]:
    """Return the values in the words of a record.

    Parameters
    ----------
    data : bytes
        Words, little endian.
    size : int
        Bytes of a word.
    lanes : int
        Values of a word, the first in its lowest bits.
    width : int
        Bits of a value, at most 48.
    signed : bool
        Whether values are two's complement.

    Returns
    -------
    array of int64, shape (words, lanes)
    """
    octets = np.frombuffer(data, np.uint8).reshape(-1, size)
    bits = np.unpackbits(octets, axis=1, bitorder="little")[:, : lanes * width]
    weights = np.int64(1) << np.arange(width)
    if signed:
        weights[-1] *= -1
    return bits.reshape(len(octets), lanes, width).astype(np.int64) @ weights
