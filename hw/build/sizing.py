"""Estimate of how many lanes a board has room for.

It orders the plans to try, so that few designs need be synthesised; Yosys' count decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from spikeloom.hw.boards import Resources
from spikeloom.hw.build.blocks import Memory
from spikeloom.hw.build.family import Family
from spikeloom.hw.engine import COUNTERS
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.layer import LayerPlan, UnrolledPlan
from spikeloom.hw.planning.plan import Plan, plan
from spikeloom.sw.network import Network

#: Rates of the estimate, in look-up tables of four inputs: for the host link, the self test and the
#: LEDs together; for each engine, lanes apart; for each bit of an accumulator and of a unit's
#: potential; for each bit of an accumulator and each further event in the same cycle; for each bit
#: of a word of values, which is searched for non-zeros; and for each counter, with its way to the
#: link. `python -m benchmarks.sizing ecp5` compares the sum with Yosys' count, and computes all of
#: them anew: all but one fit its eight designs within 2 %. That of further events is a guess: an
#: adder more is made up for by shallower memories in some designs, and costs twice this in others.
_DEVICE, _ENGINE, _LANE_BIT, _EVENT_BIT, _WORD_BIT, _COUNTER = 1876.0, 190.0, 1.2, 1.5, 18.4, 50.0
#: The same for unrolled engines: for each engine, for each bit of a lane's accumulator and
#: potential, for each bit that comes out of a table or an adder, and for each bit of a window whose
#: planes follow one another. They come from engines alone, on ECP5.
_UNROLLED, _UNROLLED_LANE_BIT, _SUM_BIT, _WINDOW_BIT = 350.0, 1.13, 0.96, 2.15
#: Budgets of processing elements to try, the largest first.
_BUDGETS = tuple(2**k * part // 4 for k in range(10, 1, -1) for part in (4, 3))


def features(planned: Plan) -> tuple[float, ...]:
    """Return the amounts that the rates are multiplied by, in the order of the rates.

    They are 1, the number of engines, three numbers of bits, and the number of counters. Unrolled
    engines have rates of their own, and no part in it.
    """
    engines = [engine_features(x) for x in planned.layers if not isinstance(x, UnrolledPlan)]
    counters = len(COUNTERS.members) * len(planned.layers) if planned.config.counters else 0
    engines = engines or [(0.0, 0.0, 0.0, 0.0)]
    return (1.0, *(sum(column) for column in zip(*engines, strict=True)), float(counters))


def engine_features(layer: LayerPlan) -> tuple[float, float, float, float]:
    """Return an engine's part of :func:`features`: 1, and three numbers of bits."""
    bits = layer.lanes * layer.ranges.accumulator.width
    bits += layer.units * layer.ranges.potential.width
    words = sum(
        reader.windows.buffer.chunks * reader.windows.buffer.stream.layout.size
        for reader in layer.readers
    )
    more = layer.lanes * (layer.events - 1) * layer.ranges.accumulator.width
    return (1.0, float(bits), float(more), float(words))


def luts(planned: Plan) -> int:
    """Return an estimate of the look-up tables that a plan's design takes, link included."""
    beside = device_luts(len(planned.layers), planned.config.counters)
    return round(beside + sum(map(engine_luts, planned.layers)))


def device_luts(engines: int, counters: bool) -> float:
    """Return an estimate of the look-up tables beside the engines: link, self test, counters."""
    return _DEVICE + _COUNTER * len(COUNTERS.members) * engines * counters


def engine_luts(layer: LayerPlan) -> float:
    """Return an estimate of the look-up tables that one engine takes, its counters apart."""
    if isinstance(layer, UnrolledPlan):
        return _unrolled_luts(layer)
    rates = (_ENGINE, _LANE_BIT, _EVENT_BIT, _WORD_BIT)
    return sum(rate * n for rate, n in zip(rates, engine_features(layer), strict=True))


def _unrolled_luts(layer: UnrolledPlan) -> float:
    sums = layer.sums
    lane_bits = layer.lanes * (layer.ranges.accumulator.width + layer.ranges.potential.width)
    window = sums.kernel.shape[1] * sums.bits if sums.steps > 1 else 0
    return (
        _UNROLLED
        + _UNROLLED_LANE_BIT * lane_bits
        + _SUM_BIT * (sums.table_bits + sums.adder_bits)
        + _WINDOW_BIT * window
    )


def banks(planned: Plan, family: Family) -> int:
    """Return how many block RAMs the weights of a plan take."""
    return sum(
        layer.events * family.blocks(Memory(memory.depth, memory.width, forced=memory.block))
        for layer in planned.layers
        for memory in layer.memories
    )


def candidates(
    network: Network, config: HardwareConfig, family: Family, available: Resources
) -> Iterator[Plan]:
    """Yield plans to try: first the one with the most lanes that should fit, then smaller ones.

    Look-up tables and the block RAM of weights decide here; block RAM can be counted in full once a
    design is written.

    A configuration that names the lanes of all layers, or one number for all, is the only
    candidate. With the fewest lanes, fewer slots are tried as well. The smallest plan is yielded
    whether it should fit or not.
    """
    # Unrolled layers have all lanes.
    given = config.chosen("lanes", network).keys() | config.chosen("planes", network).keys()
    free = len(given) < len(network.layers)
    if not free:
        yield plan(network, config)
        return
    most = config.slots if isinstance(config.slots, int) else 1
    slots = [2**k for k in range(6, -1, -1) if 2**k < most]
    tried = [replace(config, budget=budget) for budget in _BUDGETS]
    tried += [replace(tried[-1], slots=number) for number in slots]
    seen: list[list[tuple[int, int]]] = []
    plans = []
    for choice in tried:
        planned = plan(network, choice)
        size = [(layer.lanes, layer.slots) for layer in planned.layers]
        if size not in seen:
            seen.append(size)
            plans.append(planned)
    for planned in plans:
        fits = luts(planned) <= family.full * available.luts
        fits = fits and banks(planned, family) <= available.block_ram
        if fits or planned is plans[-1]:
            yield planned
