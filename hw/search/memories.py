"""Memories of a design: the depth and width of each, from its plan alone.

A family's :meth:`~spikeloom.hw.build.family.Family.blocks` turns them into block RAMs. A test
compares them with the memories of written designs.
"""

from __future__ import annotations

from collections.abc import Iterator

from spikeloom.hw.link import LinkPlan
from spikeloom.hw.link.frames import CONTENT
from spikeloom.hw.link.plan import BANKS
from spikeloom.hw.neurons import NeuronUnit
from spikeloom.hw.planning import LayerPlan, Plan, UnrolledPlan
from spikeloom.hw.planning.connection import ConnectionPlan, PoolPlan
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import MaxPool

#: Depth and width, in words and bits.
Memory = tuple[int, int]


def engine_memories(layer: LayerPlan, registers: bool) -> Iterator[Memory]:
    """Yield the memories of one engine.

    Parameters
    ----------
    layer : LayerPlan
    registers : bool
        Whether its event queues are made of registers, as in families without small memories.
    """
    if isinstance(layer, UnrolledPlan):
        yield from _line_memories(layer)
    else:
        yield from _event_memories(layer, registers)
    kind = NeuronUnit.of(layer.neurons)
    words = layer.target.lane_groups * layer.turns * (layer.cycles if kind.per_step else 1)
    if words > 1:
        yield words, layer.units * kind.cycle_layout(layer.neurons).size


def _line_memories(layer: UnrolledPlan) -> Iterator[Memory]:
    source, rows = layer.readers[0].stream, layer.readers[0].windows.kernel[0] - 1
    if rows:
        yield source.width * source.lane_groups, rows * source.lanes * layer.sums.bits


def _event_memories(layer: LayerPlan, registers: bool) -> Iterator[Memory]:
    bits = max((layer.depth - 1).bit_length(), 1)
    # One of the words that wait is in a register.
    queue = layer.event_queue - 1, layer.slots * layer.values.width + bits + 1
    for memory in layer.memories:
        yield from [(memory.depth, memory.width)] * layer.events
    if not registers:
        yield from [queue] * layer.events
    for reader in layer.readers:
        yield from _reader_memories(reader)
    if layer.queue > 1:
        yield layer.queue, layer.lanes * layer.ranges.accumulator.width


def _reader_memories(reader: ConnectionPlan) -> Iterator[Memory]:
    buffer = reader.windows.buffer
    yield buffer.depth, buffer.chunks * buffer.stream.layout.size
    if reader.pool is not None:
        yield from _pool_memories(reader.pool)


def _pool_memories(plan: PoolPlan) -> Iterator[Memory]:
    pool, target = plan.pool, plan.target
    inner = plan.source.lane_groups * plan.source.steps
    if not isinstance(pool, MaxPool) or pool.tiled:
        yield target.width * inner, target.layout.size
        return
    down, across = (
        max(-(-(size - 1) // stride), 1)
        for size, stride in zip(pool.size, pool.stride, strict=True)
    )
    yield target.width * inner, down * target.layout.size
    yield inner, across * target.layout.size


def device_memories(planned: Plan, tested: int) -> Iterator[Memory]:
    """Yield the memories beside the engines: those of the link, and of a self test's images."""
    link = LinkPlan.of(planned, clock=100_000_000, baud=115_200)
    yield BANKS * link.image_bytes, 8
    yield BANKS << link.label_bits, link.logits.width
    yield link.receive, CONTENT.size
    yield len(link.identity.body()), 8
    if tested:
        yield tested * link.transfers, shape_of(link.pixels).width
        yield tested * link.classes, link.logits.width + 1
