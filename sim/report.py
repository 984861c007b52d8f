"""Report of a cosimulation: values compared, the first difference, and clock cycles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from spikeloom.sim.design import Design, EngineInfo
from spikeloom.sim.divergence import Divergence, Tally
from spikeloom.sim.job import COUNTERS, Job
from spikeloom.sim.part import Part
from spikeloom.sw.golden import Work
from spikeloom.sw.network.record import IntArray


@dataclass(frozen=True)
class LayerReport:
    """One layer's part of a report.

    Parameters
    ----------
    name : str
        Name of the layer.
    tallies : mapping of str to Tally
        Comparison of each quantity: ``spikes``, ``potentials``, and ``counts``, ``sent`` (spikes
        passed on) or ``logits``. Empty for a design without debug taps.
    counters : mapping of str to int
        The hardware's own counters at the last logit: ``cycles`` worked, ``events`` issued, cycles
        ``starved`` of input and ``blocked`` by the consumer. Empty for a design without counters.
    utilisation : float or None
        Events issued, as a fraction of the events that the layer could have issued in the cycles
        that it worked. None without counters.
    """

    name: str
    tallies: Mapping[str, Tally]
    counters: Mapping[str, int]
    utilisation: float | None

    @property
    def compared(self) -> int:
        """Number of values compared."""
        return sum(tally.compared for tally in self.tallies.values())

    @property
    def differing(self) -> int:
        """Number of compared values that differ, including missing and surplus ones."""
        return sum(tally.differing for tally in self.tallies.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the layer's report as JSON values."""
        return {
            "name": self.name,
            "compared": self.compared,
            "differing": self.differing,
            "quantities": _plain(self.tallies),
            **{name: self.counters.get(name) for name in COUNTERS},
            "utilisation": self.utilisation,
        }


@dataclass(frozen=True, eq=False)
class CosimReport:
    """Report of a cosimulation.

    Parameters
    ----------
    images : int
        Number of images.
    layers : tuple of LayerReport
        Every layer's part, in the network's order.
    output : mapping of str to Tally
        Comparison of the output stream: ``logits``, ``last`` (its mark of an image's last logit)
        and ``labels``.
    logits : array of int64, shape (images, classes)
        The hardware's logits; 0 for an image with a label of -1.
    labels : array of int64, shape (images,)
        Index of the largest of the hardware's logits; -1 for an image whose logits did not all
        come.
    counts : mapping of str to array of int64, shape (images, *shape)
        The hardware's spike counts, for the layers that were asked for.
    accuracy : float or None
        Fraction of the images whose label is the given one; None if no labels were given.
    cycles : int
        Clock cycles from the end of reset to the last logit.
    latency : int or None
        Clock cycles from the end of reset to the first image's last logit.
    interval : float or None
        Average of the clock cycles from one image's last logit to the next image's.
    broken : int
        Clock cycles in which the output stream took back or changed a waiting logit.
    stuck : str or None
        If the hardware got stuck before the last logit, a sentence that says what it waited for.
    divergence : Divergence or None
        The first differing value: of the earliest image, in the earliest layer.
    stalls : (float, float)
        Probability that in a clock cycle the input had no pixel, and that the output was not
        ready. Speeds are meaningful only if both are 0; see :attr:`measures`.
    seed : int
        Seed of the random stalls.
    due : int
        Number of values that had to be compared, known before the run from the network, the
        number of images, and whether the hardware has debug taps.
    work : Work or None
        Additions, reads of weights and spikes, by the golden model.
    """

    images: int
    layers: tuple[LayerReport, ...]
    output: Mapping[str, Tally]
    logits: IntArray
    labels: IntArray
    counts: Mapping[str, IntArray]
    accuracy: float | None
    cycles: int
    latency: int | None
    interval: float | None
    broken: int
    stuck: str | None
    divergence: Divergence | None
    stalls: tuple[float, float]
    seed: int
    due: int = 0
    work: Work | None = None

    @property
    def measures(self) -> bool:
        """Whether cycles and utilisation were measured without stalls, which distort them."""
        return self.stalls == (0.0, 0.0)

    @property
    def cycles_per_image(self) -> float | None:
        """All cycles divided by all images, filling and draining included; None if stuck."""
        return None if self.stuck else self.cycles / self.images

    @property
    def compared(self) -> int:
        """Number of values compared, over all layers and the output stream."""
        return sum(tally.compared for tally in self._tallies())

    @property
    def differing(self) -> int:
        """Number of compared values that differ."""
        return sum(tally.differing for tally in self._tallies())

    @property
    def equal(self) -> bool:
        """Whether all values agree, and the hardware neither got stuck nor broke its stream.

        A run that compared fewer values than it had to does not count as equal.
        """
        whole = self.compared >= self.due
        return whole and self.differing == 0 and self.broken == 0 and self.stuck is None

    def _tallies(self) -> list[Tally]:
        return [*self.output.values(), *(t for x in self.layers for t in x.tallies.values())]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, without the logits and labels of each image."""
        return {
            "images": self.images,
            "equal": self.equal,
            "due": self.due,
            "compared": self.compared,
            "differing": self.differing,
            "divergence": None if self.divergence is None else str(self.divergence),
            "stuck": self.stuck,
            "broken": self.broken,
            "accuracy": self.accuracy,
            "cycles": self.cycles,
            "cycles_per_image": self.cycles_per_image,
            "latency": self.latency,
            "interval": self.interval,
            "stalls": list(self.stalls),
            "seed": self.seed,
            "layers": [layer.as_dict() for layer in self.layers],
            "output": _plain(self.output),
        }


def _plain(tallies: Mapping[str, Tally]) -> dict[str, dict[str, int]]:
    return {
        name: {"compared": tally.compared, "differing": tally.differing}
        for name, tally in tallies.items()
    }


def assembled(
    design: Design, job: Job, parts: Sequence[Part], labels: IntArray | None
) -> CosimReport:
    """Return the report of a run that was made in parts.

    Parameters
    ----------
    design : Design
    job : Job
        Of the whole run.
    parts : sequence of Part
        In the order of their images.
    labels : array of int64, shape (images,), optional
        The right labels.
    """
    logits, found = (
        np.concatenate(arrays)
        for arrays in ([part.logits for part in parts], [part.labels for part in parts])
    )
    spans = [int(part.ends[-1] - part.ends[0]) for part in parts if len(part.ends) > 1]
    intervals = sum(len(part.ends) - 1 for part in parts if len(part.ends) > 1)
    first = parts[0].ends
    return CosimReport(
        images=job.images,
        layers=tuple(_layer(layer, k, parts) for k, layer in enumerate(design.layers)),
        output=_added(part.output.tallies for part in parts),
        logits=logits,
        labels=found,
        counts={
            name: np.concatenate([part.counts[name] for part in parts]) for name in parts[0].counts
        },
        accuracy=None if labels is None else float(np.mean(found == labels)),
        cycles=sum(part.outcome.cycles for part in parts),
        latency=int(first[0]) + 1 if len(first) else None,
        interval=sum(spans) / intervals if intervals else None,
        broken=sum(part.outcome.broken for part in parts),
        stuck=next((part.outcome.stuck for part in parts if part.outcome.stuck), None),
        divergence=_first(parts),
        stalls=(job.input_stall, job.output_stall),
        seed=job.seed,
        due=job.images * values_per_image(design),
        work=reduce(add, (part.work for part in parts)),
    )


def values_per_image(design: Design) -> int:
    """Return the number of values that are to be compared for one image."""
    # Logits, each with its mark of the last one, and a label.
    output = 2 * design.output_transfers + 1
    return output + sum(layer.values_per_image for layer in design.layers)


def _layer(layer: EngineInfo, index: int, parts: Sequence[Part]) -> LayerReport:
    outcomes = [part.outcome for part in parts]
    counters: dict[str, int] = {}
    # The counters have 32 bits. After a longer run they have wrapped around, and are left out.
    if all(layer.name in x.counters and x.cycles < 1 << 32 for x in outcomes):
        counters = {name: sum(x.counters[layer.name][name] for x in outcomes) for name in COUNTERS}
    utilisation = None
    if counters.get("cycles"):
        utilisation = counters["events"] / (layer.events * counters["cycles"])
    tallies = _added(part.scores[index].tallies for part in parts if part.scores)
    return LayerReport(layer.name, tallies, counters, utilisation)


def _added(parts: Iterable[Mapping[str, Tally]]) -> dict[str, Tally]:
    """Return sums of tallies, by quantity."""
    total: dict[str, Tally] = {}
    for tallies in parts:
        for name, tally in tallies.items():
            total[name] = total.get(name, Tally()) + tally
    return total


def _first(parts: Sequence[Part]) -> Divergence | None:
    """Return the divergence of the earliest image, in the earliest layer that has one there."""
    scored = [
        divergence
        for part in parts
        for divergence in (*(score.divergence for score in part.scores), part.output.divergence)
    ]
    found = [divergence for divergence in scored if divergence is not None]
    return min(found, key=lambda divergence: divergence.image, default=None)
