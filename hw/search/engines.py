"""Engines: for each layer, the choices of its parameters, with cycles and resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from spikeloom.hw.options import TimeMode
from spikeloom.hw.planning import HardwareConfig, Plan, plan
from spikeloom.hw.planning.connection import ConnectionPlan, connection_plan
from spikeloom.hw.planning.plan import layer_plan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.search.budget import Budget
from spikeloom.hw.search.load import Load
from spikeloom.hw.search.menu import Choice, EngineCost, Menu
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import INPUT, Connection, Layer, Network
from spikeloom.sw.network.record import IntArray

#: The choices of all layers, by name.
State = Mapping[str, Choice]


class Engines:
    """All engines that a network's layers can have, looked up by their choices.

    Parameters
    ----------
    network, budget, activity, time, compact
        As of :class:`~spikeloom.hw.search.search.Search`.

    Attributes
    ----------
    smallest : Plan
        The plan with one lane and one slot in every layer.
    loads : mapping of str to Load
        The cycles of each layer's engines, by name.
    """

    def __init__(
        self,
        network: Network,
        budget: Budget,
        activity: Mapping[str, IntArray],
        time: str = TimeMode.AUTO,
        compact: bool = False,
    ) -> None:
        self.network, self.budget, self.time, self.compact = network, budget, time, compact
        least = HardwareConfig(lanes=1, events=1, slots=1, time=time, compact=compact)
        self.smallest = plan(network, least)
        self._layers = {planned.layer.name: planned for planned in self.smallest.layers}
        self.loads = {name: Load(planned, activity) for name, planned in self._layers.items()}
        self._menus: dict[tuple[object, ...], Menu] = {}
        self._connections: dict[tuple[object, ...], ConnectionPlan] = {}
        self.beside = budget.beside(self.smallest)
        #: Lanes that differ in the number of lane groups; the fewest of each.
        self.lanes: dict[str, list[int]] = {}
        for name, planned in self._layers.items():
            channels = planned.target.channels
            self.lanes[name] = _sizes(channels)
        #: Copies that differ in the most windows of a row that one of them has; the fewest of each.
        self.copies: dict[str, list[int]] = {
            name: [1] if planned.layer.recurrent else _sizes(planned.target.width)
            for name, planned in self._layers.items()
        }
        self.readers: dict[str, list[str]] = {name: [] for name in self._layers}
        for layer in network.layers:
            for connection in layer.connections:
                source = connection.source
                if source not in (INPUT, layer.name) and layer.name not in self.readers[source]:
                    self.readers[source].append(layer.name)

    @property
    def floor(self) -> float:
        """Clock cycles that the input takes for an image: a value in each."""
        return float(self.smallest.input.transfers)

    def menu(self, layer: Layer, state: State) -> Menu:
        """Return the engines that a layer can have behind the sources of a state.

        Parameters
        ----------
        layer : Layer
        state : mapping of str to Choice
            The choices of its sources; others do not matter.
        """
        key = (layer.name, *self.sources(layer, state))
        if key not in self._menus:
            streams = {INPUT: self.smallest.input}
            for connection in layer.connections:
                name = connection.source
                if name != INPUT:
                    streams[name] = replace(self._layers[name].target, lanes=state[name].lanes)
            self._menus[key] = Menu(
                lambda choice: self._cost(layer, choice, streams),
                self.lanes[layer.name],
                self.copies[layer.name],
                self._layers[layer.name].shareable,
                self.budget,
            )
        return self._menus[key]

    def cost(self, layer: Layer, choice: Choice, state: State) -> EngineCost | None:
        """Return what an engine takes behind the sources of a state; None if there is no such."""
        return self.menu(layer, state).cost(choice)

    def sources(self, layer: Layer, state: State) -> tuple[int, ...]:
        """Return the lanes of each connection's source; 1 of the input."""
        names = (connection.source for connection in layer.connections)
        return tuple(1 if name == INPUT else state[name].lanes for name in names)

    def config(self, state: State) -> HardwareConfig:
        """Return the configuration of a state."""
        return HardwareConfig(
            lanes={name: choice.lanes for name, choice in state.items()},
            events={name: choice.events for name, choice in state.items()},
            slots={name: choice.slots for name, choice in state.items()},
            units={n: c.units for n, c in state.items() if c.units is not None} or None,
            time=self.time,
            planes={n: c.planes for n, c in state.items() if c.planes is not None} or None,
            copies={n: c.copies for n, c in state.items() if c.copies > 1} or None,
            compact=self.compact,
        )

    def plan(self, state: State) -> Plan:
        """Return the plan of a state."""
        return plan(self.network, self.config(state))

    def costs(self, state: State) -> Iterator[EngineCost | None]:
        """Yield what the engine of each layer takes."""
        for layer in self.network.layers:
            yield self.cost(layer, state[layer.name], state)

    def _cost(
        self, layer: Layer, choice: Choice, streams: Mapping[str, StreamPlan]
    ) -> EngineCost | None:
        try:
            made = layer_plan(
                self.network,
                layer,
                streams,
                choice.lanes,
                choice.events,
                choice.slots,
                self.time,
                units=choice.units,
                planes=choice.planes,
                copies=choice.copies,
                compact=self.compact,
                connect=self._connected,
            )
        except ConfigError:
            return None
        return EngineCost(choice, self.loads[layer.name].lines(made), made, self.budget)

    def _connected(
        self,
        network: Network,
        layer: Layer,
        connection: Connection,
        source: StreamPlan,
        target: StreamPlan,
        events: int,
        slots: int,
    ) -> ConnectionPlan:
        """Return a connection's plan with the rows of the smallest plan: lanes do not matter."""
        smallest = self._layers[layer.name].readers
        (known,) = (reader for reader in smallest if reader.connection is connection)
        # Lane groups that read the same words have the same windows, however many lanes they have.
        lanes = target.lanes if known.windows.share else 0
        key = (id(connection), source.lanes, lanes, events, slots)
        if key not in self._connections:
            made = connection_plan(network, layer, connection, source, target, events, slots)
            rows, roomy = known.windows.buffer.rows, known.windows.buffer.roomy
            buffer = replace(made.windows.buffer, rows=rows, roomy=roomy)
            windows = replace(made.windows, buffer=buffer)
            self._connections[key] = replace(made, windows=windows)
        made = self._connections[key]
        return made if made.target.lanes == target.lanes else replace(made, target=target)


def _sizes(number: int) -> list[int]:
    """Return the sizes of equal parts that differ in how many of them make up a number."""
    return sorted({-(-number // n) for n in range(1, number + 1)})
