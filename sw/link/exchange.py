"""Exchange: sends requests to a device, and repeats them until they are answered."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from spikeloom.sw.errors import LinkError
from spikeloom.sw.link.frames import HEADER_BYTES, Decoder, encode
from spikeloom.sw.link.line import Line
from spikeloom.sw.link.messages import VERSION, Message, Refusal, content, parse
from spikeloom.sw.link.refusal import RefusedError

_SEQUENCES = 1 << 16
_Reply = TypeVar("_Reply", bound=Message)


@dataclass
class Traffic:
    """Numbers of requests and images since a client was created.

    Parameters
    ----------
    requests : int
        Requests that were answered.
    resent : int
        Requests that were sent again, because no reply arrived in time.
    stray : int
        Intact frames that were no reply to a pending request, by their sequence number or kind.
    repeated : int
        Images that were sent again, because the device had lost them or computed others.
    """

    requests: int = 0
    resent: int = 0
    stray: int = 0
    repeated: int = 0


@dataclass
class _Pending:
    request: Message
    frame: bytes
    size: int
    sent: int = 0
    reply: Message | None = field(default=None)


class Exchange:
    """Exchange of requests and replies with one device.

    Parameters
    ----------
    line : Line
        Line to the device.
    timeout : float
        Longest wait for the next reply, in seconds; unanswered requests are then sent again.
    attempts : int
        Most times that one request is sent.
    clock : callable
        Returns the time in seconds, like :func:`time.monotonic`.

    Attributes
    ----------
    traffic : Traffic
    decoder : Decoder
        Its ``damaged`` counts the pieces received that were not frames.
    room : int
        Bytes of requests that the device can hold at once. While it is 0, as long as nobody knows,
        a request is sent only after the one before has been answered.
    """

    def __init__(
        self, line: Line, timeout: float, attempts: int, clock: Callable[[], float]
    ) -> None:
        self.line = line
        self.timeout = timeout
        self.attempts = attempts
        self.clock = clock
        self.decoder = Decoder()
        self.traffic = Traffic()
        self.room = 0
        # Begin at random, so that late replies to an earlier client match no request of this one.
        self._sequence = int.from_bytes(os.urandom(2), "little")

    def exchange(self, requests: Sequence[Message]) -> list[Message]:
        """Send requests, as many at once as the device can hold, and return their replies.

        Parameters
        ----------
        requests : sequence of Message
            Requests that may be carried out in any order.

        Returns
        -------
        list of Message
            The reply to each request.

        Raises
        ------
        RefusedError
            If the device refuses a request.
        LinkError
            If a request stays unanswered, or the device speaks another version of the protocol.
        """
        asked = [self._pending(request) for request in requests]
        waiting = dict(asked)
        under_way: dict[int, _Pending] = {}
        while waiting or under_way:
            for sequence, pending in list(waiting.items()):
                used = sum(other.size for other in under_way.values())
                if under_way and used + pending.size > self.room:
                    break
                under_way[sequence] = waiting.pop(sequence)
                self._send(pending)
            if not self._receive(under_way):
                waiting = under_way | waiting
                under_way = {}
        self.traffic.requests += len(asked)
        replies = []
        for _, pending in asked:
            assert pending.reply is not None
            if isinstance(pending.reply, Refusal):
                raise RefusedError(pending.request, pending.reply.reason)
            replies.append(pending.reply)
        return replies

    def ask(self, request: Message, kind: type[_Reply]) -> _Reply:
        """Send one request, and return its reply, which is of a certain kind."""
        (reply,) = self.exchange([request])
        assert isinstance(reply, kind)
        return reply

    def _pending(self, request: Message) -> tuple[int, _Pending]:
        self._sequence = (self._sequence + 1) % _SEQUENCES
        whole = content(request, self._sequence)
        return self._sequence, _Pending(request, encode(whole), len(whole))

    def _send(self, pending: _Pending) -> None:
        if pending.sent == self.attempts:
            raise LinkError(
                f"no answer to {type(pending.request).__name__}, which was sent {pending.sent} "
                f"times ({self.decoder.damaged} damaged frames came): is the board programmed, and "
                f"the port's speed the board's?"
            )
        self.traffic.resent += pending.sent > 0
        pending.sent += 1
        self.line.write(pending.frame)

    def _receive(self, under_way: dict[int, _Pending]) -> bool:
        """Receive replies to requests under way; return whether one arrived in time."""
        end = self.clock() + self.timeout
        while (left := end - self.clock()) > 0:
            answered = False
            for whole in self.decoder.feed(self.line.read(left)):
                answered |= self._match(whole, under_way)
            if answered:
                return True
        return False

    def _match(self, whole: bytes, under_way: dict[int, _Pending]) -> bool:
        """Hand a content to the request that it answers; return whether there is such a request."""
        if whole[0] == VERSION:
            try:
                reply, sequence = parse(whole)
            except LinkError:
                self.traffic.stray += 1
                return False
            pending = under_way.get(sequence)
            if pending is not None and _answers(reply, pending.request):
                pending.reply = reply
                del under_way[sequence]
                return True
        elif int.from_bytes(whole[2:HEADER_BYTES], "little") in under_way:
            parse(whole)
        self.traffic.stray += 1
        return False


def _answers(reply: Message, request: Message) -> bool:
    if isinstance(reply, Refusal):
        return reply.request == request.kind
    return reply.kind == request.reply
