"""Bytes of a serial line: frames, and what is between them."""

from __future__ import annotations

from random import Random

from fuzz import bytewise
from fuzz.formats.base import Format
from spikeloom.sw.link.frames import FLAG, Decoder, encode

_JUNK = (b"", b"~", b"}", b"}}", b"}~", b"~~", b"\0", b"}^", b"}]", b"}\0")


class Frames(Format):
    """Frames one after the other; the checksum of a changed one is right."""

    understood = 0.6

    def inside(self, data: bytes, chance: Random) -> bytes | None:
        contents = Decoder().feed(data)
        if not contents:
            return None
        place = chance.randrange(len(contents))
        match chance.randrange(6):
            case 0:
                del contents[place]
            case 1:
                contents.insert(chance.randint(0, len(contents)), contents[place])
            case 2:
                chance.shuffle(contents)
            case 3:
                contents[place] = bytes([1, chance.getrandbits(8)]) + contents[place][2:]
            case _:
                contents[place] = bytewise.damaged(contents[place], chance, 512)
        pieces = []
        for content in contents:
            frame = encode(content)
            if chance.getrandbits(2) == 0:
                frame = frame[1:]  # one flag between two frames
            if chance.getrandbits(4) == 0:
                frame = bytewise.damaged(frame, chance, 512)
            pieces += [frame, chance.choice(_JUNK) if chance.getrandbits(3) == 0 else b""]
        return b"".join(pieces) or bytes([FLAG])
