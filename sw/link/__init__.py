"""The host's side of the link to a board; the protocol is specified in ``docs/protocol.md``.

:mod:`client` makes a board compute images. :mod:`exchange` sends requests and matches the replies,
and :mod:`refusal` has the error that a reply can be. :mod:`messages` has a class for each request
and reply, :mod:`frames` wraps messages for the wire, and :mod:`packing` turns images into bytes.
:mod:`line` and :mod:`serial` carry the bytes. :mod:`manifest` describes a board's design.

This package needs neither torch nor amaranth. The hardware's side, ``spikeloom.hw.link``, reads the
layouts of the messages from here.
"""

from spikeloom.sw.link.client import IMAGE_TIMEOUT, Client
from spikeloom.sw.link.exchange import Traffic
from spikeloom.sw.link.frames import Decoder, encode
from spikeloom.sw.link.line import Line, MemoryLine, pair
from spikeloom.sw.link.messages import (
    VERSION,
    Identity,
    Message,
    Record,
    Result,
    State,
    Status,
)
from spikeloom.sw.link.packing import pack, packed_bits, packed_bytes, unpack_words
from spikeloom.sw.link.refusal import RefusedError

__all__ = [
    "IMAGE_TIMEOUT",
    "VERSION",
    "Client",
    "Decoder",
    "Identity",
    "Line",
    "MemoryLine",
    "Message",
    "Record",
    "RefusedError",
    "Result",
    "State",
    "Status",
    "Traffic",
    "encode",
    "pack",
    "packed_bits",
    "packed_bytes",
    "pair",
    "unpack_words",
]
