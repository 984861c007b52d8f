"""Sums: the way from processing elements to the neurons, where sums wait for their turn."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import fifo, stream, wiring

from spikeloom.hw.engine.population import Population
from spikeloom.hw.planning import LayerPlan

#: Where sums wait for the neurons (``plan.queue``): clock cycles from storing the sums of a window
#: to showing them to the neurons.
SUMS_LATENCY = 1
#: Where several sums wait: clock cycles from the last in which the neurons need sums to storing
#: others in their place. A single place can be filled in this last cycle.
SUMS_SPACE_LATENCY = 1


def connect_sums(
    m: Module, plan: LayerPlan, summed: Sequence[stream.Interface], population: Population
) -> tuple[Value, list[Value]]:
    """Connect sums to the neurons, through a register or a queue for each copy as planned.

    Parameters
    ----------
    m : Module
    plan : LayerPlan
    summed : sequence of stream
        From each copy, the sums of its windows, one for each lane.
    population : Population

    Returns
    -------
    waiting : Value
        Whether sums wait there.
    taking : list of Value
        For each copy, whether its sums are taken in the next cycle.
    """
    shown = population.i
    if not plan.queue:
        (sums,) = summed
        wiring.connect(m, sums, shown)
        return Const(0), [population.taking]
    ahead: Value = Const(1, 1)
    copies = [shown]
    if plan.copies > 1:
        copies = [stream.Signature(shown.payload.shape()).create() for _ in summed]
        ahead = _in_turn(m, plan, copies, shown)
    ways = []
    for k, (sums, held) in enumerate(zip(summed, copies, strict=True)):
        if plan.queue == 1:
            ways.append(_register(m, sums, held, population.taking & ahead[k], plan.compact))
        else:
            name = f"sums{k}" if plan.copies > 1 else "sums"
            ways.append(_queue(m, sums, held, plan.queue, name))
    waiting, taking = zip(*ways, strict=True)
    return Cat(waiting).any(), list(taking)


def _in_turn(
    m: Module, plan: LayerPlan, copies: Sequence[stream.Interface], shown: stream.Interface
) -> Value:
    """Show the neurons the sums of all positions of a row, each from its copy.

    Returns
    -------
    Value
        A bit for each copy, of which one is set: whether it has its turn in the next cycle.
    """
    turn = Signal(plan.copies, init=1)
    ahead = Signal(plan.copies)
    inner = Signal(range(plan.sums_per_position))
    column = Signal(range(plan.target.width))
    takes, row_end = Signal(), Signal()
    # Where all copies have as many windows in a row, the first copy follows the last by itself.
    if plan.target.width % plan.copies:
        m.d.comb += row_end.eq(column == plan.target.width - 1)
    bits = len(Value.cast(shown.payload))
    chosen: Value = Const(0)
    for k, held in enumerate(copies):
        chosen = chosen | (Value.cast(held.payload) & turn[k].replicate(bits))
        m.d.comb += held.ready.eq(shown.ready & turn[k])
    m.d.comb += [
        Value.cast(shown.payload).eq(chosen),
        shown.valid.eq((Cat(held.valid for held in copies) & turn).any()),
        takes.eq(shown.valid & shown.ready & (inner == plan.sums_per_position - 1)),
        ahead.eq(Mux(takes, Mux(row_end, 1, turn.rotate_left(1)), turn)),
    ]
    m.d.sync += turn.eq(ahead)
    with m.If(shown.valid & shown.ready):
        m.d.sync += inner.eq(Mux(inner == plan.sums_per_position - 1, 0, inner + 1))
    with m.If(takes):
        m.d.sync += column.eq(Mux(row_end, 0, column + 1))
    return ahead


def _register(
    m: Module, sums: stream.Interface, held: stream.Interface, goes: Value, compact: bool
) -> tuple[Value, Value]:
    """Hold one window's sums, until ``goes``: they will go in the next cycle.

    All elements stand still while sums are not taken. So whether they are comes from a register,
    which is set if there will be none here, or these will go; in a compact engine, which is slow
    anyway, it does not.

    Returns
    -------
    waiting : Value
        Whether there are sums.
    taking : Value
        Whether others are taken in the next cycle.
    """
    valid = Mux(sums.ready, sums.valid, held.valid)
    taking = ~valid | goes
    m.d.sync += held.valid.eq(valid)
    if compact:
        m.d.comb += sums.ready.eq(~held.valid | held.ready)
    else:
        m.d.sync += sums.ready.eq(taking)
    with m.If(sums.ready):
        m.d.sync += held.payload.eq(sums.payload)
    return held.valid, taking


def _queue(
    m: Module, sums: stream.Interface, held: stream.Interface, depth: int, name: str
) -> tuple[Value, Value]:
    """Hold the sums of several windows; return the same as :func:`_register`."""
    queue = fifo.SyncFIFO(width=sums.payload.shape().size, depth=depth)
    m.submodules[name] = queue
    m.d.comb += [
        queue.w_data.eq(sums.payload),
        queue.w_en.eq(sums.valid),
        sums.ready.eq(queue.w_rdy),
        held.payload.eq(queue.r_data),
        held.valid.eq(queue.r_rdy),
        queue.r_en.eq(held.ready),
    ]
    fills = (queue.level == depth) | ((queue.level == depth - 1) & sums.valid)
    return queue.level != 0, ~fills | (held.valid & held.ready)
