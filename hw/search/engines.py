"""Engines: for each layer, the choices of its parameters, with cycles and resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from spikeloom.hw.options import SLOTS, TimeMode
from spikeloom.hw.planning import HardwareConfig, LayerPlan, Plan, plan
from spikeloom.hw.planning.connection import ConnectionPlan, connection_plan
from spikeloom.hw.planning.plan import layer_plan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.search.budget import Amounts, Budget
from spikeloom.hw.search.load import Load
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import INPUT, Connection, Layer, Network
from spikeloom.sw.network.record import IntArray

#: Numbers of events per cycle and of slots to try.
EVENTS = (1, 2, 3, 4, 6, 8, 12, 16)
SLOT_NUMBERS = (1, 2, 4, 8, 16)
#: Numbers of bit planes per cycle of unrolled layers to try.
PLANES = (1, 2, 3, 4, 5, 6, 8, 16)


@dataclass(frozen=True)
class Choice:
    """The parameters of one engine.

    Parameters
    ----------
    lanes, events, slots : int
        M, E, and the values of a word for each of the E event generators.
    planes : int or None
        P of an unrolled layer.
    units : int or None
        U, neuron units; if None, as many as the planner thinks fast enough.
    copies : int
        C, copies of the engine.
    """

    lanes: int = 1
    events: int = 1
    slots: int = SLOTS
    planes: int | None = None
    units: int | None = None
    copies: int = 1


@dataclass(frozen=True, eq=False)
class EngineCost:
    """The cost of the engine of one choice.

    Parameters
    ----------
    cycles : float
        Estimated clock cycles per image.
    plan : LayerPlan
        The engine.
    budget : Budget
        Its estimates of resources are used.
    """

    cycles: float
    plan: LayerPlan
    budget: Budget

    @cached_property
    def amounts(self) -> Amounts:
        """Resources. Most engines are too slow for what is asked, and then nobody asks for them."""
        return self.budget.engine(self.plan)

    @property
    def target(self) -> StreamPlan:
        """The stream that it sends."""
        return self.plan.target

    @property
    def words(self) -> tuple[int, ...]:
        """Values of a word, by connection."""
        return tuple(reader.windows.buffer.word_values for reader in self.plan.readers)

    @property
    def alike(self) -> bool:
        """Whether all lane groups read the same words.

        Cycles are then proportional to their number.
        """
        return not any(reader.windows.share for reader in self.plan.readers)


#: The choices of all layers, by name.
State = Mapping[str, Choice]


class Engines:
    """All engines that a network's layers can have, looked up by their choices.

    Parameters
    ----------
    network, budget, activity, time
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
    ) -> None:
        self.network, self.budget, self.time = network, budget, time
        self.smallest = plan(network, HardwareConfig(lanes=1, events=1, slots=1, time=time))
        self._layers = {planned.layer.name: planned for planned in self.smallest.layers}
        self.loads = {name: Load(planned, activity) for name, planned in self._layers.items()}
        self._known: dict[tuple[object, ...], EngineCost | None] = {}
        self._connections: dict[tuple[object, ...], ConnectionPlan] = {}
        self._options: dict[tuple[object, ...], list[tuple[int, int]]] = {}
        self.beside = budget.beside(
            replace(self.smallest, config=replace(self.smallest.config, counters=True))
        )
        #: Layers that cannot be unrolled, or have no room for it.
        self._rolled: set[str] = set()
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

    def cost(self, layer: Layer, choice: Choice, state: State) -> EngineCost | None:
        """Return what an engine takes; None if there is none of this choice.

        Parameters
        ----------
        layer : Layer
        choice : Choice
        state : mapping of str to Choice
            The choices of its sources; others do not matter.
        """
        key = (layer.name, choice, self.sources(layer, state))
        if key not in self._known:
            self._known[key] = self._cost(layer, choice, state)
        return self._known[key]

    def options(self, layer: Layer, state: State) -> list[tuple[int, int]]:
        """Return the pairs of E and slots that differ, the smallest first."""
        key = (layer.name, self.sources(layer, state))
        if key not in self._options:
            found: dict[tuple[object, ...], tuple[Choice, EngineCost]] = {}
            for events in EVENTS:
                for slots in SLOT_NUMBERS:
                    choice = Choice(1, events, slots)
                    cost = self.cost(layer, choice, state)
                    if cost is not None:
                        found.setdefault((events, *cost.words), (choice, cost))
            # Of two that differ in nothing but words, the one that is worse in all respects is
            # worse with more lanes as well.
            self._options[key] = [
                (choice.events, choice.slots)
                for choice, cost in found.values()
                if not any(
                    other.events <= choice.events and _better(its, cost)
                    for other, its in found.values()
                )
            ]
        return self._options[key]

    def units(self, layer: Layer, lanes: int) -> list[int]:
        """Return the numbers of neuron units that a layer can have, the fewest first."""
        if not self._layers[layer.name].shareable:
            return [lanes]
        return [n for n in range(1, lanes + 1) if lanes % n == 0]

    def sources(self, layer: Layer, state: State) -> tuple[int, ...]:
        """Return the lanes of each connection's source; 1 of the input."""
        names = (connection.source for connection in layer.connections)
        return tuple(1 if name == INPUT else state[name].lanes for name in names)

    def unrolled(self, layer: Layer, state: State) -> list[Choice]:
        """Return the choices of an unrolled layer, the smallest first; none if it is not to be one.

        Those that have no room in the budget, even alone, are left out.
        """
        found: list[Choice] = []
        if layer.name in self._rolled:
            return found
        for planes in PLANES:
            choice = Choice(self.lanes[layer.name][-1], planes=planes)
            cost = self.cost(layer, choice, state)
            if cost is None or cost.amounts.luts > self.budget.luts:
                break
            found.append(choice)
        if not found:
            self._rolled.add(layer.name)
        return found

    def copied(self, layer: Layer, state: State, cycles: float, choice: Choice) -> Choice | None:
        """Return a choice with the fewest copies of the engine, two at least, that keep cycles.

        Lanes come first, since they cost less: only an engine that has all of them is copied.
        """
        if choice.lanes < self.lanes[layer.name][-1]:
            return None
        single = self.cost(layer, replace(choice, units=choice.lanes), state)
        for copies in self.copies[layer.name][1:]:
            if single is None or single.cycles > copies * cycles:
                continue  # no part of an engine is as many times faster
            most = replace(choice, units=choice.lanes, copies=copies)
            cost = self.cost(layer, most, state)
            if cost is None:
                return None
            if cost.cycles <= cycles:
                return self.shared(layer, state, cycles, most)
        return None

    def shared(self, layer: Layer, state: State, cycles: float, choice: Choice) -> Choice | None:
        """Return a choice with the fewest neuron units that keep cycles; None if none does."""
        numbers = self.units(layer, choice.lanes)
        cost = self.cost(layer, replace(choice, units=numbers[0]), state)
        if cost is not None and cost.cycles <= cycles:
            return replace(choice, units=numbers[0])
        low, high = 1, len(numbers)
        # More units take fewer cycles.
        while low < high:
            middle = (low + high) // 2
            cost = self.cost(layer, replace(choice, units=numbers[middle]), state)
            if cost is not None and cost.cycles <= cycles:
                high = middle
            else:
                low = middle + 1
        return replace(choice, units=numbers[low]) if low < len(numbers) else None

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
        )

    def plan(self, state: State) -> Plan:
        """Return the plan of a state."""
        return plan(self.network, self.config(state))

    def costs(self, state: State) -> Iterator[EngineCost | None]:
        """Yield what the engine of each layer takes."""
        for layer in self.network.layers:
            yield self.cost(layer, state[layer.name], state)

    def _cost(self, layer: Layer, choice: Choice, state: State) -> EngineCost | None:
        streams = {INPUT: self.smallest.input}
        for connection in layer.connections:
            name = connection.source
            if name != INPUT:
                streams[name] = replace(self._layers[name].target, lanes=state[name].lanes)
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
                connect=self._connected,
            )
        except ConfigError:
            return None
        return EngineCost(self.loads[layer.name].cycles(made), made, self.budget)

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
            buffer = replace(made.windows.buffer, capacity=known.windows.buffer.capacity)
            windows = replace(made.windows, buffer=buffer)
            self._connections[key] = replace(made, windows=windows)
        made = self._connections[key]
        return made if made.target.lanes == target.lanes else replace(made, target=target)


def _sizes(number: int) -> list[int]:
    """Return the sizes of equal parts that differ in how many of them make up a number."""
    return sorted({-(-number // n) for n in range(1, number + 1)})


def _better(one: EngineCost, other: EngineCost) -> bool:
    """Return whether an engine is at least as good in all respects, and better in one."""

    def figures(cost: EngineCost) -> tuple[float, float, float]:
        return (cost.cycles, cost.amounts.luts, float(cost.amounts.block_ram))

    pairs = list(zip(figures(one), figures(other), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
