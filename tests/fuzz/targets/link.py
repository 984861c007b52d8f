"""The host's side of the link: bytes from whatever is at the other end of a line."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from fuzz.formats.link import Frames
from fuzz.targets.base import Target
from spikeloom.sw.link import Client, Decoder
from spikeloom.sw.link.frames import CRC_BYTES, ESCAPE, FLAG, FLIP, HEADER_BYTES, encode
from spikeloom.sw.link.messages import Identity, Result, parse

_LONGEST = 96
_ESCAPED = re.compile(bytes([ESCAPE]) + b"(.)", re.DOTALL)


def expected(data: bytes) -> list[bytes]:
    """Return the frames in a stream, by docs/protocol.md: piece by piece, not byte by byte."""
    found = []
    for piece in data.split(bytes([FLAG]))[1:-1]:
        bare = _ESCAPED.sub(b"", piece)
        if bytes([ESCAPE]) in bare or any(
            byte[0] ^ FLIP not in (FLAG, ESCAPE) for byte in _ESCAPED.findall(piece)
        ):
            continue
        whole = _ESCAPED.sub(lambda match: bytes([match[1][0] ^ FLIP]), piece)
        content, crc = whole[:-CRC_BYTES], whole[-CRC_BYTES:]
        if HEADER_BYTES <= len(content) <= _LONGEST and zlib.crc32(content) == int.from_bytes(
            crc, "little"
        ):
            found.append(content)
    return found


class FrameDecoder(Target, name="frames"):
    """The decoder of frames, compared with another one, and the messages in them."""

    runs = 1_000_000
    longest = 1 << 10
    format = Frames()
    guides = ("spikeloom.sw.link",)

    def take(self, data: bytes) -> None:
        decoder = Decoder(_LONGEST)
        cut = len(data) // 3
        found = decoder.feed(data[:cut]) + decoder.feed(data[cut:])
        assert found == expected(data), "another decoder finds other frames"
        whole = encode(b"\1\2\3\4")
        assert decoder.feed(whole)[-1:] == [b"\1\2\3\4"], "an intact frame is always found"
        for content in found:
            message, _ = parse(content)
            if isinstance(message, Identity):
                message.fault()
            if isinstance(message, Result):
                message.logits(2)

    def read(self, path: Path) -> object:
        self.take(path.read_bytes())
        return None


class _Recording:
    """A line from which recorded frames come, with the sequence numbers of what was asked."""

    def __init__(self, contents: list[bytes]) -> None:
        self.contents = contents
        self.now = 0.0
        self._asked: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._asked += [content[2:4] for content in Decoder().feed(data)]

    def read(self, timeout: float) -> bytes:
        if not self._asked or not self.contents:
            self.now += timeout
            return b""
        self.now += 0.001
        content = self.contents.pop(0)
        return encode(content[:2] + self._asked.pop(0) + content[4:])

    def close(self) -> None:
        """Do nothing."""

    def clock(self) -> float:
        return self.now


class LinkClient(Target, name="client"):
    """All that a host asks a board, which answers with recorded frames."""

    longest = 1 << 10
    format = Frames()
    guides = ("spikeloom.sw.link",)

    def take(self, data: bytes) -> None:
        line = _Recording(Decoder().feed(data))
        client = Client(line, attempts=2, clock=line.clock)
        image = bytes(min(client.identity.image_bytes, 1 << 10))
        client.status()
        for result in client.infer([image, image]):
            result.logits(client.identity.logit_bytes)
        client.counters()
        for record in range(len(client.identity.records)):
            client.counts(record, image)

    def read(self, path: Path) -> object:
        self.take(path.read_bytes())
        return None
