"""A layer's neurons: U units for M lanes, their parameters, and the layer's own timestep loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.rom import Contents, add_rom
from spikeloom.hw.engine.skid import Skid
from spikeloom.hw.neurons import NeuronUnit
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.planning.streams import Sends
from spikeloom.hw.planning.weights import spared
from spikeloom.hw.values import shape_of

#: The output of a unit that a layer sends.
SENT: dict[Sends, Callable[[NeuronUnit], Value]] = {
    Sends.COUNT: lambda unit: unit.count,
    Sends.SPIKES: lambda unit: unit.spike,
    Sends.LOGITS: lambda unit: unit.potential,
}

#: Most bits of parameters that are not a block RAM, whatever the family.
_SMALL = 2048


def tap_signature(plan: LayerPlan) -> wiring.Signature:
    """Return the signature of one layer's debug signals.

    ``step`` is high for one cycle per ``plan.steps_per_cycle`` timesteps of the neurons that the U
    units serve at the same time. In this cycle ``potential`` and ``spike`` hold the membrane
    potential after the soft reset and the spike of each of them: all units at one timestep before
    those at the next. ``sent`` is high for one cycle per transfer that leaves the layer, and
    ``value`` is its payload.

    If the timesteps are folded, ``step`` is high once for these neurons, after the last timestep,
    and ``spike`` holds each neuron's count, in the width of counts.
    """
    shown = plan.units * plan.steps_per_cycle
    return wiring.Signature(
        {
            "step": Out(1),
            "potential": Out(shown * plan.ranges.potential.width),
            "spike": Out(shown * plan.neurons.shown_spike.width),
            "sent": Out(1),
            "value": Out(plan.target.layout.size),
        }
    )


class Population(wiring.Component):
    """Runs the timesteps of M neurons while the engine adds up the currents of the next M.

    If the current is constant, the sums of one window serve all T timesteps, which may be folded
    into fewer cycles. If the current comes from spikes, the sums serve one timestep each, and those
    of T timesteps follow one another.

    There are U units. If these are fewer than the lanes, they serve the lowest U lanes first, then
    the next. The results move down in the output register, where they come in at the top.

    Where these choose among several lanes' sums (``plan.staged``), they work in the cycle after:
    a register between the choice and the units holds what they work on.

    Sums are taken in the last cycle in which they are needed. A transfer that is not taken at once
    waits behind the output register, so that whether the neurons go on does not depend on what the
    target does in the same cycle. That of a compact engine does depend on it.

    Parameters
    ----------
    plan : LayerPlan

    Attributes
    ----------
    OUTPUT_LATENCY : int
        Clock cycles from running the last timestep of a transfer to offering it.
    STAGE_LATENCY : int
        Clock cycles from choosing the sums of a timestep to running it, if ``plan.staged``.

    Members
    -------
    i : In(stream)
        Sums of the processing elements, one per lane. Ready comes from a register, and is low in
        the first cycle, in which there are no sums yet; that of a compact engine does not.
    taking : Out(1)
        Whether sums are taken in the next cycle, if there are any.
    o : Out(stream)
        Transfers of ``plan.target``.
    tap : Out
        Debug signals; see :func:`tap_signature`.
    busy : Out(1)
        Whether a timestep has to be run or a transfer waits to be taken.
    blocked : Out(1)
        Whether a timestep waits because transfers are not taken.
    """

    OUTPUT_LATENCY = 1
    STAGE_LATENCY = 1

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan
        sums = data.ArrayLayout(shape_of(plan.ranges.accumulator), plan.lanes)
        super().__init__(
            {
                "i": In(stream.Signature(sums)),
                "taking": Out(1),
                "o": Out(plan.target.signature),
                "tap": Out(tap_signature(plan)),
                "busy": Out(1),
                "blocked": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        kind = NeuronUnit.of(plan.neurons)
        lane_groups = plan.target.lane_groups
        step = Signal(range(plan.cycles))
        # One bit is set, that of the lanes which the units serve: a wide choice by a number takes
        # half as much logic again.
        turn = Signal(plan.turns, init=1)
        group = Signal(range(lane_groups))
        # Registers, since whether sums are taken is known no sooner than these.
        first_step, last_step = Signal(init=1), Signal(init=plan.cycles == 1)
        last_turn = turn[-1]
        next_last_step, next_last_turn = Signal(), Signal()

        sent = self.o
        if not plan.compact:
            m.submodules.skid = skid = Skid(self.o.signature)
            sent = skid.i
            wiring.connect(m, skid.o, wiring.flipped(self.o))

        # Units have a result at every timestep or only at the last. A full output register holds
        # the timestep back.
        def results(last_step: Value) -> Value:
            return Const(1) if plan.sends == Sends.SPIKES else last_step

        def ends(last_step: Value, last_turn: Value) -> Value:
            return last_step & last_turn if plan.layer.constant else Const(1)

        # The timestep that the units run: the one that is chosen in this cycle, or in the last.
        enable, full = Signal(), Signal()
        chosen = {
            "valid": self.i.valid,
            "first_step": first_step,
            "last_step": last_step,
            "turn": turn,
            "group": group,
            "currents": Cat(self._current(turn, k) for k in range(plan.units)),
        }
        run = self._staged(m, chosen, ~full) if plan.staged else chosen
        held = results(run["last_step"]) & sent.valid & ~sent.ready
        result = run["valid"] & results(run["last_step"])
        completes = run["turn"][-1]
        new_result = Signal()
        m.d.comb += [
            full.eq(run["valid"] & held if plan.staged else held),
            self.blocked.eq(self.i.valid & full),
            enable.eq(self.i.valid & ~full),
            self.busy.eq(self.i.valid | run["valid"] | self.o.valid),
            new_result.eq(result & ~full),
        ]
        # The same of the next cycle: whether sums are taken comes from a register. A result that a
        # full register holds back may count as well, since the register stays full.
        next_valid = (result & completes) | (sent.valid & ~sent.ready)
        next_result = results(next_last_step)
        if plan.staged:
            next_result = full | (self.i.valid & results(last_step))
        next_full = next_result & next_valid & self.o.valid & ~self.o.ready
        m.d.comb += self.taking.eq(ends(next_last_step, next_last_turn) & ~next_full)
        if plan.compact:
            m.d.comb += self.i.ready.eq(ends(last_step, last_turn) & ~full)
        else:
            m.d.sync += self.i.ready.eq(self.taking)
        m.d.comb += [next_last_step.eq(last_step), next_last_turn.eq(last_turn)]
        m.d.sync += last_step.eq(next_last_step)
        with m.If(enable):
            m.d.sync += [step.eq(Mux(last_step, 0, step + 1)), first_step.eq(last_step)]
            m.d.comb += next_last_step.eq((step == plan.cycles - 2) | (plan.cycles == 1))
            with m.If(last_step):
                m.d.sync += turn.eq(turn.rotate_left(1))
                m.d.comb += next_last_turn.eq(turn.rotate_left(1)[-1])
                with m.If(last_turn):
                    m.d.sync += group.eq(Mux(group == lane_groups - 1, 0, group + 1))
        runs = run["valid"] & ~full
        ended = runs & run["last_step"]
        parameters = self._parameters(m, kind, runs if kind.per_step else ended, platform)
        with m.If(sent.ready):
            m.d.sync += sent.valid.eq(0)
        with m.If(new_result & completes):
            m.d.sync += sent.valid.eq(1)
        units, values = [], []
        width = plan.target.values.width
        bits = plan.ranges.accumulator.width
        for k in range(plan.units):
            m.submodules[f"unit{k}"] = unit = kind(plan.neurons)
            units.append(unit)
            m.d.comb += [
                unit.current.eq(run["currents"].word_select(k, bits)),
                unit.parameters.eq(parameters[k]),
                unit.enable.eq(runs),
                unit.first.eq(run["first_step"]),
            ]
            value = Signal(width, name=f"value{k}")
            m.d.comb += value.eq(SENT[plan.sends](unit))
            # Lanes past the last channel are 0, from some turn of the last lane group on.
            used = plan.target.channels - (lane_groups - 1) * plan.lanes
            unused_from = -(-max(used - k, 0) // plan.units)
            if unused_from < plan.turns:
                unused = (run["group"] == lane_groups - 1) & run["turn"][unused_from:].any()
                value = Mux(unused, 0, value)
            values.append(value)
        payload = Value.cast(sent.payload)
        with m.If(new_result):
            m.d.sync += payload.eq(Cat(payload[width * plan.units :], values))
        self._drive_tap(m, units, ended if plan.folded else runs)
        return m

    def _staged(self, m: Module, chosen: dict[str, Value], moves: Value) -> dict[str, Value]:
        """Return the same values from registers, which take others whenever ``moves`` is high."""
        shown = {
            name: Signal.like(value, name=f"run_{name}", reset_less=name == "currents")
            for name, value in chosen.items()
        }
        with m.If(moves):
            m.d.sync += [signal.eq(chosen[name]) for name, signal in shown.items()]
        return dict(shown)

    def _current(self, turn: Signal, unit: int) -> Value:
        """Return the bits of the sum that one of the units works on."""
        sums, units = self.i.payload, self.plan.units
        if len(turn) == 1:
            return Value.cast(sums[unit]).as_unsigned()
        chosen: Value = Const(0)
        for k, works in enumerate(turn):
            bits = Value.cast(sums[k * units + unit]).as_unsigned()
            chosen = chosen | (bits & works.replicate(len(bits)))
        return chosen

    def _parameters(
        self, m: Module, kind: type[NeuronUnit], advance: Value, platform: object
    ) -> data.View[data.ArrayLayout]:
        """Return the parameters of the current timestep, which are fetched one cycle ahead.

        ``advance`` is high in the last cycle in which these parameters are needed.
        """
        plan = self.plan
        steps = plan.cycles if kind.per_step else 1
        layout = data.ArrayLayout(kind.cycle_layout(plan.neurons), plan.units)
        words = [layout.const(word).as_bits() for word in _parameter_words(plan, kind, steps)]
        if len(words) == 1:
            return data.View(layout, Const(words[0], layout.size))
        block = plan.compact and spared(len(words))
        contents = Contents(f"{plan.layer.name}_parameters", layout, words, block)
        port = add_rom(m, "parameters", contents, platform)
        # Timesteps come in the order of the words: a counter saves multiplying for the address. It
        # is ahead of the word that is shown, so that whether to go on need not pass the memory. The
        # first words are fetched in the first cycles: no window has sums as early as that.
        deep = contents.bits > _SMALL
        word, started, fetch = Signal(range(len(words))), Signal(2 if deep else 1), Signal()
        m.d.sync += started.eq(Cat(1, started)[: len(started)])
        m.d.comb += [fetch.eq(advance | ~started[-1]), port.addr.eq(word), port.en.eq(fetch)]
        with m.If(fetch):
            m.d.sync += word.eq(Mux(word == len(words) - 1, 0, word + 1))
        if not deep:
            return port.data
        # Reading a block RAM takes half of a clock cycle.
        shown = Signal.like(port.data)
        with m.If(fetch):
            m.d.sync += shown.eq(port.data)
        return shown

    def _drive_tap(self, m: Module, units: list[NeuronUnit], step: Value) -> None:
        tap = self.tap
        m.d.comb += [
            tap.step.eq(step),
            tap.sent.eq(self.o.valid & self.o.ready),
            tap.value.eq(self.o.payload.as_value()),
        ]
        steps = self.plan.steps_per_cycle
        for name in ("potential", "spike"):
            lanes = [Value.cast(getattr(unit, name)) for unit in units]
            width = len(lanes[0]) // steps
            parts = [lane.word_select(t, width) for t in range(steps) for lane in lanes]
            m.d.comb += getattr(tap, name).eq(Cat(parts))


def _parameter_words(plan: LayerPlan, kind: type[NeuronUnit], cycles: int) -> list[list[Any]]:
    """Return the words of the memory of parameters, each for U units.

    They come by lane group, turn and cycle.
    """
    lane_groups, turns, units = plan.target.lane_groups, plan.turns, plan.units
    stored = {}
    for name, values in kind.values(plan.neurons).items():
        table = values.reshape(plan.target.channels, -1)
        # Lanes past the last channel take the last channel's parameters: any that fit would do.
        missing = plan.target.stored_channels - len(table)
        table = np.concatenate([table, np.repeat(table[-1:], missing, axis=0)])
        stored[name] = table.reshape(lane_groups * turns, units, cycles, -1)
    parallel = plan.steps_per_cycle if kind.per_step else 1

    def of_unit(g: int, k: int, t: int) -> Any:
        steps = [{name: int(v[g, k, t, s]) for name, v in stored.items()} for s in range(parallel)]
        return steps if parallel > 1 else steps[0]

    return [
        [of_unit(g, k, t) for k in range(units)]
        for g in range(lane_groups * turns)
        for t in range(cycles)
    ]
