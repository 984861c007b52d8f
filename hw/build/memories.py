"""Memories of a design, from its plan alone.

A family's :meth:`~spikeloom.hw.build.family.Family.blocks` turns them into block RAMs. A test
compares them with the memories of written designs.
"""

from __future__ import annotations

from collections.abc import Iterator

from spikeloom.hw.build.blocks import Memory
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.link.frames import CONTENT
from spikeloom.hw.link.plan import BANKS
from spikeloom.hw.neurons import NeuronUnit
from spikeloom.hw.planning import LayerPlan, Plan, UnrolledPlan
from spikeloom.hw.planning.connection import PoolPlan
from spikeloom.hw.planning.weights import spared
from spikeloom.hw.values import shape_of


def engine_memories(layer: LayerPlan, registers: bool) -> Iterator[tuple[Memory, int]]:
    """Yield the memories of one engine, and how many there are of each.

    Parameters
    ----------
    layer : LayerPlan
    registers : bool
        Whether its event queues are made of registers, as in families without small memories.
    """
    if isinstance(layer, UnrolledPlan):
        yield from ((memory, 1) for memory in _line_memories(layer))
    else:
        yield from _event_memories(layer, registers)
    kind = NeuronUnit.of(layer.neurons)
    words = layer.target.lane_groups * layer.turns * (layer.cycles if kind.per_step else 1)
    if words > 1:
        forced = layer.compact and spared(words)
        width = layer.units * kind.cycle_layout(layer.neurons).size
        yield Memory(words, width, forced=forced), 1


def _line_memories(layer: UnrolledPlan) -> Iterator[Memory]:
    source, rows = layer.readers[0].stream, layer.readers[0].windows.kernel[0] - 1
    if rows:
        yield Memory(
            source.width * source.lane_groups, rows * source.lanes * layer.sums.bits, parts=1
        )


def _event_memories(layer: LayerPlan, registers: bool) -> Iterator[tuple[Memory, int]]:
    queue = event_queue(layer)
    for memory in layer.memories:
        bank = Memory(memory.depth, memory.width, forced=memory.block, blank=memory.blank)
        yield bank, layer.events_per_cycle
    if queue.depth and not registers:
        yield queue, layer.events_per_cycle
    for reader in layer.readers:
        buffer = reader.windows.buffer
        yield Memory(buffer.depth, buffer.word_bits, parts=buffer.chunks, apart=True), layer.copies
        if reader.pool is not None:
            yield from ((memory, 1) for memory in _pool_memories(reader.pool))
    if layer.queue > 1:
        width = layer.lanes * layer.ranges.accumulator.width
        yield Memory(layer.queue, width, parts=1, registered=False), layer.copies


def event_queue(layer: LayerPlan) -> Memory:
    """Return the queue of an event generator; another of the words that wait is in a register."""
    bits = max((layer.depth - 1).bit_length(), 1)
    width = layer.slots * layer.values.width + bits + 1
    return Memory(max(layer.event_queue - 1, 0), width, parts=1, registered=False)


def _pool_memories(plan: PoolPlan) -> Iterator[Memory]:
    pool, target = plan.pool, plan.target
    inner = plan.source.lane_groups * plan.source.steps
    if plan.tiled:
        yield Memory(target.width * inner, target.layout.size, parts=1)
        return
    down, across = (
        max(-(-(size - 1) // stride), 1)
        for size, stride in zip(pool.size, pool.stride, strict=True)
    )
    yield Memory(target.width * inner, down * target.layout.size, parts=1)
    yield Memory(inner, across * target.layout.size, parts=1)


def device_memories(planned: Plan, tested: int) -> Iterator[Memory]:
    """Yield the memories beside the engines: those of the link, and of a self test's images."""
    link = LinkPlan.of(planned, clock=100_000_000, baud=115_200)
    yield Memory(BANKS * link.image_bytes, 8, parts=1)
    yield Memory(BANKS << link.label_bits, link.logits.width, parts=1)
    yield Memory(link.receive, CONTENT.size, parts=1)
    yield Memory(len(link.identity.body()), 8)
    if tested:
        yield Memory(tested * link.transfers, shape_of(link.pixels).width)
        yield Memory(tested * link.classes, link.logits.width + 1)
