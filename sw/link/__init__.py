"""The host's side of the link to a board; the protocol is specified in ``docs/protocol.md``.

Needs neither torch nor amaranth. The hardware's side, ``spikeloom.hw.link``, reads the messages'
layouts from here.
"""

from spikeloom.sw.link.client import PATIENCE, Client, RefusedError, Traffic
from spikeloom.sw.link.frames import Decoder, encode
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
from spikeloom.sw.link.transport import MemoryTransport, Transport, pair

__all__ = [
    "PATIENCE",
    "VERSION",
    "Client",
    "Decoder",
    "Identity",
    "MemoryTransport",
    "Message",
    "Record",
    "RefusedError",
    "Result",
    "State",
    "Status",
    "Traffic",
    "Transport",
    "encode",
    "pack",
    "packed_bits",
    "packed_bytes",
    "pair",
    "unpack_words",
]
