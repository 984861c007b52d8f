"""Plan of a link: the accelerator's streams, the clock and the rate that a link is built for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spikeloom.hw.engine import COUNTERS
from spikeloom.hw.link.uart import ratio
from spikeloom.hw.planning.plan import Plan
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.link import Identity, Message, Record, Result, encode, packed_bits, packed_bytes
from spikeloom.sw.link.messages import AskResult, Run, Started, Write, Written, content
from spikeloom.sw.network import Range

#: Number of banks, each of which holds an image: one is computed while the next one is sent.
BANKS = 2
#: Bytes of contents that can wait to be served, and of data in one request. Four requests fit.
RECEIVE, CHUNK = 1024, 240
#: Fastest rate, Hz: that of the common adapters.
FASTEST = 3_000_000


@dataclass(frozen=True)
class RecordPlan:
    """Plan of a record, which keeps the transfers that one layer has sent for the last image.

    Parameters
    ----------
    layer : str
        Name of the layer.
    lanes : int
        Values of a transfer.
    values : Range
        Range of a value.
    transfers : int
        Number of transfers of an image.
    """

    layer: str
    lanes: int
    values: Range
    transfers: int

    @property
    def width(self) -> int:
        """Bits of a transfer."""
        return self.lanes * self.values.width

    @property
    def bytes(self) -> int:
        """Bytes of a word, which holds one transfer."""
        return -(-self.width // 8)


@dataclass(frozen=True)
class LinkPlan:
    """Parameters of a link.

    Parameters
    ----------
    digest : str
        Digest of the network.
    clock, baud : int
        Frequency of the clock and rate of the UART, Hz.
    pixels : Range
        Range of the values of an image.
    transfers : int
        Number of values of an image.
    logits : Range
        Range of a logit.
    classes : int
        Number of logits of an image.
    counters : tuple of str
        Names of the counters, in the order in which they are read.
    records : tuple of RecordPlan
        Plans of the records.
    receive, chunk : int
        See :class:`~spikeloom.sw.link.Identity`.

    Raises
    ------
    ConfigError
        If a number is too large for the protocol, or the clock is too slow for the rate.
    """

    digest: str
    clock: int
    baud: int
    pixels: Range
    transfers: int
    logits: Range
    classes: int
    counters: tuple[str, ...] = ()
    records: tuple[RecordPlan, ...] = ()
    receive: int = RECEIVE
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        if not 1 <= self.baud <= FASTEST:
            raise ConfigError(f"baud must be from 1 to {FASTEST}, not {self.baud}")
        ratio(self.clock, self.baud)
        if self.receive < 2 or self.receive & (self.receive - 1):
            raise ConfigError(f"receive must be a power of two, not {self.receive}")
        if not 1 <= self.classes < 1 << 16:
            raise ConfigError(f"a link carries up to 65535 logits, not {self.classes}")
        if len(self.records) > 255:
            raise ConfigError(f"a link keeps up to 255 layers, not {len(self.records)}")
        # Header, bank and offset come with the data.
        if not 1 <= self.chunk <= self.receive - 9:
            raise ConfigError(
                f"chunk must be from 1 to {self.receive - 9}, as receive = {self.receive} says, "
                f"not {self.chunk}"
            )

    @staticmethod
    def of(
        plan: Plan,
        clock: int,
        baud: int,
        *,
        records: Sequence[str] = (),
        receive: int = RECEIVE,
        chunk: int = CHUNK,
    ) -> LinkPlan:
        """Return the plan of an accelerator's link.

        Parameters
        ----------
        plan : Plan
            Plan of the accelerator. Its counters, if it has any, can be read through the link.
        clock, baud : int
            Frequency of the clock and rate of the UART, Hz.
        records : sequence of str
            Names of layers whose counts can be read. They need a plan with ``debug``.
        receive, chunk : int
            See :class:`~spikeloom.sw.link.Identity`.

        Raises
        ------
        ConfigError
            If a layer is unknown or has no taps, or a number is too large for the protocol.
        """
        names = [layer.layer.name for layer in plan.layers]
        for name in records:
            if name not in names:
                raise ConfigError(f"records: there is no layer {name!r}, only {', '.join(names)}")
        if records and not plan.config.debug:
            raise ConfigError("records need an accelerator that was planned with debug")
        kept = []
        for name in records:
            target = plan[name].target
            kept.append(RecordPlan(name, target.lanes, target.values, target.transfers))
        counted = names if plan.config.counters else []
        target = plan.layers[-1].target
        return LinkPlan(
            plan.network.digest,
            clock,
            baud,
            plan.pixels.values,
            plan.pixels.transfers,
            target.values,
            target.channels * target.height * target.width,
            tuple(f"{name}.{counter}" for name in counted for counter in COUNTERS.members),
            tuple(kept),
            receive,
            chunk,
        )

    @property
    def value_bits(self) -> int:
        """Bits of a value in a packed image."""
        return packed_bits(self.pixels.width)

    @property
    def image_bytes(self) -> int:
        """Bytes of a packed image."""
        return packed_bytes(self.transfers, self.value_bits)

    @property
    def logit_bytes(self) -> int:
        """Bytes of a logit."""
        return -(-self.logits.width // 8)

    @property
    def label_bits(self) -> int:
        """Bits of the index of a logit."""
        return max(1, (self.classes - 1).bit_length())

    @property
    def pace(self) -> float:
        """Most images per second that the line can carry, if they were computed in no time."""
        starts = range(0, self.image_bytes, self.chunk)
        sizes = [min(self.chunk, self.image_bytes - start) for start in starts]
        pieces = [Write(0, 0, bytes(size)) for size in sizes]
        logits = bytes(self.classes * self.logit_bytes)
        there: list[Message] = [*pieces, Run(0, 0), AskResult(0)]
        back: list[Message] = [*(Written() for _ in pieces), Started(), Result(0, 0, 0, 0, logits)]
        # Ten bits for a byte; both directions at the same time.
        longer = max(
            sum(len(encode(content(message, 0))) for message in messages)
            for messages in (there, back)
        )
        return self.baud / (10 * longer)

    @property
    def identity(self) -> Identity:
        """Identity that the device gives to a host."""
        return Identity(
            bytes.fromhex(self.digest),
            self.clock,
            self.image_bytes,
            self.transfers,
            self.value_bits,
            self.classes,
            self.logit_bytes,
            BANKS,
            self.chunk,
            self.receive,
            len(self.counters),
            Identity.table_of(tuple(Record(r.bytes, r.transfers) for r in self.records)),
        )

    def description(self) -> dict[str, Any]:
        """Return the link's description for a manifest, in JSON values."""
        return {
            "baud": self.baud,
            "counters": list(self.counters),
            "records": [
                {
                    "layer": record.layer,
                    "lanes": record.lanes,
                    "width": record.values.width,
                    "signed": record.values.signed,
                    "bytes": record.bytes,
                    "transfers": record.transfers,
                }
                for record in self.records
            ],
        }
