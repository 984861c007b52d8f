"""Accelerator: the whole network as a graph of engines, each at work on another row or image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine import (
    COUNTERS,
    Engine,
    Fork,
    InputUnit,
    Skid,
    UnrolledEngine,
    tap_signature,
)
from spikeloom.hw.planning import LayerPlan, Plan, UnrolledPlan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import INPUT

#: The most engines that a reset reaches all in one clock cycle.
_RESET_TOGETHER = 4

#: The engine of each kind of plan.
_ENGINES: dict[type[LayerPlan], Callable[[Any], Engine | UnrolledEngine]] = {
    LayerPlan: Engine,
    UnrolledPlan: UnrolledEngine,
}


class Serializer(wiring.Component):
    """Sends the channels of each transfer one by one, without the unused lanes of the last group.

    There is no register in between: a transfer is taken together with its last channel.

    Parameters
    ----------
    plan : StreamPlan
        The stream to serialize.

    Members
    -------
    i : In(stream)
        Transfers of ``plan``.
    o : Out(stream)
        A ``value``, and ``last``, which is set for the last value of an image.
    """

    def __init__(self, plan: StreamPlan) -> None:
        self.plan = plan
        out = data.StructLayout({"value": shape_of(plan.values), "last": 1})
        super().__init__({"i": In(plan.signature), "o": Out(stream.Signature(out))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        lane = Signal(range(plan.lanes))
        group = Signal(range(plan.lane_groups))
        position = Signal(range(plan.height * plan.width))
        last_group = group == plan.lane_groups - 1
        used = plan.channels - (plan.lane_groups - 1) * plan.lanes
        last_lane = lane == Mux(last_group, used - 1, plan.lanes - 1)
        last_position = position == plan.height * plan.width - 1
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            # An array, since indexing the payload itself would multiply the index by a width.
            self.o.payload.value.eq(Array(self.i.payload[k] for k in range(plan.lanes))[lane]),
            self.o.payload.last.eq(last_lane & last_group & last_position),
            self.i.ready.eq(self.o.ready & last_lane),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += lane.eq(lane + 1)
            with m.If(last_lane):
                m.d.sync += [lane.eq(0), group.eq(group + 1)]
                with m.If(last_group):
                    m.d.sync += [group.eq(0), position.eq(Mux(last_position, 0, position + 1))]
        return m


class Accelerator(wiring.Component):
    """The accelerator of a network: pixels in, logits out.

    It can be reset at work. The reset of a large accelerator has far to go: it passes from engine
    to engine, one in each clock cycle, and lasts until all of them have been in reset together. So
    none finds a transfer of the time before.

    Parameters
    ----------
    plan : Plan
    clearable : bool
        Whether it can be reset at work.

    Members
    -------
    clear : In(1)
        Present if ``clearable``: high for one cycle to reset the accelerator. Take it from a
        register.
    clearing : Out(1)
        Present if ``clearable``: whether the reset is under way. After its first cycle, transfers
        may be neither given nor taken.
    i : In(stream)
        Pixels: row by row, column by column, the channel fastest; images back to back.
    o : Out(stream)
        Logits: a ``value``, and ``last``, which is set for the last logit of an image. A vector
        leaves in the order of its elements, a feature map row by row, column by column, the
        channel fastest.
    tap__NAME : Out
        Present if ``plan.config.debug``: debug signals of layer NAME; see
        :func:`~spikeloom.hw.engine.tap_signature`.
    counters__NAME : Out
        Present if ``plan.config.counters``: counters of layer NAME; see
        :data:`~spikeloom.hw.engine.COUNTERS`.
    """

    def __init__(self, plan: Plan, *, clearable: bool = False) -> None:
        self.plan, self.clearable = plan, clearable
        target = plan.layers[-1].target
        self.logit = data.StructLayout({"value": shape_of(target.values), "last": 1})
        members = {
            "i": In(stream.Signature(shape_of(plan.pixels.values))),
            "o": Out(stream.Signature(self.logit)),
        }
        for layer in plan.layers:
            if plan.config.debug:
                members[f"tap__{layer.layer.name}"] = Out(tap_signature(layer))
            if plan.config.counters:
                members[f"counters__{layer.layer.name}"] = Out(COUNTERS)
        if clearable:
            members |= {"clear": In(1), "clearing": Out(1)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        resets = self._resets(m)
        engines: dict[str, Engine | UnrolledEngine] = {}
        readers: dict[str, list[stream.Interface]] = {INPUT: []}
        for number, layer in enumerate(plan.layers):
            name = layer.layer.name
            engines[name] = engine = _ENGINES[type(layer)](layer)
            m.submodules[f"layer_{name}"] = resets[number](engine)
            readers[name] = []
            for k, reader in enumerate(layer.readers):
                # Its own spikes stay inside the engine.
                if not reader.feedback:
                    readers[reader.connection.source].append(getattr(engine, f"i{k}"))
            if plan.config.debug:
                tap = getattr(self, f"tap__{name}")
                wiring.connect(m, engine.tap, wiring.flipped(tap))
            if plan.config.counters:
                counters = getattr(self, f"counters__{name}")
                wiring.connect(m, engine.counters, wiring.flipped(counters))
        pixels = plan.input.signature.create()
        given = self.i
        unit = InputUnit.of(plan.network.input)
        if unit is not None:
            m.submodules[unit.label] = resets[0](unit)
            wiring.connect(m, wiring.flipped(self.i), unit.i)
            given = unit.o
        m.d.comb += [
            pixels.valid.eq(given.valid),
            pixels.payload[0].eq(given.payload),
            given.ready.eq(pixels.ready),
        ]
        _spread(m, INPUT, pixels, readers[INPUT], resets[0])
        for number, layer in enumerate(plan.layers[:-1]):
            name = layer.layer.name
            _spread(m, name, engines[name].o, readers[name], resets[number])
        last = plan.layers[-1]
        sink = engines[last.layer.name]
        serializer = Serializer(last.target)
        m.submodules.serializer = resets[-1](serializer)
        wiring.connect(m, sink.o, serializer.i)
        logits = serializer.o
        if not last.compact:
            outlet = Skid(serializer.o.signature)
            m.submodules.outlet = resets[-1](outlet)
            wiring.connect(m, logits, outlet.i)
            logits = outlet.o
        wiring.connect(m, logits, wiring.flipped(self.o))
        return m

    def _resets(self, m: Module) -> list[Callable[[Any], Any]]:
        """Return what puts the reset into each engine, and into what belongs to it."""
        length = len(self.plan.layers)
        if not self.clearable:
            return [lambda component: component] * length
        chain: list[Value] = [self.clear] * length
        m.d.comb += self.clearing.eq(self.clear)
        if length > _RESET_TOGETHER:
            # The first engines stay in reset until the last are, too.
            lasts, passed, under_way = Signal(length - 1), Signal(length), Signal()
            begun = self.clear | lasts.any()
            m.d.sync += [
                lasts.eq(Cat(self.clear, lasts)),
                passed.eq(Cat(begun, passed)),
                under_way.eq(begun | passed[:-1].any()),
            ]
            m.d.comb += self.clearing.eq(self.clear | under_way)
            chain = list(passed)
        return [ResetInserter(reset) for reset in chain]


def _spread(
    m: Module,
    name: str,
    source: stream.Interface,
    readers: list[stream.Interface],
    reset: Callable[[Any], Any],
) -> None:
    """Connect the stream of a layer, or of the input, to all its readers."""
    if not readers:
        m.d.comb += source.ready.eq(1)
    elif len(readers) == 1:
        wiring.connect(m, source, readers[0])
    else:
        fork = Fork(readers[0].signature.flip(), len(readers))
        m.submodules[f"fork_{name}"] = reset(fork)
        wiring.connect(m, source, fork.i)
        for k, reader in enumerate(readers):
            wiring.connect(m, getattr(fork, f"o{k}"), reader)
