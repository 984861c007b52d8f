"""Cosimulation: images through the generated Verilog, everything compared with the golden model."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.verilog import generate
from spikeloom.sim.design import Design, EngineInfo
from spikeloom.sim.job import PIXELS, Job, Outcome
from spikeloom.sim.job import Progress as SimulatorProgress
from spikeloom.sim.records import LayerRecords, OutputRecords
from spikeloom.sim.report import CosimReport, LayerReport
from spikeloom.sim.runner import Simulator, build
from spikeloom.sim.scoreboard import (
    Divergence,
    LayerScore,
    OutputScore,
)
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.golden import Golden, check_images, lowest_argmax
from spikeloom.sw.golden.streams import in_network_order, pixel_stream
from spikeloom.sw.network import Connection, Layer, Network
from spikeloom.sw.network.record import IntArray

#: ``progress(stage, done, total)``, with the stages ``"build"`` (0 or 1 of 1), ``"simulate"`` and
#: ``"compare"`` (images).
Progress = Callable[[str, int, int], object]

#: Everything compared and counted.
FULL = HardwareConfig(debug=True, counters=True)

#: Golden values of one batch, which bounds the memory of comparing; some arrays of 8 bytes each.
_BATCH_VALUES = 1 << 21
_MOST_PER_BATCH = 1024
_HIGHEST_STALL = 0.999


class Cosimulator:
    """A network's hardware, built for simulation once and run as often as wanted.

    Parameters
    ----------
    network : Network
    config : HardwareConfig, optional
        By default with taps and counters (:data:`FULL`). Without taps, logits and labels alone are
        compared, twice as fast.
    design : Design, optional
        Hardware that was generated before, in place of ``config``.
    build_dir : path
        Where simulators are kept; one that is there already is used again.
    progress : callable, optional
        See :data:`Progress`.

    Raises
    ------
    ConfigError
        If the design belongs to another network, or both it and a configuration are given.
    UnsupportedError
        If the network has a structure that the hardware cannot run.
    ToolError
        If a tool is missing or fails.
    """

    def __init__(
        self,
        network: Network,
        *,
        config: HardwareConfig | None = None,
        design: Design | None = None,
        build_dir: str | Path = "build/sim",
        progress: Progress | None = None,
    ) -> None:
        if design is None:
            generated = generate(network, config or FULL)
            design = Design.from_sidecar(generated.verilog, generated.sidecar, "the sidecar")
        elif config is not None:
            raise ConfigError("give either a design or a configuration to generate one with")
        design.require_network(network)
        self.network = network
        self.design = design
        report = progress or _silent
        report("build", 0, 1)
        self.simulator: Simulator = build(design, build_dir, lambda: report("build", 0, 1))
        report("build", 1, 1)

    def run(
        self,
        images: npt.ArrayLike,
        *,
        labels: npt.ArrayLike | None = None,
        stalls: tuple[float, float] = (0.0, 0.0),
        seed: int = 0,
        patience: int | None = None,
        counts: Sequence[str] = (),
        plusargs: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> CosimReport:
        """Send images through the hardware and compare everything with the golden model.

        Parameters
        ----------
        images : array of integers, shape (N, *network.input.shape)
        labels : array of integers, shape (N,), optional
            For the accuracy.
        stalls : (float, float)
            Probability, 0 to 0.999, that in a clock cycle the input has no pixel, and that the
            output is not ready. They stress the hardware's flow control, and distort its speed.
        seed : int
            Of the stalls.
        patience : int, optional
            Clock cycles without any progress after which the hardware counts as stuck. By default
            more than one layer could take for an image if it used no parallelism at all.
        counts : sequence of str
            Layers whose counts the report should have; they are held in memory.
        plusargs : sequence of str
            ``+name=value`` arguments for the Verilog.
        progress : callable, optional
            See :data:`Progress`.

        Raises
        ------
        DataError
            If images or labels do not fit.
        ConfigError
            If a probability is out of range, or counts are wanted of a layer that does not exist or
            has no taps.
        ToolError
            If the simulator fails.
        """
        pixels, targets = _check_run(self.network, images, labels, stalls)
        for name in counts:
            if name not in [layer.name for layer in self.design.layers if layer.taps]:
                raise ConfigError(f"counts: there is no layer {name!r} with taps")
        report = progress or _silent
        job = Job(
            images=len(pixels),
            pixels=self.design.input_transfers,
            logits=self.design.output_transfers,
            input_stall=float(stalls[0]),
            output_stall=float(stalls[1]),
            seed=seed,
            patience=default_patience(self.network) if patience is None else patience,
            debug=self.design.debug,
            counters=self.design.counters,
            layers=[layer.name for layer in self.design.layers],
        )
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.simulator.folder))
        job.save(folder)
        pixel_stream(self.network.input, pixels).astype("<u2").tofile(folder / PIXELS)

        def look() -> None:
            done = SimulatorProgress.load(folder)
            report("simulate", 0 if done is None else done.images, len(pixels))

        # A simulator that fails leaves its folder, which its message names; nothing else does.
        try:
            self.simulator.run(folder, plusargs=plusargs, look=look)
            report("simulate", len(pixels), len(pixels))
            result = self._compare(folder, job, pixels, targets, counts, report)
        except KeyboardInterrupt:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
        return result

    def _compare(
        self,
        folder: Path,
        job: Job,
        pixels: npt.NDArray[np.integer],
        targets: IntArray | None,
        counts: Sequence[str],
        report: Progress,
    ) -> CosimReport:
        outcome = Outcome.load(folder)
        assert outcome is not None, "a simulation that ends well leaves its outcome"
        design, count = self.design, len(pixels)
        golden = Golden(self.network)
        scores = [
            LayerScore(layer, LayerRecords(folder, layer))
            for layer in design.layers
            if design.debug
        ]
        output = OutputRecords(folder, design)
        output_score = OutputScore(design.layers[-1])
        logits, labels = _assemble(design, output.logits, count)
        size = self._batch_size()
        for start in range(0, count, size):
            report("compare", start, count)
            batch = slice(start, min(start + size, count))
            expected = golden.run(pixels[batch], trace=design.debug)
            for score in scores:
                score.check(start, expected)
            transfers = slice(
                start * job.logits, None if batch.stop == count else batch.stop * job.logits
            )
            output_score.check(start, expected, output.logits[transfers], output.last[transfers])
            output_score.check_labels(expected.labels.numpy(), labels[batch])
        for score in scores:
            score.check_surplus(count)
        kept = {s.layer.name: s.counts(0, count) for s in scores if s.layer.name in counts}
        report("compare", count, count)
        ends = output.cycles[job.logits - 1 :: job.logits][:count]
        return CosimReport(
            images=count,
            layers=tuple(
                _layer_report(layer, scores[index] if scores else None, outcome)
                for index, layer in enumerate(design.layers)
            ),
            output=output_score.tallies,
            logits=logits,
            labels=labels,
            counts=kept,
            accuracy=None if targets is None else float(np.mean(labels == targets)),
            cycles=outcome.cycles,
            latency=int(ends[0]) + 1 if len(ends) else None,
            interval=float(ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else None,
            broken=outcome.broken,
            stuck=outcome.stuck,
            divergence=_first([*(score.divergence for score in scores), output_score.divergence]),
            stalls=(job.input_stall, job.output_stall),
            seed=job.seed,
        )

    def _batch_size(self) -> int:
        """Return the number of images whose golden values are held at a time."""
        values = sum(
            layer.timesteps * math.prod(self.network.shapes[layer.name])
            for layer in self.network.layers
        )
        return max(1, min(_MOST_PER_BATCH, _BATCH_VALUES // values))


def cosimulate(
    network: Network,
    images: npt.ArrayLike,
    *,
    labels: npt.ArrayLike | None = None,
    config: HardwareConfig | None = None,
    design: Design | None = None,
    build_dir: str | Path = "build/sim",
    stalls: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
    progress: Progress | None = None,
) -> CosimReport:
    """Generate a network's hardware, simulate images on it, and compare with the golden model.

    For several runs on one build, see :class:`Cosimulator`, whose parameters these are.
    """
    # Ahead of the build, which takes a while.
    _check_run(network, images, labels, stalls)
    cosimulator = Cosimulator(
        network, config=config, design=design, build_dir=build_dir, progress=progress
    )
    return cosimulator.run(images, labels=labels, stalls=stalls, seed=seed, progress=progress)


def default_patience(network: Network) -> int:
    """Return more clock cycles than any layer could take for an image, one event after another.

    A layer that gets on is seen by its taps or by what it passes on, at the latest after an image.
    """
    return 20_000 + 2 * sum(
        _work(network, layer, connection)
        for layer in network.layers
        for connection in layer.connections
    )


def _work(network: Network, layer: Layer, connection: Connection) -> int:
    """Return a bound on the events of a connection for one image, zeros not skipped."""
    area = math.prod(connection.pool.size) if connection.pool else 1
    digits = network.carried(layer, connection).width // 2 + 1
    # Words of a grouped connection can bring along what belongs to other groups.
    groups = getattr(connection.synapses, "groups", 1)
    fan_in = math.prod(connection.synapses.weight.shape[1:]) * groups
    steps = 1 if connection.constant else layer.timesteps
    return math.prod(network.shapes[layer.name]) * fan_in * area * digits * steps


def _layer_report(layer: EngineInfo, score: LayerScore | None, outcome: Outcome) -> LayerReport:
    # Past 32 bits they have wrapped around: better none than wrong ones.
    counters = outcome.counters.get(layer.name, {}) if outcome.cycles < 1 << 32 else {}
    utilisation = None
    if counters.get("cycles"):
        utilisation = counters["events"] / (layer.events * counters["cycles"])
    return LayerReport(layer.name, score.tallies if score else {}, counters, utilisation)


def _assemble(design: Design, stream: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Return the logits (N, K) and labels (N,) of a stream that may lack some at its end."""
    classes = design.output_transfers
    logits = np.zeros((count, classes), np.int64)
    labels = np.full(count, -1, np.int64)
    complete = min(len(stream) // classes, count)
    if complete:
        whole = stream[: complete * classes].reshape(complete, classes)
        logits[:complete] = in_network_order(design.layers[-1].shape, whole)
        labels[:complete] = lowest_argmax(torch.from_numpy(logits[:complete])).numpy()
    return logits, labels


def _first(found: Sequence[Divergence | None]) -> Divergence | None:
    """Return the divergence of the earliest image; of several, the first in the list."""
    divergences = [divergence for divergence in found if divergence is not None]
    return min(divergences, key=lambda divergence: divergence.image, default=None)


def _check_run(
    network: Network,
    images: npt.ArrayLike,
    labels: npt.ArrayLike | None,
    stalls: tuple[float, float],
) -> tuple[IntArray, IntArray | None]:
    """Return pixels and labels of a run, once they and the stalls are known to be valid."""
    pixels = check_images(network, images)
    targets = None if labels is None else _check_labels(labels, len(pixels))
    for what, stall in zip(("input", "output"), stalls, strict=True):
        if not 0 <= stall <= _HIGHEST_STALL:
            raise ConfigError(
                f"the probability of {what} stalls must be from 0 to {_HIGHEST_STALL}, not {stall}"
            )
    return pixels, targets


def _check_labels(labels: npt.ArrayLike, images: int) -> IntArray:
    array = np.asarray(labels)
    if array.dtype.kind not in "iu" or array.shape != (images,):
        raise DataError(
            f"labels must be {images} integers, one for each image, not {array.dtype} of shape "
            f"{array.shape}"
        )
    return array.astype(np.int64)


def _silent(stage: str, done: int, total: int) -> None:
    pass
