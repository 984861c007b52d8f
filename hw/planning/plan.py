"""Plans: every parameter of the hardware, derived from a network and a user's choices.

Widths come from the contract's proven ranges and nowhere else; schedules are tables computed here.
A plan holds no hardware: each component takes the part of the plan that it is built from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from spikeloom.hw.neurons import NeuronSpec, NeuronUnit
from spikeloom.hw.options import SLOTS, TimeMode
from spikeloom.hw.planning.balance import balance, spatial
from spikeloom.hw.planning.capacity import PassingReader, Reader, RowLayer, RowReader, grow
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.connection import (
    ConnectionPlan,
    connection_plan,
    spare_rows,
    value_range,
)
from spikeloom.hw.planning.planes import PlaneSumsPlan
from spikeloom.hw.planning.streams import Sends, StreamPlan
from spikeloom.hw.planning.unrolled import interval, passing, require_fit
from spikeloom.hw.values import DigitPlan
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.network import INPUT, Layer, Network, Range, Ranges
from spikeloom.sw.network.record import IntArray

#: Number of source values under a window that are reckoned to take one clock cycle to add up: most
#: values are zero, and some windows have fewer non-zero ones than others.
_VALUES_PER_CYCLE = 20
#: Number of windows whose sums may wait, where windows can be faster than neurons: as many as a
#: small memory holds in any case.
_SUMS_WAITING = 16


@dataclass(frozen=True)
class LayerPlan:
    """The engine of one layer.

    Parameters
    ----------
    layer : Layer
        The contract's layer.
    ranges : Ranges
        Its proven value ranges.
    readers : tuple of ConnectionPlan
        Its connections, and how they are read.
    target : StreamPlan
        The stream that it sends.
    sends : Sends
        The meaning of the values in this stream.
    steps_per_cycle : int
        Number of timesteps that a neuron runs in one clock cycle; it divides T.
    folded : bool
        Whether the T timesteps under constant current are folded into one division, which takes a
        logarithmic number of cycles. Neurons then yield only their last potential and their count.
    """

    layer: Layer
    ranges: Ranges
    readers: tuple[ConnectionPlan, ...]
    target: StreamPlan
    sends: Sends
    steps_per_cycle: int
    folded: bool = False

    @property
    def neurons(self) -> NeuronSpec:
        """The part of the plan that its neuron units are built from."""
        return NeuronSpec(self.layer, self.ranges, self.steps_per_cycle, self.folded)

    @property
    def lanes(self) -> int:
        """M, the number of output channels computed at once."""
        return self.target.lanes

    @property
    def events(self) -> int:
        """E, the number of events added to every lane in one clock cycle."""
        return self.readers[0].windows.events

    @property
    def slots(self) -> int:
        """Number of values in a word for one bank, for the connection with the longest words."""
        return max(reader.windows.slots for reader in self.readers)

    @property
    def values(self) -> Range:
        """Range of the source values that meet the weights, over all connections."""
        return value_range(self.readers)

    @property
    def digits(self) -> DigitPlan:
        """The digits that these values can have."""
        return DigitPlan.of(self.values)

    @property
    def cycles(self) -> int:
        """Number of clock cycles that a neuron takes for all T timesteps."""
        if self.folded:
            folded = NeuronUnit.folded_cycles(self.layer)
            assert folded is not None, "the plan folds only what can be folded"
            return folded
        return self.layer.timesteps // self.steps_per_cycle

    @property
    def window_cycles(self) -> float:
        """Estimate of the clock cycles that the elements take to add up an average window.

        Neurons that take longer keep the elements waiting.
        """
        values = sum(connection.synapses.weight[0].size for connection in self.layer.connections)
        return values / self.events / _VALUES_PER_CYCLE

    @property
    def queue(self) -> int:
        """Number of windows whose sums may wait for the neurons; 0 if these are fast enough."""
        slow = self.layer.constant and self.cycles > self.window_cycles
        return _SUMS_WAITING if slow else 0

    @property
    def weights(self) -> Range:
        """Range of the weights, 0 included."""
        weights = [connection.synapses.weight for connection in self.layer.connections]
        low, high = min(int(w.min()) for w in weights), max(int(w.max()) for w in weights)
        return Range(low, high) | Range(0, 0)

    @property
    def depth(self) -> int:
        """Number of words in each weight bank."""
        return sum(reader.depth(self.lanes) for reader in self.readers)

    def bank(self, index: int) -> IntArray:
        """Return the words of one of the E weight banks: M weights each, shape (words, M)."""
        return np.concatenate([reader.bank(index, self.lanes) for reader in self.readers])


@dataclass(frozen=True)
class UnrolledPlan(LayerPlan):
    """The engine of a layer whose weights are logic: it adds up windows by bit planes.

    It has M = all output channels and a single connection, of which it keeps all rows of a kernel
    but one. Its clock cycles do not depend on the values.

    Parameters
    ----------
    layer, ranges, readers, target, sends, steps_per_cycle, folded
        As of every :class:`LayerPlan`.
    planes : int
        P, the number of bit planes that are added up in one clock cycle.
    """

    planes: int = 1

    #: There is neither a queue of sums nor a weight bank.
    queue = 0
    depth = 0

    @cached_property
    def sums(self) -> PlaneSumsPlan:
        """The sums of a window."""
        (reader,) = self.readers
        kernel = reader.kernel.reshape(len(reader.kernel), -1)
        return PlaneSumsPlan(kernel, self.values, self.ranges.accumulator, self.planes)

    @property
    def window_cycles(self) -> float:
        """Clock cycles from one window to the next, if these are neighbours."""
        return float(self.sums.steps)

    @property
    def interval(self) -> int:
        """Clock cycles from one image to the next, if nothing keeps the engine waiting."""
        number = self.target.height * self.target.width
        return max(interval(self.readers[0].windows, self.sums.steps), number * self.cycles)


@dataclass(frozen=True)
class Plan:
    """An accelerator: a graph of engines.

    Parameters
    ----------
    network : Network
    config : HardwareConfig
        The choices that it is made with.
    input : StreamPlan
        The input: one pixel, count or spike per transfer.
    layers : tuple of LayerPlan
        The engines, in the order of the network's layers.
    """

    network: Network
    config: HardwareConfig
    input: StreamPlan
    layers: tuple[LayerPlan, ...]

    def __getitem__(self, name: str) -> LayerPlan:
        """Return the plan of the layer called ``name``."""
        return next(p for p in self.layers if p.layer.name == name)


def plan(network: Network, config: HardwareConfig | None = None) -> Plan:
    """Derive every parameter of an accelerator for ``network``.

    Parameters
    ----------
    network : Network
    config : HardwareConfig, optional
        The user's choices; all that they leave open is chosen here.

    Returns
    -------
    Plan

    Raises
    ------
    UnsupportedError
        If the network has a structure that the hardware cannot run.
    ConfigError
        If lanes or events do not fit a layer.
    """
    config = config or HardwareConfig()
    lanes = config.chosen("lanes", network)
    events = config.chosen("events", network)
    slots = config.chosen("slots", network)
    planes = config.chosen("planes", network)
    for name in planes:
        lanes.setdefault(name, spatial(network.shapes[name])[0])
    balance(network, lanes, events, config.budget, planes)
    inputs = input_stream(network)
    streams, layers = {INPUT: inputs}, []
    for layer in network.layers:
        name = layer.name
        chosen = lanes[name], events.get(name, 1), slots.get(name, SLOTS)
        try:
            planned = layer_plan(network, layer, streams, *chosen, config.time, planes.get(name))
        except (ConfigError, UnsupportedError) as error:
            raise type(error)(f"layer {name!r}: {error}") from None
        streams[name] = planned.target
        layers.append(planned)
    return Plan(network, config, inputs, _buffered(inputs, layers))


def input_stream(network: Network) -> StreamPlan:
    """Return the stream of a network's input: one pixel, count or spike per transfer."""
    return StreamPlan(
        1, network.input.values(), *spatial(network.input.shape), network.input.steps or 1
    )


def layer_plan(
    network: Network,
    layer: Layer,
    streams: Mapping[str, StreamPlan],
    lanes: int,
    events: int,
    slots: int,
    time: str,
    planes: int | None = None,
) -> LayerPlan:
    """Return the plan of one layer, whose buffers hold the rows that one line of windows needs.

    Parameters
    ----------
    network : Network
    layer : Layer
    streams : mapping of str to StreamPlan
        The stream that each of its sources sends.
    lanes, events, slots : int
        M, E, and the values of a word for each of the E event generators.
    time : str
        One of the values of :class:`~spikeloom.hw.options.TimeMode`.
    planes : int, optional
        P of an unrolled layer, an :class:`UnrolledPlan`.

    Raises
    ------
    UnsupportedError
        If the hardware cannot run the layer.
    ConfigError
        If lanes, events or planes do not fit it.
    """
    planned = _layer(network, layer, streams, lanes, events, slots)
    return _timed(planned if planes is None else _unrolled(planned, planes), time)


def _layer(
    network: Network,
    layer: Layer,
    streams: Mapping[str, StreamPlan],
    lanes: int,
    events: int,
    slots: int,
) -> LayerPlan:
    """Return the plan of one layer, whose neurons run one timestep per clock cycle."""
    ranges = network.ranges[layer.name]
    channels, height, width = spatial(network.shapes[layer.name])
    if lanes > channels:
        raise ConfigError(f"lanes = {lanes} must not exceed its {channels} output channels")
    sends = _sends(network, layer)
    sent = {
        Sends.COUNT: ranges.count,
        Sends.SPIKES: ranges.spike,
        Sends.LOGITS: ranges.potential,
    }
    values = sent[sends]
    steps = layer.timesteps if sends == Sends.SPIKES else 1
    target = StreamPlan(lanes, values, channels, height, width, steps)
    readers: list[ConnectionPlan] = []
    first = 0
    for connection in layer.connections:
        source = streams[connection.source]
        reader = connection_plan(network, layer, connection, source, target, events, slots)
        readers.append(replace(reader, first=first))
        first += target.lane_groups * reader.windows.kernel[0] * reader.windows.span
    return LayerPlan(layer, ranges, tuple(readers), target, sends, steps_per_cycle=1)


def _unrolled(planned: LayerPlan, planes: int) -> UnrolledPlan:
    """Return the plan of a layer that is unrolled, if it can be."""
    fields = vars(planned) | {"readers": (passing(planned.readers),)}
    unrolled = UnrolledPlan(**fields, planes=planes)
    require_fit(unrolled.sums)
    return unrolled


def _sends(network: Network, layer: Layer) -> Sends:
    """Return the kind of values that a layer sends: spikes if any of its readers needs them."""
    if not layer.neuron.fires:
        return Sends.LOGITS
    reading = [c for x in network.layers for c in x.connections if c.source == layer.name]
    return Sends.COUNT if all(connection.constant for connection in reading) else Sends.SPIKES


def _timed(planned: LayerPlan, time: str) -> LayerPlan:
    """Return a layer's plan in which the neurons are fast enough for its windows, if they can be.

    Where windows are small, neurons run several timesteps in one cycle, if they are of a kind that
    can, or fold all of them into a division, which takes a logarithmic number of cycles.
    """
    layer, unit = planned.layer, NeuronUnit.of(planned.neurons)
    available = planned.window_cycles
    steps = 1
    for candidate in range(1, layer.timesteps + 1):
        if layer.timesteps % candidate == 0 and candidate <= unit.most_steps:
            steps = candidate
            if layer.timesteps / steps <= available:
                break
    planned = replace(planned, steps_per_cycle=steps)
    cycles = unit.folded_cycles(layer) if planned.sends == Sends.COUNT else None
    if cycles is None or time == TimeMode.LOOP or not layer.constant:
        return planned
    worth = planned.cycles > available and cycles < planned.cycles
    return replace(planned, folded=time == TimeMode.FOLD or worth)


def _buffered(inputs: StreamPlan, layers: list[LayerPlan]) -> tuple[LayerPlan, ...]:
    """Return the plans with enough rows in each buffer.

    These are the rows that keep a network with branches from a deadlock, and spare rows on top, so
    that the source can write while a line is read. Where paths of different length meet, there is
    one more row for each layer in between, so that all of these can work at the same time.
    """
    depth = {INPUT: 0}
    flow = [RowLayer(INPUT, inputs.height)]
    for planned in layers:
        rows: list[Reader] = []
        for reader in planned.readers:
            windows, source = reader.windows, reader.connection.source
            if isinstance(planned, UnrolledPlan):
                rows.append(PassingReader(source, windows.ends[0], reader.source.height))
                continue
            capacity = windows.buffer.capacity
            size = windows.buffer.bits // capacity
            rows.append(RowReader(source, windows.lines, reader.completed_rows, size, capacity))
        name = planned.layer.name
        depth[name] = 1 + max(depth[reader.connection.source] for reader in planned.readers)
        flow.append(RowLayer(name, planned.target.height, rows))
    grow(flow)
    buffered: list[LayerPlan] = []
    for planned, layer in zip(layers, flow[1:], strict=True):
        if isinstance(planned, UnrolledPlan):
            buffered.append(planned)
            continue
        readers = []
        for reader, row in zip(planned.readers, layer.readers, strict=True):
            assert isinstance(row, RowReader), "only unrolled layers have no buffer"
            between = depth[planned.layer.name] - depth[reader.connection.source] - 1
            capacity = row.capacity + spare_rows(reader) + between
            buffer = replace(reader.windows.buffer, capacity=capacity)
            readers.append(replace(reader, windows=replace(reader.windows, buffer=buffer)))
        buffered.append(replace(planned, readers=tuple(readers)))
    return tuple(buffered)
