"""What a link is made for: an accelerator's streams, a clock, a rate."""

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

#: Images that the device holds: one is computed while the next one travels.
BANKS = 2
#: Bytes of contents that wait for being served, and data in one request; four requests fit.
RECEIVE, CHUNK = 1024, 240
#: Rates that common adapters have; others are possible.
FASTEST = 3_000_000


@dataclass(frozen=True)
class RecordPlan:
    """What is kept of one layer: the transfers that it has sent for the last image.

    Parameters
    ----------
    layer : str
    lanes : int
        Values of a transfer.
    values : Range
        What a value can be.
    transfers : int
        Transfers of an image, in the order of the layer's stream.
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
        The network's.
    clock, baud : int
        Hz.
    pixels : Range
        Values of an image.
    transfers : int
        Their number.
    logits : Range
    classes : int
        Logits of an image.
    counters : tuple of str
        Names of the counters, in the order in which they are read.
    records : tuple of RecordPlan
    receive, chunk : int
        See :class:`~spikeloom.sw.link.Identity`.

    Raises
    ------
    ConfigError
        If something is larger than the protocol can say, or the clock is too slow for the rate.
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
        """Return the link of an accelerator.

        Parameters
        ----------
        plan : Plan
            With counters, if these are to be read.
        clock, baud : int
            Hz.
        records : sequence of str
            Layers whose counts can be read; the plan then must be one with ``debug``.

        Raises
        ------
        ConfigError
            If a layer is unknown or has no taps, or something is larger than the protocol can say.
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
            plan.network.input.pixels(),
            plan.input.transfers,
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
        """Images per second that the line carries at most, were they computed in no time."""
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
        """What the device says of itself."""
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
        """Return what a manifest says of the link, in JSON values."""
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
