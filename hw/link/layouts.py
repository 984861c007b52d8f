"""Layouts of messages in hardware, derived from their classes in ``spikeloom.sw.link.messages``."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.lib import data

from spikeloom.sw.link.messages import Message

#: The header of every message.
HEADER = data.StructLayout({"version": 8, "kind": 8, "sequence": 16})


def fields_of(message: type[Message]) -> data.StructLayout:
    """Return the layout of a message's fixed fields: the first byte of the body lies lowest."""
    return data.StructLayout({name: 8 * size for name, size in message.sizes().items()})


def bodies_of(messages: Iterable[type[Message]]) -> data.UnionLayout:
    """Return the layout of a register that holds the fixed fields of any one of several messages.

    Its members are ``bytes``, an array of 8 bits each, and, for each message that has fixed fields,
    one member with the message's name and the layout :func:`fields_of`.
    """
    layouts = {message.__name__: fields_of(message) for message in messages if message.fixed.size}
    longest = max(layout.size for layout in layouts.values()) // 8
    return data.UnionLayout({"bytes": data.ArrayLayout(8, longest), **layouts})


def flags_of(names: Iterable[str]) -> data.StructLayout:
    """Return the layout of one bit for each name."""
    return data.StructLayout(dict.fromkeys(names, 1))
