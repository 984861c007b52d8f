"""Damage of bytes that are not understood."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal

#: Numbers at which readers change their minds.
NUMBERS: tuple[int, ...] = (
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    127,
    128,
    255,
    256,
    4095,
    32767,
    65535,
    1 << 20,
    (1 << 31) - 1,
)
NUMBERS += (1 << 31, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1)


def damaged(data: bytes, chance: Random, longest: int) -> bytes:
    """Return bytes after one to four random changes, at most ``longest`` of them."""
    changed = bytearray(data)
    for _ in range(1 + min(chance.getrandbits(2), chance.getrandbits(2))):
        chance.choice(_CHANGES)(changed, chance)
    return bytes(changed[:longest])


def _flip(data: bytearray, chance: Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.getrandbits(3)


def _set(data: bytearray, chance: Random) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.getrandbits(8)


def _insert(data: bytearray, chance: Random) -> None:
    place = chance.randint(0, len(data))
    data[place:place] = chance.randbytes(1 + chance.getrandbits(3))


def _remove(data: bytearray, chance: Random) -> None:
    start, end = _span(data, chance)
    del data[start:end]


def _repeat(data: bytearray, chance: Random) -> None:
    start, end = _span(data, chance)
    place = chance.randint(0, len(data))
    data[place:place] = data[start:end]


def _move(data: bytearray, chance: Random) -> None:
    start, end = _span(data, chance)
    place = chance.randint(0, len(data))
    data[place : place + end - start] = data[start:end]


def _number(data: bytearray, chance: Random) -> None:
    size = 1 << chance.getrandbits(2)
    value = chance.choice(NUMBERS) & ((1 << 8 * size) - 1)
    order = chance.choice(_ORDERS)
    place = chance.randint(0, max(0, len(data) - size))
    data[place : place + size] = value.to_bytes(size, order)


def _cut(data: bytearray, chance: Random) -> None:
    del data[chance.randint(0, len(data)) :]


def _span(data: bytearray, chance: Random) -> tuple[int, int]:
    start = chance.randint(0, len(data))
    return start, min(len(data), start + 1 + chance.getrandbits(chance.choice((2, 4, 8))))


_ORDERS: tuple[Literal["little", "big"], ...] = ("little", "big")
_CHANGES: tuple[Callable[[bytearray, Random], None], ...] = (
    _flip,
    _flip,
    _set,
    _insert,
    _remove,
    _repeat,
    _move,
    _number,
    _number,
    _cut,
)
