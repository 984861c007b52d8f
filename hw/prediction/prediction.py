"""Predictions: clock cycles from a plan and the values of some images, without simulating hardware.

Engines, buffers and streams are linked as in :mod:`spikeloom.hw.accelerator`, but go on by whole
words and windows rather than by cycles. Weights do not matter, only how many events each word has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spikeloom.hw.planning import Plan, UnrolledPlan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.prediction.engine import EngineClock
from spikeloom.hw.prediction.sinks import Buffer, Output, Sink, Target
from spikeloom.hw.prediction.timeline import Timeline
from spikeloom.hw.prediction.unrolled import UnrolledClock
from spikeloom.hw.prediction.words import Words
from spikeloom.sw.errors import DataError
from spikeloom.sw.network import INPUT
from spikeloom.sw.network.record import IntArray


@dataclass(frozen=True, eq=False)
class LayerCycles:
    """The predicted counters of one engine.

    Parameters
    ----------
    name : str
        Name of the layer.
    lanes : int
        M, the number of output channels computed at once.
    events_per_cycle : int
        Number of events that can be added up in one clock cycle: E of each copy of the engine.
    cycles, events, starved, blocked : array of int64, shape (N,)
        The counters by image; see :data:`~spikeloom.hw.engine.COUNTERS`. An image begins where the
        last transfer of the one before has been taken.
    """

    name: str
    lanes: int
    events_per_cycle: int
    cycles: IntArray
    events: IntArray
    starved: IntArray
    blocked: IntArray

    @property
    def limit(self) -> float:
        """Least clock cycles per image, for these events; they count once for each M channels."""
        return float(self.events.mean()) / self.events_per_cycle

    @property
    def utilisation(self) -> float:
        """Share of the additions that the engine could have done while it worked."""
        return float(self.events.sum()) / (self.events_per_cycle * float(self.cycles.sum()))


@dataclass(frozen=True, eq=False)
class Prediction:
    """The clock cycles of images that are sent one after another, without a pause.

    Parameters
    ----------
    layers : tuple of LayerCycles
    ends : array of int64, shape (N,)
        Clock cycle, from the end of reset, in which the last logit of each image is sent.
    timelines : mapping of str to Timeline
        The same, cycle by cycle, of each layer; empty unless they were asked for.
    """

    layers: tuple[LayerCycles, ...]
    ends: IntArray
    timelines: Mapping[str, Timeline] = field(default_factory=dict)

    def __getitem__(self, name: str) -> LayerCycles:
        """Return the prediction for the layer called ``name``."""
        return next(layer for layer in self.layers if layer.name == name)

    @property
    def latency(self) -> int:
        """Clock cycles to the last logit of the first image."""
        return int(self.ends[0]) + 1

    @property
    def interval(self) -> float | None:
        """Mean clock cycles from the last logit of one image to that of the next.

        None if there is only one image.
        """
        if len(self.ends) == 1:
            return None
        return float(self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)

    @property
    def slowest(self) -> LayerCycles:
        """The layer with the most clock cycles per image: it sets the pace of all."""
        return max(self.layers, key=lambda layer: layer.cycles.sum())

    def as_dict(self) -> dict[str, Any]:
        """Return the prediction as JSON values, averaged over the images."""
        return {
            "images": len(self.ends),
            "latency": self.latency,
            "interval": self.interval,
            "layers": [
                {
                    "name": layer.name,
                    "lanes": layer.lanes,
                    "events_per_cycle": layer.events_per_cycle,
                    "limit": layer.limit,
                    "utilisation": layer.utilisation,
                    **{
                        key: float(getattr(layer, key).mean())
                        for key in ("events", "cycles", "starved", "blocked")
                    },
                }
                for layer in self.layers
            ],
        }


class _Source:
    """The input stream: a pixel in every clock cycle, from the second one after reset."""

    def __init__(self, plan: StreamPlan, targets: list[Target], images: int) -> None:
        self._size = plan.width * plan.lane_groups * plan.steps
        self._rows = plan.height * images
        self._targets = targets
        self._time = 0

    @property
    def runnable(self) -> bool:
        return self._rows > 0 and all(target.known for target in self._targets)

    def run(self) -> None:
        """Send a row."""
        for _ in range(self._size):
            offered = self._time + 1
            taken = (target.inlet.take(offered) for target in self._targets)
            self._time = max(taken, default=offered)
        for target in self._targets:
            target.next_row()
        self._rows -= 1


def predict(plan: Plan, activity: Mapping[str, IntArray], *, timelines: bool = False) -> Prediction:
    """Predict the clock cycles that every engine takes, and when each image is done.

    Parameters
    ----------
    plan : Plan
    activity : mapping of str to array of int64, shape (steps, N, *shape)
        The values that each layer and ``"input"`` sends for N images, as far as other layers read
        them: spikes by timestep or, of a layer all of whose readers read counts, counts as a single
        timestep.
    timelines : bool
        Whether to return timelines as well, which take memory for every event.

    Raises
    ------
    DataError
        If an array is missing or does not fit the plan.
    """
    streams = {INPUT: plan.input} | {x.layer.name: x.target for x in plan.layers}
    targets: dict[str, list[Target]] = {name: [] for name in streams}
    sent = {
        reader.connection.source: _sent(plan, streams, reader.connection.source, activity)
        for layer in plan.layers
        for reader in layer.readers
    }
    numbers = {values.shape[1] for values in sent.values()}
    if len(numbers) != 1 or 0 in numbers:
        raise DataError(f"activity must be of the same images, at least one, not of {numbers}")
    (images,) = numbers
    clocks: list[EngineClock] = []
    for layer in reversed(plan.layers):
        behind = targets[layer.layer.name]
        sinks: list[Sink] = [target.inlet for target in behind]
        if layer is plan.layers[-1]:
            sinks.append(Output(layer.target))
        if isinstance(layer, UnrolledPlan):
            unrolled = UnrolledClock(layer, sinks, behind, images)
            targets[layer.readers[0].connection.source].append(unrolled)
            clocks.insert(0, unrolled)
            continue
        buffers = [Buffer(reader) for reader in layer.readers]
        for buffer, reader in zip(buffers, layer.readers, strict=True):
            if reader.feedback:
                # The 0 that the first image begins with is there from the first cycle on.
                sinks.append(buffer)
                buffer.take(0)
            else:
                targets[reader.connection.source].append(buffer)
        words = [
            Words(layer, reader, reader.carried(sent[reader.connection.source]))
            for reader in layer.readers
        ]
        clocks.insert(0, EngineClock(layer, words, buffers, sinks, behind, images))
    source = _Source(plan.input, targets[INPUT], images)
    nodes: list[_Source | EngineClock] = [source, *clocks]
    while not all(clock.done for clock in clocks):
        ran = False
        for node in nodes:
            while node.runnable:
                node.run()
                ran = True
        assert ran, "the plan's buffers hold what it takes"
    layers = []
    for layer, clock in zip(plan.layers, clocks, strict=True):
        cycles, starved, blocked = clock.counted()
        events = np.array(clock.events)
        name = layer.layer.name
        layers.append(
            LayerCycles(name, layer.lanes, layer.events_per_cycle, cycles, events, starved, blocked)
        )
    names = (layer.name for layer in layers)
    seen = {name: clock.timeline() for name, clock in zip(names, clocks, strict=True) if timelines}
    return Prediction(tuple(layers), np.array(clocks[-1].ends), seen)


def _sent(
    plan: Plan, streams: Mapping[str, StreamPlan], name: str, activity: Mapping[str, IntArray]
) -> IntArray:
    """Return the values that a source sends, after checking that they fit the plan."""
    if name not in activity:
        raise DataError(f"no activity of {name!r}: give what it sends for the same images")
    values = np.asarray(activity[name])
    stream = streams[name]
    shape = plan.network.shapes[name]
    if stream.steps == 1 and values.ndim and len(values) > 1:
        values = values.sum(0, keepdims=True)
    if values.ndim < 2 or (values.shape[0], *values.shape[2:]) != (stream.steps, *shape):
        raise DataError(
            f"activity of {name!r} must have the shape "
            f"({stream.steps}, N, {', '.join(map(str, shape))}), not {np.shape(activity[name])}"
        )
    return values
