"""Frames: a message's content and its CRC-32, escaped, between two flags."""

from __future__ import annotations

import zlib

#: Byte at the beginning and the end of a frame, and nowhere else.
FLAG = 0x7E
#: Byte before one that was combined with :data:`FLIP`.
ESCAPE = 0x7D
#: Exclusive-or mask of an escaped byte.
FLIP = 0x20
#: Bytes of the CRC-32.
CRC_BYTES = 4
#: Bytes of the header at the beginning of every content.
HEADER_BYTES = 4
#: Bytes of the longest content that a decoder accepts by default.
LONGEST = 1 << 17

_ESCAPED = {byte ^ FLIP: byte for byte in (FLAG, ESCAPE)}


def encode(content: bytes) -> bytes:
    """Return the frame of a content, as it travels on the wire.

    Parameters
    ----------
    content : bytes
        Header and body of a message.

    Returns
    -------
    bytes
        At most ``2 * (len(content) + 4) + 2`` bytes.
    """
    frame = bytearray([FLAG])
    for byte in content + zlib.crc32(content).to_bytes(CRC_BYTES, "little"):
        if byte in (FLAG, ESCAPE):
            frame += bytes([ESCAPE, byte ^ FLIP])
        else:
            frame.append(byte)
    frame.append(FLAG)
    return bytes(frame)


class Decoder:
    """Finds the frames in a stream of bytes.

    Anything that is not a frame is skipped. Damage never reaches beyond the next flag: an intact
    frame, flags included, is always found.

    Parameters
    ----------
    longest : int
        Bytes of the longest content. Frames with a longer one are skipped.

    Attributes
    ----------
    damaged : int
        Number of pieces between flags that were not frames.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self.longest = longest
        self.damaged = 0
        self._bytes = bytearray()
        self._escaped = False
        # Set before the first flag, and once a piece is known not to be a frame.
        self._skip = True
        self._any = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the stream.

        Parameters
        ----------
        data : bytes
            Any number of bytes; a frame may be spread over several calls.

        Returns
        -------
        list of bytes
            The contents of the frames that were completed, each with a correct CRC.
        """
        found = []
        for byte in data:
            if byte == FLAG:
                content = self._content()
                if content is not None:
                    found.append(content)
                elif self._any:
                    self.damaged += 1
                self._bytes.clear()
                self._escaped = self._skip = self._any = False
                continue
            self._any = True
            if self._skip:
                continue
            if self._escaped:
                self._escaped = False
                if byte not in _ESCAPED:
                    self._skip = True
                    continue
                byte = _ESCAPED[byte]
            elif byte == ESCAPE:
                self._escaped = True
                continue
            if len(self._bytes) == self.longest + CRC_BYTES:
                self._skip = True
                continue
            self._bytes.append(byte)
        return found

    def _content(self) -> bytes | None:
        """Return the content of the bytes since the last flag, or None if they are not a frame."""
        if self._skip or self._escaped or len(self._bytes) < HEADER_BYTES + CRC_BYTES:
            return None
        content, crc = bytes(self._bytes[:-CRC_BYTES]), self._bytes[-CRC_BYTES:]
        return content if zlib.crc32(content) == int.from_bytes(crc, "little") else None
