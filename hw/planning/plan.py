"""Plans: every parameter of the hardware, derived from a network and a user's choices.

Widths come from the contract's proven ranges and nowhere else; schedules are tables computed here.
A plan holds no hardware: each component takes the part of the plan that it is built from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from spikeloom.hw.neurons import NeuronUnit
from spikeloom.hw.options import SLOTS, TimeMode
from spikeloom.hw.planning.balance import balance, spatial
from spikeloom.hw.planning.capacity import PassingReader, Reader, RowLayer, RowReader, grow
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.connection import ConnectionPlan, connection_plan, spare_rows
from spikeloom.hw.planning.layer import LayerPlan, UnrolledPlan
from spikeloom.hw.planning.streams import Sends, StreamPlan
from spikeloom.hw.planning.unrolled import passing, require_fit
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.network import INPUT, Connection, Layer, Network

#: Number of source values under a window that are reckoned to take one clock cycle to add up: most
#: values are zero, and some windows have fewer non-zero ones than others.
_VALUES_PER_CYCLE = 20

#: The kind of function that returns the plan of a connection: of a network, a layer, a connection,
#: the streams of its source and of the layer, E and slots.
Connect = Callable[[Network, Layer, Connection, StreamPlan, StreamPlan, int, int], ConnectionPlan]


@dataclass(frozen=True)
class Plan:
    """An accelerator: a graph of engines.

    Parameters
    ----------
    network : Network
    config : HardwareConfig
        The choices that it is made with.
    input : StreamPlan
        The input: one pixel, count or spike per transfer, as the first layers take them.
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

    @property
    def pixels(self) -> StreamPlan:
        """The stream of images that enters: one value of an image per transfer."""
        source = self.network.input
        return StreamPlan(1, source.pixels(), *spatial(source.shape), source.image_steps or 1)


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
        If lanes, events, units, planes or copies do not fit a layer.
    """
    config = config or HardwareConfig()
    lanes = config.chosen("lanes", network)
    events = config.chosen("events", network)
    slots = config.chosen("slots", network)
    units = config.chosen("units", network)
    planes = config.chosen("planes", network)
    copies = config.chosen("copies", network)
    for name in planes:
        lanes.setdefault(name, spatial(network.shapes[name])[0])
    lanes |= {x.name: spatial(network.shapes[x.name])[0] for x in network.layers if x.recurrent}
    balance(network, lanes, events, config.budget, planes)
    inputs = input_stream(network)
    streams, layers = {INPUT: inputs}, []
    for layer in network.layers:
        name = layer.name
        chosen = lanes[name], events.get(name, 1), slots.get(name, SLOTS)
        try:
            planned = layer_plan(
                network,
                layer,
                streams,
                *chosen,
                config.time,
                units=units.get(name),
                planes=planes.get(name),
                copies=copies.get(name, 1),
                compact=config.compact,
            )
        except (ConfigError, UnsupportedError) as error:
            raise type(error)(f"layer {name!r}: {error}") from None
        streams[name] = planned.target
        layers.append(planned)
    return Plan(network, config, inputs, _buffered(inputs, layers))


def input_stream(network: Network) -> StreamPlan:
    """Return the stream of a network's input, as the first layers take it."""
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
    units: int | None = None,
    planes: int | None = None,
    copies: int = 1,
    compact: bool = False,
    connect: Connect = connection_plan,
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
    units : int, optional
        U; by default the fewest that are fast enough.
    planes : int, optional
        P of an unrolled layer, an :class:`UnrolledPlan`.
    copies : int
        C, the number of copies of its engine.
    compact : bool
        Whether its engine is compact if it can be.
    connect : callable
        :func:`~spikeloom.hw.planning.connection.connection_plan`, or a function that remembers what
        it returned.

    Raises
    ------
    UnsupportedError
        If the hardware cannot run the layer.
    ConfigError
        If lanes, events, units, planes or copies do not fit it.
    """
    planned = _layer(network, layer, streams, lanes, events, slots, copies, connect)
    if planes is not None:
        planned = _unrolled(planned, planes)
    elif compact and planned.events_per_cycle == 1 and len(planned.readers) == 1:
        planned = replace(planned, compact=True)
    return _shared(_timed(planned, time), units)


def _layer(
    network: Network,
    layer: Layer,
    streams: Mapping[str, StreamPlan],
    lanes: int,
    events: int,
    slots: int,
    copies: int,
    connect: Connect,
) -> LayerPlan:
    """Return the plan of one layer, whose neurons run one timestep per clock cycle."""
    ranges = network.ranges[layer.name]
    channels, height, width = spatial(network.shapes[layer.name])
    if layer.recurrent:
        # All spikes of a timestep are needed for the next, so all potentials have to be kept.
        lanes = channels
    if lanes > channels:
        raise ConfigError(f"lanes = {lanes} must not exceed its {channels} output channels")
    if copies > 1:
        _require_windows(layer, width, copies)
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
    # A layer's own spikes come last: what the others bring can be read before they are there.
    for connection in sorted(layer.connections, key=layer.recurs):
        source = target if layer.recurs(connection) else streams[connection.source]
        reader = connect(network, layer, connection, source, target, events, slots)
        if copies > 1 and reader.pool:
            # As fast as the layer is meant to be.
            reader = replace(reader, pool=replace(reader.pool, fast=reader.pool.tiled))
        readers.append(replace(reader, first=first) if first else reader)
        first += target.lane_groups * reader.windows.kernel[0] * reader.windows.span
    # A window takes as long as its events, and a whole image as long as its pixels.
    values = sum(connection.synapses.weight[0].size for connection in layer.connections)
    windows = height * width * target.lane_groups
    return LayerPlan(
        layer,
        ranges,
        tuple(readers),
        target,
        sends,
        steps_per_cycle=1,
        units=lanes,
        window_cycles=max(
            values / (events * copies) / _VALUES_PER_CYCLE, streams[INPUT].transfers / windows
        ),
        copies=copies,
    )


def _require_windows(layer: Layer, width: int, copies: int) -> None:
    """Require that each copy of a layer's engine has windows in a row of ``width``."""
    if layer.recurrent:
        raise ConfigError(
            "a layer that reads its own spikes has one engine, since each window needs the one "
            "before: leave copies out"
        )
    if width == 1:
        raise ConfigError(
            "copies of an engine compute the windows of a row, of which this layer has one: leave "
            "copies out"
        )
    if copies > width:
        raise ConfigError(f"copies = {copies} must not exceed the {width} windows of a row")


def _unrolled(planned: LayerPlan, planes: int) -> UnrolledPlan:
    """Return the plan of a layer that is unrolled, if it can be."""
    if planned.layer.recurrent:
        raise ConfigError("a layer that reads its own spikes cannot be unrolled: leave planes out")
    if planned.copies > 1:
        raise ConfigError(
            "an unrolled layer has one engine: leave it out of copies, or out of planes"
        )
    fields = vars(planned) | {"readers": (passing(planned.readers),)}
    unrolled = UnrolledPlan(**fields, planes=planes)
    require_fit(unrolled.sums)
    # From one window to its neighbour.
    return replace(unrolled, window_cycles=float(unrolled.sums.steps))


def _sends(network: Network, layer: Layer) -> Sends:
    """Return the kind of values that a layer sends: spikes if any of its readers needs them."""
    if not layer.neuron.fires:
        return Sends.LOGITS
    reading = network.reading[layer.name]
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


def _shared(planned: LayerPlan, units: int | None) -> LayerPlan:
    """Return a layer's plan with a number of neuron units, by default the fewest fast enough.

    A unit for each lane is the better choice where neurons need one cycle and their parameters are
    constants: then no sums have to wait. Logits leave one by one, and only then are there new ones.
    """
    lanes = planned.lanes
    fitting = [n for n in range(1, lanes + 1) if lanes % n == 0] if planned.shareable else [lanes]
    if units is not None:
        if units not in fitting:
            raise ConfigError(
                f"units = {units} must be {_either(fitting)}: "
                + (
                    f"they divide its {lanes} lanes"
                    if planned.shareable
                    else "each lane keeps its own, since its neurons work in spikes"
                )
            )
        return replace(planned, units=units)
    if planned.served == 1 and planned.target.lane_groups == 1:
        return planned
    leaving = lanes if planned.sends == Sends.LOGITS else 0
    for number in fitting:
        shared = replace(planned, units=number)
        if shared.served + leaving <= planned.window_cycles:
            return shared
    return planned


def _either(numbers: list[int]) -> str:
    """Return numbers in words, such as "1, 2 or 4"."""
    *most, last = map(str, numbers)
    return f"{', '.join(most)} or {last}" if most else last


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
        for reader in _outer(planned):
            windows, source = reader.windows, reader.connection.source
            if isinstance(planned, UnrolledPlan):
                rows.append(PassingReader(source, windows.ends[0], reader.source.height))
                continue
            fitting = windows.buffer.rows
            size = windows.buffer.bits // fitting
            rows.append(RowReader(source, windows.lines, reader.completed_rows, size, fitting))
        name = planned.layer.name
        depth[name] = 1 + max(depth[reader.connection.source] for reader in _outer(planned))
        flow.append(RowLayer(name, planned.target.height, rows))
    grow(flow)
    buffered: list[LayerPlan] = []
    for planned, layer in zip(layers, flow[1:], strict=True):
        if isinstance(planned, UnrolledPlan):
            buffered.append(planned)
            continue
        readers = {reader.first: reader for reader in planned.readers}
        for reader, row in zip(_outer(planned), layer.readers, strict=True):
            assert isinstance(row, RowReader), "only unrolled layers have no buffer"
            between = depth[planned.layer.name] - depth[reader.connection.source] - 1
            fitting = row.capacity + spare_rows(reader) + between
            # The input sends rows faster than they are read; compact engines stay the smallest.
            roomy = reader.connection.source != INPUT and not planned.compact
            buffer = replace(reader.windows.buffer, rows=fitting, roomy=roomy)
            windows = replace(reader.windows, buffer=buffer)
            readers[reader.first] = replace(reader, windows=windows)
        buffered.append(replace(planned, readers=tuple(readers.values())))
    return tuple(buffered)


def _outer(planned: LayerPlan) -> list[ConnectionPlan]:
    """Return the connections that read the input or another layer."""
    return [reader for reader in planned.readers if not reader.feedback]
