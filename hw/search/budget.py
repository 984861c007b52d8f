"""Budgets: the resources that a plan may take, and an estimate of those that it takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from spikeloom.hw.boards import Board
from spikeloom.hw.build import sizing
from spikeloom.hw.build.family import Family
from spikeloom.hw.build.memories import device_memories
from spikeloom.hw.planning import LayerPlan, Plan, UnrolledPlan
from spikeloom.sw.errors import ConfigError

#: Family of a budget that is given in numbers.
_FAMILY = "ecp5"
_UNLIMITED = 1 << 40
#: Share of cells, of a look-up table and a flip-flop each, that a plan may fill by the estimate.
_PACKED = 0.92
#: Prices rise with this power of a share that is taken, of those between two limits.
_RISE = 4
_LEAST_SHARE, _MOST_SHARE = 0.6, 1.4


@dataclass(frozen=True)
class Amounts:
    """Resources that a design, or a part of it, is estimated to take.

    Parameters
    ----------
    luts, flipflops : float
        Estimates. In a family whose flip-flops may take the place of look-up tables, those that do
        count as look-up tables, too.
    block_ram : int
        Exact for memories; Yosys may make logic of one that holds little.
    """

    luts: float = 0.0
    flipflops: float = 0.0
    block_ram: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        """Return the sum of two parts."""
        return Amounts(
            self.luts + other.luts,
            self.flipflops + other.flipflops,
            self.block_ram + other.block_ram,
        )

    def __sub__(self, other: Amounts) -> Amounts:
        """Return what is left without a part."""
        return Amounts(
            self.luts - other.luts,
            self.flipflops - other.flipflops,
            self.block_ram - other.block_ram,
        )


@dataclass(frozen=True)
class Prices:
    """A number for each resource: what a share of the budget counts, or that share itself.

    Parameters
    ----------
    luts, flipflops, block_ram : float
    """

    luts: float = 1.0
    flipflops: float = 0.0
    block_ram: float = 1.0

    def raised(self, shares: Prices) -> Prices:
        """Return prices for designs that take less of what these ``shares`` have too much of."""

        def price(now: float, share: float) -> float:
            return now * min(max(share, _LEAST_SHARE), _MOST_SHARE) ** _RISE

        return Prices(
            price(self.luts, shares.luts),
            price(self.flipflops, shares.flipflops),
            price(self.block_ram, shares.block_ram),
        )


@dataclass(frozen=True)
class Budget:
    """The resources that a plan may take.

    Parameters
    ----------
    family : str
        Name of the family of FPGAs, whose block RAMs are counted.
    luts, flipflops, block_ram : int
        Largest number of each.
    device : bool
        Whether link and self test of a board's device are counted, too.
    title : str
        Name for messages.
    tested : int
        Number of images in the self test.
    counters : bool
        Whether the device counts the cycles, events and waits of every layer.
    """

    family: str = _FAMILY
    luts: int = _UNLIMITED
    flipflops: int = _UNLIMITED
    block_ram: int = _UNLIMITED
    device: bool = False
    title: str = "the budget"
    tested: int = 1
    counters: bool = True

    @classmethod
    def of_board(cls, board: Board, *, counters: bool = True) -> Self:
        """Return the budget of a board's design: the share of it that routes without trouble."""
        family, found = Family.find(board.family), board.resources
        return cls(
            board.family,
            int((_PACKED if family.lone else family.full) * found.luts),
            int(family.full * found.flipflops),
            found.block_ram,
            device=True,
            title=board.title,
            counters=counters,
        )

    @classmethod
    def of_numbers(cls, luts: int | None, block_ram: int | None) -> Self:
        """Return the budget of an accelerator alone, in an ECP5's resources.

        Raises
        ------
        ConfigError
            If neither is given.
        """
        if luts is None and block_ram is None:
            raise ConfigError(
                "a plan needs a limit: give a board, or the look-up tables it may take"
            )
        return cls(
            luts=luts or _UNLIMITED, block_ram=_UNLIMITED if block_ram is None else block_ram
        )

    def within(self, *, luts: int | None, block_ram: int | None) -> Budget:
        """Return a smaller budget, for a board that shall keep room for something else."""
        return replace(
            self,
            luts=min(self.luts, luts or self.luts),
            block_ram=self.block_ram if block_ram is None else min(self.block_ram, block_ram),
        )

    @cached_property
    def _family(self) -> Family:
        return Family.find(self.family)

    def engine(self, layer: LayerPlan) -> Amounts:
        """Return an estimate of what one engine takes."""
        family = self._family
        flipflops = _flipflops(layer, family)
        return Amounts(
            sizing.engine_luts(layer, family) + family.lone * flipflops,
            flipflops,
            sizing.blocks(layer, family),
        )

    def beside(self, planned: Plan) -> Amounts:
        """Return an estimate of what a design takes beside its engines."""
        if not self.device:
            return Amounts()
        config = replace(planned.config, counters=self.counters)
        planned = replace(planned, config=config)
        memories = device_memories(planned, self.tested)
        counters = sizing.counters(planned)
        flipflops = _DEVICE_FLIPFLOPS + _COUNTER_FLIPFLOPS * counters
        luts = sizing.device_luts(counters, self._family)
        return Amounts(
            luts + self._family.lone * flipflops,
            flipflops,
            sum(map(self._family.blocks, memories)),
        )

    def amounts(self, planned: Plan) -> Amounts:
        """Return an estimate of what a whole design takes."""
        return sum((self.engine(layer) for layer in planned.layers), self.beside(planned))

    def fits(self, amounts: Amounts) -> bool:
        """Return whether a design has room."""
        return not self.short_of(amounts)

    def short_of(self, amounts: Amounts) -> list[str]:
        """Return a phrase for each resource that a design takes too much of."""
        return [
            f"{what}{round(used):,} {name} of {room:,}"
            for what, name, used, room in (
                ("about ", "look-up tables", amounts.luts, self.luts),
                ("about ", "flip-flops", amounts.flipflops, self.flipflops),
                ("", "block RAMs", amounts.block_ram, self.block_ram),
            )
            if used > room
        ]

    def weight(self, amounts: Amounts, prices: Prices) -> float:
        """Return a design's shares of the budget as one number, to compare designs by.

        Parameters
        ----------
        amounts : Amounts
        prices : Prices
            What a share of each resource counts.
        """
        shares = self.shares(amounts)
        return (
            prices.luts * shares.luts
            + prices.flipflops * shares.flipflops
            + prices.block_ram * shares.block_ram
        )

    def shares(self, amounts: Amounts) -> Prices:
        """Return the share of each resource that a design takes; 0 of one without a limit.

        Look-up tables without a limit are taken as shares of 10,000.
        """
        luts = self.luts if self.luts < _UNLIMITED else 10_000
        return Prices(
            amounts.luts / luts,
            amounts.flipflops / self.flipflops if self.flipflops < _UNLIMITED else 0.0,
            amounts.block_ram / self.block_ram if 0 < self.block_ram < _UNLIMITED else 0.0,
        )


#: Flip-flops of a link, a self test and the LEDs together, roughly; and of an engine, beside those
#: that grow with it.
_DEVICE_FLIPFLOPS = 850.0
_ENGINE_FLIPFLOPS, _COMPACT_FLIPFLOPS = 100.0, 45.0
#: Flip-flops of a counter: it, and the value that the host reads.
_COUNTER_FLIPFLOPS = 64


def _flipflops(layer: LayerPlan, family: Family) -> float:
    """Return a rough estimate of an engine's flip-flops: its registers, by the widths of values.

    They are those of terms, partial sums, sums, currents, potentials and results of the lanes;
    words in the scanner, the compactors and the queues; and events.
    """
    if isinstance(layer, UnrolledPlan):
        # Tables, adders and the bits of a window have a register each.
        sums = layer.sums
        width = layer.ranges.potential.width + 2 * layer.ranges.accumulator.width
        window = sums.kernel.shape[1] * sums.bits
        return 300.0 + layer.lanes * width + window + sums.table_bits + sums.adder_bits
    accumulator, potential = layer.ranges.accumulator.width, layer.ranges.potential.width
    lane = accumulator + potential + layer.target.values.width
    word = sum(
        3 * reader.windows.buffer.chunks * reader.windows.buffer.stream.layout.size
        for reader in layer.readers
    )
    event = 3 * (16 + layer.digits.positions)
    # A compact engine has no partial sums that wait.
    summed = layer.lanes * accumulator * (1 if layer.compact else 2)
    copied = summed + word + layer.events * event
    beside = copied * layer.copies + sizing.register_bits(layer, family)
    fixed = _COMPACT_FLIPFLOPS if layer.compact else _ENGINE_FLIPFLOPS
    return fixed + layer.lanes * lane + sizing.term_bits(layer) + beside
