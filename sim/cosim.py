"""Cosimulation: run images through the generated Verilog and compare with the golden model.

:class:`Cosimulator` is the entry point, with :func:`cosimulate` for a single run. They generate
with :mod:`spikeloom.hw.verilog`, build and run with :mod:`spikeloom.sim.runner`, and compare with
:mod:`spikeloom.sim.scoreboard`.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Sequence
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
from spikeloom.sim.scoreboard import Divergence, LayerScore, OutputScore
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.golden import Golden, check_images, lowest_argmax
from spikeloom.sw.golden.streams import in_network_order, pixel_stream
from spikeloom.sw.network import Connection, Layer, Network
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.progress import Report, reported

#: Called as ``progress(stage, done, total)``. The stages are ``"build"``, with a total of 1, and
#: ``"simulate"`` and ``"compare"``, which count images.
Progress = Report

#: Configuration with debug taps and counters: every layer is compared, and its cycles are counted.
FULL = HardwareConfig(debug=True, counters=True)

#: Most golden values in one batch of the comparison, which bounds its memory: a few arrays of this
#: many 8-byte integers.
_BATCH_VALUES = 1 << 21
#: Most images in one batch.
_MOST_PER_BATCH = 1024
_HIGHEST_STALL = 0.999


class Cosimulator:
    """Simulator of a network's hardware, which is built once and can run any number of times.

    Parameters
    ----------
    network : Network
        Network that the hardware computes.
    config : HardwareConfig, optional
        Configuration to generate the hardware with. The default, :data:`FULL`, has debug taps and
        counters. Without taps, only logits and labels are compared, which is twice as fast.
    design : Design, optional
        Hardware that was generated before, in place of ``config``.
    build_dir : path
        Folder that keeps built simulators. The same hardware is not built twice.
    progress : callable or bool, optional
        See :data:`Progress`; by default bars on stderr, False for none.

    Attributes
    ----------
    design : Design
        The simulated hardware.
    simulator : Simulator
        The built simulator.

    Raises
    ------
    ConfigError
        If the design was generated from another network, or both a design and a configuration are
        given.
    UnsupportedError
        If the hardware does not support the network's structure.
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
        progress: Progress | bool | None = None,
    ) -> None:
        if design is None:
            generated = generate(network, config or FULL)
            design = Design.from_sidecar(
                generated.verilog,
                generated.sidecar,
                "the sidecar",
                lambda name: generated.memories[name].encode(),
            )
        elif config is not None:
            raise ConfigError("give either a design or a configuration to generate one with")
        design.require_network(network)
        self.network = network
        self.design = design
        with reported(progress) as report:
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
        stuck_after: int | None = None,
        counts: Sequence[str] = (),
        plusargs: Sequence[str] = (),
        progress: Progress | bool | None = None,
    ) -> CosimReport:
        """Send images through the hardware and compare its values with the golden model's.

        Parameters
        ----------
        images : array of integers, shape (N, *network.input.shape)
        labels : array of integers, shape (N,), optional
            Right labels, for the accuracy.
        stalls : (float, float)
            Probability, 0 to 0.999, that in a clock cycle the input has no pixel, and that the
            output is not ready. Stalls test the hardware's flow control, and distort its speed.
        seed : int
            Seed of the random stalls.
        stuck_after : int, optional
            Clock cycles without any progress after which the hardware counts as stuck. The default
            is :func:`default_stuck_after`.
        counts : sequence of str
            Layers whose spike counts are put into the report. They are held in memory.
        plusargs : sequence of str
            ``+name=value`` arguments for ``$value$plusargs`` in the Verilog.
        progress : callable or bool, optional
            See :data:`Progress`; by default bars on stderr, False for none.

        Raises
        ------
        DataError
            If images or labels do not fit the network.
        ConfigError
            If a probability is out of range, or ``counts`` names a layer that does not exist or has
            no taps.
        ToolError
            If the simulator fails.
        """
        pixels, targets = _check_run(self.network, images, labels, stalls)
        for name in counts:
            if name not in [layer.name for layer in self.design.layers if layer.taps]:
                raise ConfigError(f"counts: there is no layer {name!r} with taps")
        job = Job(
            images=len(pixels),
            pixels=self.design.input_transfers,
            logits=self.design.output_transfers,
            input_stall=float(stalls[0]),
            output_stall=float(stalls[1]),
            seed=seed,
            stuck_after=default_stuck_after(self.network) if stuck_after is None else stuck_after,
            debug=self.design.debug,
            counters=self.design.counters,
            layers=[layer.name for layer in self.design.layers],
        )
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.simulator.folder))
        job.save(folder)
        pixel_stream(self.network.input, pixels).astype("<u2").tofile(folder / PIXELS)

        # The folder is removed, unless the simulator fails: its message names a log in there.
        try:
            with reported(progress) as report:

                def poll() -> None:
                    done = SimulatorProgress.load(folder)
                    report("simulate", 0 if done is None else done.images, len(pixels))

                self.simulator.run(folder, plusargs=plusargs, poll=poll)
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
        """Return the number of images that are compared at a time."""
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
    progress: Progress | bool | None = None,
) -> CosimReport:
    """Generate a network's hardware, simulate images on it, and compare with the golden model.

    For several runs of one build, use :class:`Cosimulator`; the parameters are those of its
    constructor and of :meth:`Cosimulator.run`, as are the exceptions.
    """
    # Checked before the build, which takes a while.
    _check_run(network, images, labels, stalls)
    with reported(progress) as report:
        cosimulator = Cosimulator(
            network, config=config, design=design, build_dir=build_dir, progress=report
        )
        return cosimulator.run(images, labels=labels, stalls=stalls, seed=seed, progress=report)


def default_stuck_after(network: Network) -> int:
    """Return the number of clock cycles without progress after which hardware counts as stuck.

    It exceeds the cycles in which all layers together could compute an image with one event at a
    time. Hardware that works shows progress, at its taps or its output, at least once per image.
    """
    return 20_000 + 2 * sum(
        _work(network, layer, connection)
        for layer in network.layers
        for connection in layer.connections
    )


def _work(network: Network, layer: Layer, connection: Connection) -> int:
    """Return an upper bound on a connection's events for one image, with no zero skipped."""
    area = math.prod(connection.pool.size) if connection.pool else 1
    digits = network.carried(layer, connection).width // 2 + 1
    # The words that a grouped convolution reads can also hold channels of other groups.
    groups = getattr(connection.synapses, "groups", 1)
    fan_in = math.prod(connection.synapses.weight.shape[1:]) * groups
    steps = 1 if connection.constant else layer.timesteps
    return math.prod(network.shapes[layer.name]) * fan_in * area * digits * steps


def _layer_report(layer: EngineInfo, score: LayerScore | None, outcome: Outcome) -> LayerReport:
    # The counters have 32 bits. After a longer run they have wrapped around, and are left out.
    counters = outcome.counters.get(layer.name, {}) if outcome.cycles < 1 << 32 else {}
    utilisation = None
    if counters.get("cycles"):
        utilisation = counters["events"] / (layer.events * counters["cycles"])
    return LayerReport(layer.name, score.tallies if score else {}, counters, utilisation)


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


def _first(found: Sequence[Divergence | None]) -> Divergence | None:
    """Return the divergence of the earliest image, or the first in the list of several such."""
    divergences = [divergence for divergence in found if divergence is not None]
    return min(divergences, key=lambda divergence: divergence.image, default=None)


def _check_run(
    network: Network,
    images: npt.ArrayLike,
    labels: npt.ArrayLike | None,
    stalls: tuple[float, float],
) -> tuple[IntArray, IntArray | None]:
    """Check a run's images, labels and stalls, and return pixels and labels as integer arrays."""
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
