"""Messages: what a content of a frame means. A class for each, found by its kind."""

from __future__ import annotations

import dataclasses
import re
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, NamedTuple, Self

from spikeloom.sw.errors import LinkError
from spikeloom.sw.registry import Registered

#: Version of the protocol, the first byte of every content.
VERSION = 1
#: Set in the kind of a reply; the other bits are the kind of its request.
REPLY = 0x80

_HEADER = struct.Struct("<BBH")
_RECORD = struct.Struct("<HI")


class State(IntEnum):
    """What a bank holds."""

    #: No result; an image perhaps.
    EMPTY = 0
    #: An image that is computed, or waits for that.
    RUNNING = 1
    #: The result of its image.
    DONE = 2


class Reason(IntEnum):
    """Why a device refuses a request."""

    #: The request is of another version of the protocol.
    VERSION = 1
    #: No request is of that kind.
    KIND = 2
    #: The body is too short or too long for the kind.
    LENGTH = 3
    #: There is no such bank, record or byte.
    RANGE = 4
    #: The bank is running; for counts, anything is.
    BUSY = 5
    #: Nothing has run since the last reset.
    NOTHING = 6


@dataclass(frozen=True)
class Message(Registered):
    """A request or a reply; a subclass names its kind and the layout of its body.

    The fixed fields are laid out one after the other as ``layout`` says (of :mod:`struct`, little
    endian); with ``tail``, the last field is the bytes that follow.
    """

    kinds: ClassVar[dict[int, type[Message]]] = {}
    kind: ClassVar[int]
    fixed: ClassVar[struct.Struct]
    tail: ClassVar[bool]

    def __init_subclass__(cls, layout: str = "", tail: bool = False, **options: int) -> None:
        super().__init_subclass__(**options)
        cls.fixed, cls.tail = struct.Struct("<" + layout), tail

    @classmethod
    def sizes(cls) -> dict[str, int]:
        """Return the bytes of each fixed field by name, in the order of the body."""
        items = re.findall(r"\d+s|\w", cls.fixed.format[1:])
        names = [field.name for field in dataclasses.fields(cls)]
        return {name: struct.calcsize("<" + item) for name, item in zip(names, items, strict=False)}

    def body(self) -> bytes:
        """Return the body: fixed fields, then the tail."""
        values = [getattr(self, field.name) for field in dataclasses.fields(self)]
        tail = values.pop() if self.tail else b""
        return self.fixed.pack(*values) + bytes(tail)

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Return the message of a body.

        Raises
        ------
        LinkError
            If its length is wrong.
        """
        size = cls.fixed.size
        if len(body) < size or (len(body) > size and not cls.tail):
            raise LinkError(
                f"a body of {len(body)} bytes, but {cls.__name__} has "
                f"{'at least ' if cls.tail else ''}{size}"
            )
        values: tuple[Any, ...] = cls.fixed.unpack(body[:size])
        return cls(*values, *((body[size:],) if cls.tail else ()))

    @property
    def reply(self) -> int:
        """Kind of the reply to this request."""
        return self.kind | REPLY


def content(message: Message, sequence: int) -> bytes:
    """Return the content of a message's frame: its header and its body."""
    return _HEADER.pack(VERSION, message.kind, sequence) + message.body()


def parse(content: bytes) -> tuple[Message, int]:
    """Return the message that a content holds, and its sequence number.

    Raises
    ------
    LinkError
        If it is of another version or of no known kind, or has a wrong length.
    """
    if len(content) < _HEADER.size:
        raise LinkError(f"a content of {len(content)} bytes has no header")
    version, kind, sequence = _HEADER.unpack_from(content)
    if version != VERSION:
        raise LinkError(
            f"the board speaks version {version} of the protocol, this host version {VERSION}: "
            f"use the Spikeloom that the bitstream was built with, or build it anew"
        )
    if kind not in Message.kinds:
        raise LinkError(f"there is no message of kind {kind:#04x}")
    return Message.kinds[kind].of(content[_HEADER.size :]), sequence


@dataclass(frozen=True)
class Identify(Message, kind=0x01):
    """Ask what the device is."""


@dataclass(frozen=True)
class AskStatus(Message, kind=0x02):
    """Ask for the state of the banks, and of the link."""


@dataclass(frozen=True)
class Write(Message, kind=0x03, layout="BI", tail=True):
    """Write a piece of an image into a bank, which thereby is empty."""

    bank: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Run(Message, kind=0x04, layout="BI"):
    """Compute a bank's image, unless it runs or its result is that of the image meant."""

    bank: int
    crc: int


@dataclass(frozen=True)
class AskResult(Message, kind=0x05, layout="B"):
    """Ask for a bank's result."""

    bank: int


@dataclass(frozen=True)
class AskCounters(Message, kind=0x06):
    """Ask for all counters."""


@dataclass(frozen=True)
class AskCounts(Message, kind=0x07, layout="BIH"):
    """Ask for words of a record: what a layer has sent for the last image."""

    record: int
    first: int
    words: int


@dataclass(frozen=True)
class Reset(Message, kind=0x08):
    """Give up whatever runs, and empty all banks."""


class Record(NamedTuple):
    """What a device keeps of one layer: transfers of the last image."""

    #: Bytes of a word, which holds one transfer.
    bytes: int
    #: Words of an image.
    words: int


@dataclass(frozen=True)
class Identity(Message, kind=Identify.kind | REPLY, layout="32sIIIBHBBHHH", tail=True):
    """What the device is.

    Parameters
    ----------
    digest : bytes
        Digest of its network, 32 bytes.
    clock : int
        Frequency that cycles are counted at, Hz.
    image_bytes : int
        Bytes of a packed image.
    transfers : int
        Values of an image.
    value_bits : int
        Bits that a value takes in a packed image: 1, 2, 4, 8 or 16.
    classes : int
        Logits of an image.
    logit_bytes : int
        Bytes of a logit, two's complement.
    banks : int
        Images that it can hold.
    chunk : int
        Most bytes of data in one :class:`Write`.
    receive : int
        Bytes of contents that may be under way to it, without their CRCs.
    counters : int
        Counters of 32 bits.
    table : bytes
        See :attr:`records`.
    """

    digest: bytes
    clock: int
    image_bytes: int
    transfers: int
    value_bits: int
    classes: int
    logit_bytes: int
    banks: int
    chunk: int
    receive: int
    counters: int
    table: bytes = b""

    @property
    def records(self) -> tuple[Record, ...]:
        """What it keeps of layers; which ones these are, the manifest says."""
        whole = len(self.table) // _RECORD.size * _RECORD.size
        return tuple(Record(*entry) for entry in _RECORD.iter_unpack(self.table[:whole]))

    @staticmethod
    def table_of(records: tuple[Record, ...]) -> bytes:
        """Return the table that describes ``records``."""
        return b"".join(_RECORD.pack(*record) for record in records)


@dataclass(frozen=True)
class Status(Message, kind=AskStatus.kind | REPLY, layout="BBHH"):
    """State of both banks; frames that were damaged or found no room, modulo 65536."""

    bank0: int
    bank1: int
    damaged: int
    dropped: int


@dataclass(frozen=True)
class Written(Message, kind=Write.kind | REPLY):
    """The bytes are in the bank."""


@dataclass(frozen=True)
class Started(Message, kind=Run.kind | REPLY):
    """The bank is running, or its result is there."""


@dataclass(frozen=True)
class Result(Message, kind=AskResult.kind | REPLY, layout="BIIH", tail=True):
    """A bank's result; only its state means anything unless that is :attr:`State.DONE`.

    Parameters
    ----------
    state : int
        See :class:`State`.
    crc : int
        CRC-32 of the packed image that was computed.
    cycles : int
        Clock cycles from when the image was handed to the accelerator to its last logit.
    label : int
        Index of the largest logit, the lowest of equals.
    data : bytes
        The logits, in the order in which the accelerator sends them.
    """

    state: int
    crc: int
    cycles: int
    label: int
    data: bytes

    def logits(self, size: int) -> tuple[int, ...]:
        """Return the logits, of ``size`` bytes each."""
        starts = range(0, len(self.data), size)
        return tuple(int.from_bytes(self.data[k : k + size], "little", signed=True) for k in starts)


@dataclass(frozen=True)
class Counters(Message, kind=AskCounters.kind | REPLY, tail=True):
    """All counters, 4 bytes each."""

    data: bytes

    @property
    def values(self) -> tuple[int, ...]:
        """The counters, unsigned."""
        return tuple(value for (value,) in struct.iter_unpack("<I", self.data))


@dataclass(frozen=True)
class Counts(Message, kind=AskCounts.kind | REPLY, layout="I", tail=True):
    """Words of a record, and the CRC-32 of the image that they are of."""

    crc: int
    data: bytes


@dataclass(frozen=True)
class Cleared(Message, kind=Reset.kind | REPLY):
    """Nothing runs, and all banks are empty."""


@dataclass(frozen=True)
class Refusal(Message, kind=0xFF, layout="BB"):
    """The request was whole, but cannot be met: why, and the kind that it had."""

    reason: int
    request: int
