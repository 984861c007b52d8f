"""Cosimulation: run images through the generated Verilog and compare with the golden model.

:class:`Cosimulator` is the entry point, with :func:`cosimulate` for a single run. They generate
with :mod:`spikeloom.sim.generated`, build with :mod:`spikeloom.sim.native` or
:mod:`spikeloom.sim.runner`, and simulate and compare with :mod:`spikeloom.sim.part`.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sim.design import Design
from spikeloom.sim.engines import Builder, builder
from spikeloom.sim.generated import generated
from spikeloom.sim.job import Job
from spikeloom.sim.part import Interrupted, Part, Simulator, simulate
from spikeloom.sim.report import CosimReport, assembled
from spikeloom.sim.tools import Tools
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.golden import Images, check_images, check_parts
from spikeloom.sw.network import Connection, Layer, Network
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.progress import Report, reported

#: Called as ``progress(stage, done, total)``. The stages are ``"build"``, with a total of 1, and
#: ``"simulate"`` and ``"compare"``, which count images.
Progress = Report

#: Configuration with debug taps and counters: every layer is compared, and its cycles are counted.
#: Weights are in files, which takes the compiler less time than weights in Verilog.
FULL = HardwareConfig(debug=True, counters=True, memories="files")

#: Most images that are simulated in one go, and most bytes of their records. They depend on nothing
#: else, so that a run's figures do not depend on the computer.
PART_IMAGES = 500
_PART_BYTES = 1 << 28
_HIGHEST_STALL = 0.999
#: Seconds between two looks at the parts under way.
_INTERVAL = 0.1


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
        Folder that keeps generated hardware and built simulators. The same is not built twice.
    engine : {"native", "cocotb"} or callable
        Program that clocks the hardware: one in C++ of our own, or a test bench in Python. Both
        give the same report; cocotb takes longer to build and to run. A function builds the
        simulator itself, such as that of :func:`spikeloom.sim.waves.traced`.
    progress : callable or bool, optional
        See :data:`Progress`; by default bars on stderr, False for none.

    Attributes
    ----------
    design : Design
        The simulated hardware.
    simulator : NativeSimulator or CocotbSimulator
        The built simulator.

    Raises
    ------
    ConfigError
        If the design was generated from another network, both a design and a configuration are
        given, or there is no such engine.
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
        engine: str | Builder = "native",
        progress: Progress | bool | None = None,
    ) -> None:
        build = builder(engine)
        Tools.find()  # before anything that takes a while
        if design is None:
            design = generated(network, config or FULL, build_dir)
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
        images: npt.ArrayLike | Images,
        *,
        labels: npt.ArrayLike | None = None,
        stalls: tuple[float, float] = (0.0, 0.0),
        seed: int = 0,
        stuck_after: int | None = None,
        counts: Sequence[str] = (),
        plusargs: Sequence[str] = (),
        jobs: int | None = None,
        progress: Progress | bool | None = None,
    ) -> CosimReport:
        """Send images through the hardware and compare its values with the golden model's.

        More than 500 images (less, where their records would take more than 256 MiB) are simulated
        in parts of as many. Each part begins with a reset, and so fills the hardware anew; clock
        cycles are added up.

        Parameters
        ----------
        images : array of integers, shape (N, *network.input.image_shape)
            Of those that a slice reads from a file, each part reads its own.
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
        jobs : int, optional
            Parts that are simulated at the same time; by default one for each processor. The report
            does not depend on it.
        progress : callable or bool, optional
            See :data:`Progress`; by default bars on stderr, False for none.

        Raises
        ------
        DataError
            If images or labels do not fit the network.
        ConfigError
            If a probability or ``jobs`` is out of range, or ``counts`` names a layer that does not
            exist or has no taps.
        ToolError
            If the simulator fails.
        """
        pixels, targets = _check_run(self.network, images, labels, stalls)
        for name in counts:
            if name not in [layer.name for layer in self.design.layers if layer.taps]:
                raise ConfigError(f"counts: there is no layer {name!r} with taps")
        workers = _processors() if jobs is None else jobs
        if workers < 1:
            raise ConfigError(f"jobs must be at least 1, not {jobs}")
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
        size = part_size(self.design)
        parts = [
            replace(
                job,
                images=min(size, len(pixels) - first),
                seed=seed + first // size,
                first=first,
            )
            for first in range(0, len(pixels), size)
        ]

        def one(part: Job, report: Callable[[str, int], object]) -> Part:
            given = pixels[part.first : part.first + part.images]
            images = check_images(self.network, given, part.first)
            return simulate(self.network, self.simulator, part, images, counts, plusargs, report)

        with reported(progress) as report:
            done = _in_parallel(parts, one, min(workers, len(parts)), report)
        return assembled(self.design, job, done, targets)


def part_size(design: Design) -> int:
    """Return the number of images that are simulated in one go."""
    taken = sum(layer.record_bytes for layer in design.layers)
    return max(1, min(PART_IMAGES, _PART_BYTES // max(1, taken)))


def _processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _single() -> None:
    torch.set_num_threads(1)


@contextmanager
def _single_torch() -> Iterator[None]:
    """Let torch use one thread: several wait for each other beside simulators that compute."""
    before = torch.get_num_threads()
    _single()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _in_parallel(
    parts: Sequence[Job],
    one: Callable[[Job, Callable[[str, int], object]], Part],
    workers: int,
    report: Progress,
) -> list[Part]:
    """Return the results of all parts, of which some are worked on at the same time.

    Threads suffice: the simulator is a process of its own, and numpy and torch let go of Python's
    lock. Progress is told from this thread. If anything fails, or this is interrupted, the other
    parts end.
    """
    over = threading.Event()
    stages = {stage: [0] * len(parts) for stage in ("simulate", "compare")}
    total = sum(part.images for part in parts)

    def work(index: int) -> Part:
        def note(stage: str, images: int) -> None:
            if over.is_set():
                raise Interrupted
            stages[stage][index] = images

        return one(parts[index], note)

    def tell() -> None:
        for stage, images in stages.items():
            if stage == "simulate" or any(images):
                report(stage, sum(images), total)

    with _single_torch(), ThreadPoolExecutor(workers, initializer=_single) as pool:
        futures: list[Future[Part]] = [pool.submit(work, index) for index in range(len(parts))]
        try:
            waiting = set(futures)
            while waiting:
                done, waiting = wait(waiting, _INTERVAL)
                tell()
                for future in done:
                    future.result()
        except BaseException:
            over.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]


def cosimulate(
    network: Network,
    images: npt.ArrayLike | Images,
    *,
    labels: npt.ArrayLike | None = None,
    config: HardwareConfig | None = None,
    design: Design | None = None,
    build_dir: str | Path = "build/sim",
    engine: str | Builder = "native",
    stalls: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
    jobs: int | None = None,
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
            network,
            config=config,
            design=design,
            build_dir=build_dir,
            engine=engine,
            progress=report,
        )
        return cosimulator.run(
            images, labels=labels, stalls=stalls, seed=seed, jobs=jobs, progress=report
        )


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


def _check_run(
    network: Network,
    images: npt.ArrayLike | Images,
    labels: npt.ArrayLike | None,
    stalls: tuple[float, float],
) -> tuple[Images, IntArray | None]:
    """Check a run's images, labels and stalls, and return images, and labels as an array."""
    pixels = check_parts(network, images, PART_IMAGES)
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
