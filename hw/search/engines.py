"""Engines: for each layer, the choices of its parameters, with cycles and resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from spikeloom.hw.options import SLOTS, TimeMode
from spikeloom.hw.planning import HardwareConfig, LayerPlan, Plan, UnrolledPlan, plan
from spikeloom.hw.planning.plan import layer_plan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.search.budget import Amounts, Budget
from spikeloom.hw.search.load import Load
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import INPUT, Layer, Network
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


@dataclass(frozen=True)
class EngineCost:
    """The cost of the engine of one choice.

    Parameters
    ----------
    cycles : float
        Estimated clock cycles per image.
    amounts : Amounts
        Resources.
    target : StreamPlan
        The stream that it sends.
    words : tuple of int
        Values of a word, by connection.
    alike : bool
        Whether all lane groups read the same words: cycles are then proportional to their number.
    """

    cycles: float
    amounts: Amounts
    target: StreamPlan
    words: tuple[int, ...]
    alike: bool


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
        for copies in self.copies[layer.name][1:]:
            most = replace(choice, units=choice.lanes, copies=copies)
            cost = self.cost(layer, most, state)
            if cost is None or cost.amounts.luts > self.budget.luts:
                return None
            if cost.cycles > cycles:
                continue
            for units in self.units(layer, choice.lanes):
                fewer = replace(most, units=units)
                cost = self.cost(layer, fewer, state)
                if cost is not None and cost.cycles <= cycles:
                    return fewer
        return None

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
            )
        except ConfigError:
            return None
        planned = _buffered(made, self._layers[layer.name])
        words = tuple(reader.windows.buffer.word_values for reader in planned.readers)
        return EngineCost(
            self.loads[layer.name].cycles(planned),
            self.budget.engine(planned),
            planned.target,
            words,
            not any(reader.windows.share for reader in planned.readers),
        )


def _sizes(number: int) -> list[int]:
    """Return the sizes of equal parts that differ in how many of them make up a number."""
    return sorted({-(-number // n) for n in range(1, number + 1)})


def _better(one: EngineCost, other: EngineCost) -> bool:
    """Return whether an engine is at least as good in all respects, and better in one."""

    def figures(cost: EngineCost) -> tuple[float, float, float]:
        return (cost.cycles, cost.amounts.luts, float(cost.amounts.block_ram))

    pairs = list(zip(figures(one), figures(other), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _buffered(made: LayerPlan, known: LayerPlan) -> LayerPlan:
    """Return a plan with the rows that a known plan of the same layer has: lanes do not matter."""
    if isinstance(made, UnrolledPlan):
        return made
    readers = []
    for reader, other in zip(made.readers, known.readers, strict=True):
        capacity = other.windows.buffer.capacity
        buffer = replace(reader.windows.buffer, capacity=capacity)
        readers.append(replace(reader, windows=replace(reader.windows, buffer=buffer)))
    return replace(made, readers=tuple(readers))
