"""Messages: a class for each request and each reply of the protocol, found by its kind."""

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
    """State of a bank, which holds one image and its result."""

    #: There is no result; there may be an image.
    EMPTY = 0
    #: The image is being computed, or is waiting to be.
    RUNNING = 1
    #: The result of the image is there.
    DONE = 2


class Reason(IntEnum):
    """Reason for which a device refuses a request."""

    #: The request is of another version of the protocol.
    VERSION = 1
    #: No request has that kind.
    KIND = 2
    #: The body is too short or too long for the kind.
    LENGTH = 3
    #: There is no such bank, record or byte.
    RANGE = 4
    #: The bank is running; for counts, any bank is.
    BUSY = 5
    #: Nothing has run since the last reset.
    NOTHING = 6


@dataclass(frozen=True)
class Message(Registered):
    """Base of requests and replies. A subclass gives its kind and the layout of its body.

    A subclass is a dataclass, whose fields are those of the body in order, with three options in
    its class statement:

    ``kind``
        The kind of the message, an integer from 0 to 255.
    ``layout``
        Format of the fixed fields for :mod:`struct`, without the byte order, which is little
        endian.
    ``tail``
        Whether the last field is ``bytes`` of any length that follow the fixed fields.
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
            If the body is too short or too long.
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
        If the content is of another version or of an unknown kind, or has a wrong length.
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
    """Ask for the identity of the device."""


@dataclass(frozen=True)
class AskStatus(Message, kind=0x02):
    """Ask for the state of the banks, and of the link."""


@dataclass(frozen=True)
class Write(Message, kind=0x03, layout="BI", tail=True):
    """Write a piece of an image into a bank, which empties the bank."""

    bank: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Run(Message, kind=0x04, layout="BI"):
    """Compute a bank's image, unless the bank is running or has the result of that image.

    Parameters
    ----------
    bank : int
    crc : int
        CRC-32 of the packed image.
    """

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
    """Ask for words of a record, which holds the transfers of a layer for the last image."""

    record: int
    first: int
    words: int


@dataclass(frozen=True)
class Reset(Message, kind=0x08):
    """Abandon all images and empty all banks."""


class Record(NamedTuple):
    """Size of a record, in which a device keeps the transfers of one layer for the last image."""

    #: Bytes of a word, which holds one transfer.
    bytes: int
    #: Words for one image.
    words: int


@dataclass(frozen=True)
class Identity(Message, kind=Identify.kind | REPLY, layout="32sIIIBHBBHHH", tail=True):
    """Identity of a device: its network, and all sizes that a host must know.

    Parameters
    ----------
    digest : bytes
        Digest of the network, 32 bytes.
    clock : int
        Frequency of the clock whose cycles are counted, Hz.
    image_bytes : int
        Bytes of a packed image.
    transfers : int
        Number of values of an image.
    value_bits : int
        Bits of a value in a packed image: 1, 2, 4, 8 or 16.
    classes : int
        Number of logits of an image.
    logit_bytes : int
        Bytes of a logit, two's complement.
    banks : int
        Number of banks, each of which holds one image.
    chunk : int
        Most bytes of data in one :class:`Write`.
    receive : int
        Most bytes of contents, without their CRCs, that may be on their way to the device.
    counters : int
        Number of counters, 32 bits each.
    table : bytes
        Sizes of the records; see :attr:`records`.
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

    def fault(self) -> str:
        """Return what cannot be in these numbers, in words; "" if they are sound.

        They may come from anything that is at the other end of a line.
        """
        sizes = ("clock", "transfers", "classes", "banks", "chunk", "receive")
        for name in sizes:
            if getattr(self, name) == 0:
                return f"{name} is 0"
        if self.value_bits not in (1, 2, 4, 8, 16):
            return f"values of {self.value_bits} bits"
        if not 1 <= self.logit_bytes <= 8:
            return f"logits of {self.logit_bytes} bytes"
        if self.image_bytes != -(-self.transfers * self.value_bits // 8):
            return (
                f"images of {self.image_bytes:,} bytes, but {self.transfers:,} values of "
                f"{self.value_bits} bits"
            )
        if not all(record.bytes for record in self.records):
            return "a record with words of no bytes"
        return ""

    @property
    def records(self) -> tuple[Record, ...]:
        """Sizes of the records. The manifest tells which layers they belong to."""
        whole = len(self.table) // _RECORD.size * _RECORD.size
        return tuple(Record(*entry) for entry in _RECORD.iter_unpack(self.table[:whole]))

    @staticmethod
    def table_of(records: tuple[Record, ...]) -> bytes:
        """Return the bytes of :attr:`table` for ``records``."""
        return b"".join(_RECORD.pack(*record) for record in records)


@dataclass(frozen=True)
class Status(Message, kind=AskStatus.kind | REPLY, layout="BBHH"):
    """State of the banks and of the link.

    Parameters
    ----------
    bank0, bank1 : int
        :class:`State` of each bank.
    damaged, dropped : int
        Number of frames that were damaged, and of frames that found no room, modulo 65536.
    """

    bank0: int
    bank1: int
    damaged: int
    dropped: int


@dataclass(frozen=True)
class Written(Message, kind=Write.kind | REPLY):
    """Reply to a :class:`Write`: the bytes are in the bank."""


@dataclass(frozen=True)
class Started(Message, kind=Run.kind | REPLY):
    """Reply to a :class:`Run`: the bank is running, or its result is there."""


@dataclass(frozen=True)
class Result(Message, kind=AskResult.kind | REPLY, layout="BIIH", tail=True):
    """A bank's result. All fields but the state are undefined unless that is :attr:`State.DONE`.

    Parameters
    ----------
    state : int
        :class:`State` of the bank.
    crc : int
        CRC-32 of the packed image that was computed.
    cycles : int
        Clock cycles from the start of the image to its last logit.
    label : int
        Index of the largest logit in ``data``, the lowest of equals.
    data : bytes
        The logits, in the order in which the accelerator sends them: a feature map row by row,
        column by column, the channel fastest.
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
    """Values of all counters, 4 bytes each."""

    data: bytes

    @property
    def values(self) -> tuple[int, ...]:
        """Values of the counters, unsigned."""
        return tuple(value for (value,) in struct.iter_unpack("<I", self.data))


@dataclass(frozen=True)
class Counts(Message, kind=AskCounts.kind | REPLY, layout="I", tail=True):
    """Words of a record, and the CRC-32 of the image that they belong to."""

    crc: int
    data: bytes


@dataclass(frozen=True)
class Cleared(Message, kind=Reset.kind | REPLY):
    """Reply to a :class:`Reset`: no bank is running, and all are empty."""


@dataclass(frozen=True)
class Refusal(Message, kind=0xFF, layout="BB"):
    """Reply to a request that arrived intact but cannot be carried out.

    Parameters
    ----------
    reason : int
        See :class:`Reason`.
    request : int
        Kind of the request.
    """

    reason: int
    request: int
