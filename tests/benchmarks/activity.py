"""The work of a network: events sent, additions, and clock cycles of the hardware."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from support.hw.components import pooled

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.layer import LayerPlan
from spikeloom.hw.planning.plan import plan
from spikeloom.hw.values import DigitPlan
from spikeloom.sim.cosim import Cosimulator
from spikeloom.sw.golden import Golden, Result
from spikeloom.sw.network import INPUT, Connection, Conv2d, Network, Range, source_steps

Array = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

#: Number of images whose traces are in memory at a time.
_BATCH = 250


@dataclass(frozen=True)
class Activity:
    """The work of a network, averaged over images.

    Parameters
    ----------
    accuracy : float
        Share of the labels that are right.
    events : float
        Non-zero digits of all values that the layers between input and output send.
    additions : dict of str to float
        Additions of weights to accumulators, by layer: for each event that a layer reads, the
        number of neurons that it reaches.
    """

    accuracy: float
    events: float
    additions: dict[str, float]

    @property
    def total(self) -> float:
        """Additions of all layers."""
        return sum(self.additions.values())


def activity(network: Network, images: Array, labels: Array) -> Activity:
    """Return the work of the golden model for images of shape (N, *input shape)."""
    layers = plan(network).layers
    golden = Golden(network)
    right, events = 0, 0
    additions = dict.fromkeys((p.layer.name for p in layers), 0)
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        result = golden.run(batch, trace=True)
        right += int((result.labels.numpy() == labels[start : start + _BATCH]).sum())
        events += sum(events_sent(p, result) for p in layers if p.sends != "logits")
        for p in layers:
            additions[p.layer.name] += layer_additions(network, p, batch, result)
    count = len(images)
    return Activity(right / count, events / count, {k: v / count for k, v in additions.items()})


def events_sent(planned: LayerPlan, result: Result) -> int:
    """Return the number of non-zero digits in all values that one layer sends."""
    assert result.trace is not None
    spikes = result.trace[planned.layer.name].spikes.numpy()
    sent = spikes.sum(0) if planned.sends == "count" else spikes
    values = planned.target.values
    return int(digits(sent, DigitPlan.of(values), values).sum())


def layer_additions(network: Network, planned: LayerPlan, images: Array, result: Result) -> int:
    """Return the number of additions in one layer for all images."""
    return sum(
        int((digits(values, planned.digits, planned.values) * reached(c, values.shape[2:])).sum())
        for c in planned.layer.connections
        for values in [read(network, planned, c, images, result)]
    )


def read(
    network: Network, planned: LayerPlan, connection: Connection, images: Array, result: Result
) -> Array:
    """Return the input of a connection's synapses, shape (timesteps, N, *pooled source shape)."""
    if connection.source == INPUT:
        steps = network.input.steps is not None
        values = images.swapaxes(0, 1) if steps else images[None]
    else:
        assert result.trace is not None
        values = result.trace[connection.source].spikes.numpy()
    if connection.constant:
        values = values.sum(0, keepdims=True)
    else:
        paired = source_steps(connection.transport, len(values), planned.layer.timesteps)
        values = values[list(paired)]
    values = values.astype(np.int64)
    if connection.pool is None:
        return values
    return np.moveaxis(pooled(connection.pool, np.moveaxis(values, 0, -1)), -1, 0)


def digits(values: Array, chosen: DigitPlan, allowed: Range) -> Array:
    """Return the number of non-zero digits of each value."""
    known = [len(chosen.digits(value)) for value in range(allowed.low, allowed.high + 1)]
    return np.array(known)[values - allowed.low]


def reached(connection: Connection, source: tuple[int, ...]) -> Array:
    """Return the number of target neurons that read each (pooled) source neuron.

    A synapse of weight 0 counts, too, since the hardware adds it. The padding around a source has
    no events.
    """
    return _REACHED[connection.synapses.kind](connection.synapses, source)


def _linear(synapses: Any, source: tuple[int, ...]) -> Array:
    return np.full(source, synapses.channels)


def _identity(_: Any, source: tuple[int, ...]) -> Array:
    return np.ones(source, np.int64)


def _conv2d(synapses: Conv2d, source: tuple[int, ...]) -> Array:
    _, *outside = synapses.shape(source)
    windows = [
        _windows(source[axis + 1], synapses.kernel[axis], stride, padding, outside[axis])
        for axis, (stride, padding) in enumerate(
            zip(synapses.stride, synapses.padding, strict=True)
        )
    ]
    plane = np.outer(*windows) * (synapses.channels // synapses.groups)
    return np.broadcast_to(plane, source)


def _windows(size: int, kernel: int, stride: int, padding: int, outputs: int) -> Array:
    """Return the number of windows along one axis that cover each of its positions."""
    first = np.arange(outputs)[:, None] * stride - padding
    position = np.arange(size)
    covering: Array = ((first <= position) & (position < first + kernel)).sum(0)
    return covering


#: Functions for :func:`reached`, by kind of synapses.
_REACHED: dict[str, Callable[[Any, tuple[int, ...]], Array]] = {
    "linear": _linear,
    "conv2d": _conv2d,
    "identity": _identity,
}


def cycles(network: Network, images: Array, config: HardwareConfig, folder: Path) -> float:
    """Return the clock cycles of the hardware from one image to the next.

    This also checks that the hardware counts as many events as this module does, and that its
    logits are those of the golden model.

    Parameters
    ----------
    network : Network
    images : array, shape (N, *input shape)
    config : HardwareConfig
        It must have counters.
    folder : Path
        Keeps the compiled simulators.

    Raises
    ------
    AssertionError
        If hardware and golden model differ in any value.
    """
    report = Cosimulator(network, config=config, build_dir=folder).run(images)
    assert report.equal, report.divergence
    result = Golden(network).run(images, trace=True)
    for planned, layer in zip(plan(network, config).layers, report.layers, strict=True):
        assert planned.target.channels % planned.lanes == 0, "idle lanes would add as well"
        issued = layer.counters["events"] * planned.lanes
        assert issued == layer_additions(network, planned, images, result), layer.name
    assert report.interval is not None
    return report.interval


def shared_lanes(network: Network) -> dict[str, int]:
    """Return the planner's lanes, reduced so that they divide the channels of each layer."""
    return {p.layer.name: math.gcd(p.lanes, p.target.channels) for p in plan(network).layers}
