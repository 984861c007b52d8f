"""Client: asks a device for results, checks the replies, and sends again what the device lost."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator

from spikeloom.sw.errors import DataError, LinkError
from spikeloom.sw.link.exchange import Exchange
from spikeloom.sw.link.line import Line
from spikeloom.sw.link.messages import (
    AskCounters,
    AskCounts,
    AskResult,
    AskStatus,
    Counters,
    Counts,
    Identify,
    Identity,
    Message,
    Reason,
    Reset,
    Result,
    Run,
    State,
    Status,
    Write,
)
from spikeloom.sw.link.refusal import RefusedError

#: Default of the longest time for which an image may be computed, in seconds.
IMAGE_TIMEOUT = 10.0


class Client(Exchange):
    """Client of one device.

    Parameters
    ----------
    line : Line
        Line to the device.
    timeout : float
        Longest wait for the next reply, in seconds; unanswered requests are then sent again. It
        must be more than twice the time of the longest message, plus the delays of the computer
        and its adapter.
    attempts : int
        Most times that one request is sent.
    image_timeout : float
        Longest time for which an image may be computed, in seconds.
    clock : callable
        Returns the time in seconds, like :func:`time.monotonic`.

    Attributes
    ----------
    traffic : Traffic
    decoder : Decoder
        Its ``damaged`` counts the pieces received that were not frames.
    """

    def __init__(
        self,
        line: Line,
        *,
        timeout: float = 0.25,
        attempts: int = 12,
        image_timeout: float = IMAGE_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(line, timeout, attempts, clock)
        self.image_timeout = image_timeout
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity:
        """Identity of the device, which is asked for once, and has been checked.

        Raises
        ------
        LinkError
            If it has numbers that no device can have.
        """
        if self._identity is None:
            identity = self.ask(Identify(), Identity)
            fault = identity.fault()
            if fault:
                raise LinkError(f"the board's identity cannot be: {fault}: program it anew")
            self._identity = identity
            self.room = identity.receive
        return self._identity

    def confirm(self) -> None:
        """Ask for the identity again: whatever came since the first time is of the same network.

        Raises
        ------
        LinkError
            If it is another one: the board was programmed or exchanged in between.
        """
        before = self.identity
        found = self.ask(Identify(), Identity)
        if found != before:
            raise LinkError(
                f"the board was programmed or exchanged while it computed: it holds the network "
                f"{found.digest.hex()[:12]} now, and had {before.digest.hex()[:12]}. Its results "
                f"are of no use: run them again"
            )

    def require(self, digest: str) -> None:
        """Require that the device holds a certain network.

        Parameters
        ----------
        digest : str
            ``Network.digest`` of the network.

        Raises
        ------
        LinkError
            If it holds another one.
        """
        found = self.identity.digest.hex()
        if found != digest:
            raise LinkError(
                f"the board holds the network {found[:12]}, not {digest[:12]}: program it with the "
                f"bitstream of this network, or name the network that it holds"
            )

    def status(self) -> Status:
        """Return the state of the banks and of the link."""
        return self.ask(AskStatus(), Status)

    def reset(self) -> None:
        """Make the device abandon all images and empty its banks."""
        self.exchange([Reset()])

    def write(self, bank: int, image: bytes) -> None:
        """Write a packed image into a bank that is not running."""
        self.exchange(self._writes(bank, image))

    def run(self, bank: int, image: bytes) -> None:
        """Start to compute the image that was written into a bank."""
        self.exchange([Run(bank, zlib.crc32(image))])

    def result(self, bank: int) -> Result:
        """Return a bank's result at this moment, whatever the bank's state."""
        return self._checked(self.ask(AskResult(bank), Result))

    def counters(self) -> tuple[int, ...]:
        """Return all counters, in the order of the manifest."""
        reply = self.ask(AskCounters(), Counters)
        if len(reply.data) != 4 * self.identity.counters:
            raise LinkError(f"the board sent {len(reply.data)} bytes of counters")
        return reply.values

    def counts(self, record: int, image: bytes) -> bytes:
        """Return the words of a record: a layer's transfers for the last image that was computed.

        Parameters
        ----------
        record : int
            Index in ``identity.records``.
        image : bytes
            The packed image that was computed last, whose CRC-32 must be the record's.

        Raises
        ------
        LinkError
            If the device has no such record, or computed another image last.
        """
        records = self.identity.records
        if not 0 <= record < len(records):
            raise LinkError(f"the board has {len(records)} records, not one of index {record}")
        size, words = records[record]
        most = max(1, self.identity.chunk // size)
        firsts = range(0, words, most)
        asked = [AskCounts(record, first, min(most, words - first)) for first in firsts]
        pieces = []
        for request, reply in zip(asked, self.exchange(asked), strict=True):
            assert isinstance(reply, Counts)
            if reply.crc != zlib.crc32(image):
                raise LinkError(f"record {record} of the board is of another image")
            if len(reply.data) != request.words * size:
                raise LinkError(f"the board sent {len(reply.data)} bytes of record {record}")
            pieces.append(reply.data)
        return b"".join(pieces)

    def infer(self, images: Iterable[bytes]) -> Iterator[Result]:
        """Compute packed images one after the other, and yield their results in order.

        While one image is computed, the next one is sent. The CRC-32 in each result, which the
        device forms over the image that it computes, is compared with that of the image sent. After
        the last one, and whenever an image was lost, the identity is asked for again: do not use
        results before the last one has come.

        Raises
        ------
        DataError
            If an image has another size than the device's.
        LinkError
            If the device stops answering, an image cannot be computed, or the device is another
            one at the end.
        """
        self.reset()
        running: list[tuple[int, bytes]] = []
        for index, image in enumerate(images):
            bank = index % self.identity.banks
            if len(running) == self.identity.banks:
                yield self._finished(*running.pop(0))
            self._start(bank, image)
            running.append((bank, image))
        for bank, image in running:
            yield self._finished(bank, image)
        self.confirm()

    def _writes(self, bank: int, image: bytes) -> list[Message]:
        size = self.identity.image_bytes
        if len(image) != size:
            raise DataError(f"an image of {len(image)} bytes, but the board's have {size}")
        step = self.identity.chunk
        return [Write(bank, start, image[start : start + step]) for start in range(0, size, step)]

    def _checked(self, result: Result) -> Result:
        identity = self.identity
        if len(result.data) != identity.classes * identity.logit_bytes:
            raise LinkError(
                f"the board sent {len(result.data)} bytes of logits, not {identity.classes} of "
                f"{identity.logit_bytes} bytes"
            )
        if result.state == State.DONE:
            logits = result.logits(identity.logit_bytes)
            if result.label != logits.index(max(logits)):
                raise LinkError(f"the board says label {result.label}, its logits are {logits}")
        return result

    def _start(self, bank: int, image: bytes) -> None:
        """Write and run an image."""
        for _ in range(self.attempts):
            try:
                self.write(bank, image)
                self.run(bank, image)
                return
            except RefusedError as refused:
                # A late repetition of an earlier request has started the bank.
                if refused.reason != Reason.BUSY:
                    raise
                self._await_result(bank)
        raise LinkError(f"the board was started by others {self.attempts} times: is it used twice?")

    def _await_result(self, bank: int) -> Result:
        """Wait until a bank is not running, and return its result."""
        end = self.clock() + self.image_timeout
        while (result := self.result(bank)).state == State.RUNNING:
            if self.clock() > end:
                raise LinkError(
                    f"the board has not computed an image in {self.image_timeout:g} seconds: give "
                    f"it more patience if it is a slow one, or else reset or program it"
                )
        return result

    def _finished(self, bank: int, image: bytes) -> Result:
        """Wait for the result of an image in a bank; send the image again if it got lost."""
        for _ in range(self.attempts):
            result = self._await_result(bank)
            if result.state == State.DONE and result.crc == zlib.crc32(image):
                return result
            self.traffic.repeated += 1
            self.confirm()  # a board that was programmed anew has lost its images
            self._start(bank, image)
        raise LinkError(f"the board has lost an image {self.attempts} times: check its supply")
