"""The work of a network: events sent, additions, and clock cycles of the hardware."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.layer import LayerPlan
from spikeloom.hw.planning.plan import plan
from spikeloom.sim.cosim import Cosimulator
from spikeloom.sw.golden import Golden, Meter, Result
from spikeloom.sw.network import Network
from spikeloom.sw.network.digits import digit_counts, recoded

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
    golden, meter = Golden(network), Meter(network)
    right, events = 0, 0
    for start in range(0, len(images), _BATCH):
        result = golden.run(images[start : start + _BATCH], trace=True, meter=meter)
        right += int((result.labels.numpy() == labels[start : start + _BATCH]).sum())
        events += sum(events_sent(p, result) for p in layers if p.sends != "logits")
    count = len(images)
    additions = {layer.name: layer.additions / count for layer in meter.work.layers}
    return Activity(right / count, events / count, additions)


def events_sent(planned: LayerPlan, result: Result) -> int:
    """Return the number of non-zero digits in all values that one layer sends."""
    assert result.trace is not None
    spikes = result.trace[planned.layer.name].spikes.numpy()
    sent = spikes.sum(0) if planned.sends == "count" else spikes
    return int(digit_counts(sent, recoded(planned.target.values)).sum())


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
    work = report.work
    assert work is not None
    for planned, layer in zip(plan(network, config).layers, report.layers, strict=True):
        assert planned.target.channels % planned.lanes == 0, "idle lanes would add as well"
        issued = layer.counters["events"] * planned.lanes
        assert issued == work[layer.name].additions, layer.name
    assert report.interval is not None
    return report.interval


def shared_lanes(network: Network) -> dict[str, int]:
    """Return the planner's lanes, reduced so that they divide the channels of each layer."""
    return {p.layer.name: math.gcd(p.lanes, p.target.channels) for p in plan(network).layers}
