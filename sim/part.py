"""One part of a cosimulation: images that are simulated in one go, and compared.

Long runs are made of parts (:mod:`spikeloom.sim.cosim`), each from its own reset: they bound what
the records take on disk, and several processors can work on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from spikeloom.sim.building import RUN
from spikeloom.sim.design import Design
from spikeloom.sim.divergence import Score
from spikeloom.sim.job import PIXELS, Job, Outcome, Progress
from spikeloom.sim.records import LayerRecords, OutputRecords
from spikeloom.sim.scoreboard import LayerScore, OutputScore
from spikeloom.sw.errors import ToolError
from spikeloom.sw.files import write_bytes, write_text
from spikeloom.sw.golden import Golden, Meter, Work, lowest_argmax
from spikeloom.sw.golden.streams import in_network_order, pixel_stream
from spikeloom.sw.locks import workplace
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray

#: Most golden values in one batch of the comparison, which bounds its memory: a few arrays of this
#: many 8-byte integers.
_BATCH_VALUES = 1 << 19
#: Most images in one batch.
_MOST_PER_BATCH = 1024


class Simulator(Protocol):
    """A built simulator, of either engine."""

    @property
    def design(self) -> Design:
        """The hardware that it simulates."""

    @property
    def folder(self) -> Path:
        """Folder with the executable, the Verilog and the build's log."""

    def run(
        self,
        folder: Path,
        job: Job,
        *,
        plusargs: Sequence[str] = (),
        report: Callable[[Progress], object] = lambda progress: None,
    ) -> Outcome:
        """Simulate a job; see :meth:`spikeloom.sim.native.NativeSimulator.run`."""


@dataclass(frozen=True, eq=False)
class Part:
    """Result of one part.

    Parameters
    ----------
    first : int
        Index of the part's first image.
    outcome : Outcome
    scores : list of Score
        Of each layer, in the network's order; empty for a design without debug taps.
    output : Score
    logits : array of int64, shape (images, classes)
        The hardware's logits; 0 for an image with a label of -1.
    labels : array of int64, shape (images,)
        -1 for an image whose logits did not all come.
    counts : dict of str to array of int64, shape (images, *shape)
        The hardware's spike counts, of the layers that were asked for.
    ends : array of int64, shape (complete images,)
        Clock cycle of each image's last logit.
    work : Work
        That of the golden model, for the same images.
    """

    first: int
    outcome: Outcome
    scores: list[Score]
    output: Score
    logits: IntArray
    labels: IntArray
    counts: dict[str, IntArray]
    ends: IntArray
    work: Work


def simulate(
    network: Network,
    simulator: Simulator,
    job: Job,
    pixels: npt.NDArray[np.integer],
    counts: Sequence[str],
    plusargs: Sequence[str],
    report: Callable[[str, int], object],
) -> Part:
    """Simulate the images of a job, and compare the hardware's values with the golden model's.

    Parameters
    ----------
    network : Network
    simulator : Simulator
    job : Job
    pixels : array of integers, shape (job.images, *network.input.image_shape)
    counts : sequence of str
        Layers whose spike counts are kept.
    plusargs : sequence of str
        Arguments of the Verilog.
    report : callable
        Called with a stage, ``"simulate"`` or ``"compare"``, and the number of images done.

    Raises
    ------
    ToolError
        If the simulator fails. Its message names a log, in a folder that remains; else nothing is
        left behind, or only until the next run, if this process is killed.
    FileFormatError
        If the disk is full.
    """
    with workplace(simulator.folder, RUN, kept_after=ToolError) as folder:
        for name, text in simulator.design.memories:
            # The Verilog looks for them in the folder that the simulator runs in.
            write_text(folder / name, text)
        stream = pixel_stream(network.input, pixels).astype("<u2")
        write_bytes(folder / PIXELS, stream.tobytes())
        outcome = simulator.run(
            folder,
            job,
            plusargs=plusargs,
            report=lambda progress: report("simulate", progress.images),
        )
        report("simulate", job.images)
        return compare(network, simulator.design, folder, job, outcome, pixels, counts, report)


class Interrupted(BaseException):
    """Raised in a part by its ``report``: the whole run has come to an end."""


def compare(
    network: Network,
    design: Design,
    folder: Path,
    job: Job,
    outcome: Outcome,
    pixels: npt.NDArray[np.integer],
    counts: Sequence[str],
    report: Callable[[str, int], object],
) -> Part:
    """Compare what a simulation left in a folder; see :func:`simulate`."""
    golden, meter = Golden(network), Meter(network)
    scores = [
        LayerScore(layer, LayerRecords(folder, layer), job.first)
        for layer in design.layers
        if design.debug
    ]
    output = OutputRecords(folder, design)
    output_score = OutputScore(design.layers[-1])
    logits, labels = _assemble(design, output.logits, job.images)
    size = _batch_size(network)
    for start in range(0, job.images, size):
        report("compare", start)
        batch = slice(start, min(start + size, job.images))
        expected = golden.run(pixels[batch], trace=design.debug, meter=meter)
        for score in scores:
            score.check(start, expected)
        last = None if batch.stop == job.images else batch.stop * job.logits
        transfers = slice(start * job.logits, last)
        output_score.check(
            job.first + start, expected, output.logits[transfers], output.last[transfers]
        )
        output_score.check_labels(expected.labels.numpy(), labels[batch])
    for score in scores:
        score.check_surplus(job.images)
    report("compare", job.images)
    return Part(
        first=job.first,
        outcome=outcome,
        # A part that is done holds no records.
        scores=[Score(score.tallies, score.divergence) for score in scores],
        output=Score(output_score.tallies, output_score.divergence),
        logits=logits,
        labels=labels,
        counts={s.layer.name: s.counts(0, job.images) for s in scores if s.layer.name in counts},
        ends=output.cycles[job.logits - 1 :: job.logits][: job.images].copy(),
        work=meter.work,
    )


def _batch_size(network: Network) -> int:
    """Return the number of images that are compared at a time."""
    values = sum(
        layer.timesteps * math.prod(network.shapes[layer.name]) for layer in network.layers
    )
    return max(1, min(_MOST_PER_BATCH, _BATCH_VALUES // values))


def _assemble(design: Design, stream: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Return the logits, shape (N, K), and labels, shape (N,), that an output stream holds.

    If the stream ended early, the logits of images that are not complete are 0, and their labels
    are -1.
    """
    classes = design.output_transfers
    logits = np.zeros((count, classes), np.int64)
    labels = np.full(count, -1, np.int64)
    complete = min(len(stream) // classes, count)
    if complete:
        whole = stream[: complete * classes].reshape(complete, classes)
        logits[:complete] = in_network_order(design.layers[-1].shape, whole)
        labels[:complete] = lowest_argmax(torch.from_numpy(logits[:complete])).numpy()
    return logits, labels
