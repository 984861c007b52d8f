"""Estimate of how many lanes a board has room for.

It orders the plans to try, so that few designs need be synthesised; Yosys' count decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from spikeloom.hw.boards import Resources
from spikeloom.hw.build.family import Family
from spikeloom.hw.build.memories import engine_memories, event_queue
from spikeloom.hw.engine import COUNTERS
from spikeloom.hw.engine.pe import shift_levels
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.layer import LayerPlan, UnrolledPlan
from spikeloom.hw.planning.plan import Plan, plan
from spikeloom.sw.network import Network

#: Rates of the estimate, in look-up tables of four inputs: for each counter, with its way to the
#: link; for each engine, and each compact one; for each reader of an engine beyond its first; for
#: each bit of a level of a shifter, for each digit that a value can have, in each event generator;
#: and for each bit of a neuron unit's potential, of a word of values, for each mark of a word in a
#: scanner, and for each bit of a queue made of registers. `python -m benchmarks.sizing` fits them
#: to Yosys' counts of designs of three families: whole ones, and accelerators alone. A bit of an
#: adder is one look-up table, with its carry.
_COUNTER, _ENGINE, _COMPACT, _READER = 81.1, 317.0, 225.0, 269.0
_SHIFT_BIT, _DIGIT, _NEURON_BIT, _WORD_BIT = 1.1, 8.3, 0.48, 4.73
_MARK, _QUEUE_BIT = 15.2, 1.12
_RATES = (
    *(_ENGINE, _COMPACT, _READER),
    *(_SHIFT_BIT, _DIGIT, _NEURON_BIT, _WORD_BIT),
    *(_MARK, _QUEUE_BIT),
)
#: Share of an engine's own rate that each further copy takes, and the rate of each bit of the sums
#: from which the neurons choose. Both are set by hand.
_COPY, _CHOICE_BIT = 0.4, 0.35
#: Rate of a bit for each further block or small memory that other words of a memory are in.
_PIECE_BIT = 0.67
#: Bits of constants that a look-up table of four inputs holds.
_CONSTANTS = 16
#: The same for unrolled engines: for each engine, for each bit of a lane's accumulator and
#: potential, for each bit that comes out of a table or an adder, and for each bit of a window whose
#: planes follow one another. All but the first come from engines alone, on ECP5.
_UNROLLED, _UNROLLED_LANE_BIT, _SUM_BIT, _WINDOW_BIT = 329.0, 1.13, 0.96, 2.15
#: Budgets of processing elements to try, the largest first.
_BUDGETS = tuple(2**k * part // 4 for k in range(10, 1, -1) for part in (4, 3))


def features(planned: Plan, family: Family) -> tuple[float, ...]:
    """Return the amounts that the rates are multiplied by.

    They are the number of counters, the sums of :func:`engine_features`, and the number of unrolled
    engines.
    """
    engines = [engine_features(x, family) for x in _ordinary(planned)]
    unrolled = len(planned.layers) - len(engines)
    engines = engines or [(0.0,) * len(_RATES)]
    sums = (sum(column) for column in zip(*engines, strict=True))
    return tuple(family.logic * amount for amount in (counters(planned), *sums, unrolled))


def given(planned: Plan, family: Family) -> float:
    """Return the look-up tables for which :func:`features` has no part.

    Those are adders, memories, and the lanes and sums of unrolled engines.
    """
    return sum(_fixed(layer, family) for layer in planned.layers)


def engine_features(layer: LayerPlan, family: Family) -> tuple[float, ...]:
    """Return an engine's part of :func:`features`, in the order of the rates."""
    words = sum(
        reader.windows.buffer.chunks * reader.windows.buffer.stream.layout.size
        for reader in layer.readers
    )
    marks = sum(
        reader.windows.kernel[0] * reader.windows.buffer.row_words
        for reader in layer.readers
        if reader.windows.buffer.marked
    )
    # Each copy has a scanner, generators and elements of its own.
    own = 1.0 + _COPY * (layer.copies - 1)
    return (
        0.0 if layer.compact else own,
        own if layer.compact else 0.0,
        float((len(layer.readers) - 1) * layer.copies),
        float(shift_levels(layer.digits) * term_bits(layer)),
        float(layer.events_per_cycle * layer.digits.positions),
        float(layer.units * layer.ranges.potential.width),
        float(words * layer.copies),
        float(marks * layer.copies),
        float(register_bits(layer, family)),
    )


def _ordinary(planned: Plan) -> list[LayerPlan]:
    return [layer for layer in planned.layers if not isinstance(layer, UnrolledPlan)]


def term_bits(layer: LayerPlan) -> int:
    """Return the bits of the terms of all events of a cycle, in all lanes."""
    width = layer.weights.width + layer.digits.positions - 1
    adders = layer.lanes * layer.events_per_cycle
    return adders * min(width, layer.ranges.accumulator.width)


def register_bits(layer: LayerPlan, family: Family) -> int:
    """Return the bits of event queues that are registers, for lack of small memories."""
    if family.lut_ram is not None:
        return 0
    queue = event_queue(layer)
    return layer.events_per_cycle * queue.depth * queue.width


def _adders(layer: LayerPlan) -> float:
    """Return the bits of the adders of all lanes: E - 1 for the terms, and the accumulator's.

    Of several copies, the choice between their sums is included.
    """
    bits = layer.lanes * layer.ranges.accumulator.width
    chosen = _CHOICE_BIT * layer.copies if layer.copies > 1 else 0.0
    return bits * (layer.events_per_cycle + chosen)


def _memory_luts(layer: LayerPlan, family: Family) -> float:
    """Return the look-up tables of an engine's memories, and of choices between their parts."""
    luts = 0.0
    for memory, number in engine_memories(layer, registers=family.lut_ram is None):
        bits, small = memory.width - memory.blank, family.lut_ram
        if family.blocks(memory):
            pieces = family.block.of(memory)[2]
        elif memory.parts and small is not None:
            luts += number * small.luts * small.of(memory)[0]
            pieces = small.pieces(memory)
        else:
            luts += number * memory.depth * memory.width / (1 if memory.parts else _CONSTANTS)
            continue
        luts += _PIECE_BIT * number * (pieces - 1) * bits
    return luts


def luts(planned: Plan, family: Family) -> int:
    """Return an estimate of the look-up tables that a plan's design takes, link included."""
    beside = device_luts(counters(planned), family)
    return round(beside + sum(engine_luts(layer, family) for layer in planned.layers))


def counters(planned: Plan) -> int:
    """Return the number of counters that a plan's design has."""
    return len(COUNTERS.members) * len(planned.layers) * planned.config.counters


def device_luts(number: int, family: Family) -> float:
    """Return an estimate of the look-up tables beside engines: link, self test, and counters."""
    return family.beside + family.logic * _COUNTER * number


def engine_luts(layer: LayerPlan, family: Family) -> float:
    """Return an estimate of the look-up tables that one engine takes, its counters apart."""
    if isinstance(layer, UnrolledPlan):
        rated = _UNROLLED
    else:
        amounts = engine_features(layer, family)
        rated = sum(rate * amount for rate, amount in zip(_RATES, amounts, strict=True))
    return _fixed(layer, family) + family.logic * rated


def _fixed(layer: LayerPlan, family: Family) -> float:
    """Return an engine's part of :func:`given`."""
    if not isinstance(layer, UnrolledPlan):
        return _adders(layer) + _memory_luts(layer, family)
    sums = layer.sums
    lane_bits = layer.lanes * (layer.ranges.accumulator.width + layer.ranges.potential.width)
    window = sums.kernel.shape[1] * sums.bits if sums.steps > 1 else 0
    return (
        _UNROLLED_LANE_BIT * lane_bits
        + _SUM_BIT * (sums.table_bits + sums.adder_bits)
        + _WINDOW_BIT * window
    )


def blocks(layer: LayerPlan, family: Family) -> int:
    """Return how many block RAMs the memories of an engine take."""
    memories = engine_memories(layer, registers=family.lut_ram is None)
    return sum(number * family.blocks(memory) for memory, number in memories)


def candidates(
    network: Network, config: HardwareConfig, family: Family, available: Resources
) -> Iterator[Plan]:
    """Yield plans to try: first the one with the most lanes that should fit, then smaller ones.

    Look-up tables, and the block RAM of engines, decide here; that beside them can be counted once
    a design is written.

    A configuration that names the lanes of all layers, or one number for all, is the only
    candidate. With the fewest lanes, fewer slots are tried as well, and last compact engines. The
    smallest plan is yielded whether it should fit or not.
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
    tried += [replace(tried[-1], compact=True)]
    seen: list[list[tuple[int, int, bool]]] = []
    plans = []
    for choice in tried:
        planned = plan(network, choice)
        size = [(layer.lanes, layer.slots, layer.compact) for layer in planned.layers]
        if size not in seen:
            seen.append(size)
            plans.append(planned)
    for planned in plans:
        fits = luts(planned, family) <= family.full * available.luts
        used = sum(blocks(layer, family) for layer in planned.layers)
        fits = fits and used <= available.block_ram
        if fits or planned is plans[-1]:
            yield planned
