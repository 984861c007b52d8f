"""Targets, which run a network: the golden model, simulated hardware, and a board."""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt
import torch
from torch import Tensor

from spikeloom.sw import network as contract
from spikeloom.sw.errors import ConfigError, LinkError, ToolError
from spikeloom.sw.golden import Golden, Meter
from spikeloom.sw.inference.contents import Contents
from spikeloom.sw.inference.driver import BoardDriver
from spikeloom.sw.inference.result import Inference, Progress
from spikeloom.sw.link import IMAGE_TIMEOUT
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.link.serial import known_ports
from spikeloom.sw.network import Network
from spikeloom.sw.progress import reported
from spikeloom.sw.registry import Registered
from spikeloom.sw.tasks import of_network

if TYPE_CHECKING:
    from spikeloom.hw.planning.config import HardwareConfig

Images = npt.ArrayLike | Tensor


class Target(Registered, ABC):
    """Base of targets. Each is a dataclass of its options, and is found by its name."""

    name: ClassVar[str]
    kinds: ClassVar[dict[str, type[Target]]] = {}
    name_attribute = "name"

    @abstractmethod
    def run(
        self,
        source: Network | Manifest,
        images: Images,
        counts: Sequence[str],
        progress: Progress,
    ) -> Inference:
        """Compute images; see :func:`run`."""

    @staticmethod
    def find(name: str, **options: Any) -> Target:
        """Return the target called ``name``, with its options.

        Raises
        ------
        ConfigError
            If there is none, or it has no such option.
        """
        target = Target.member(name, ConfigError, f"there is no target {name!r}: the targets are")
        assert dataclasses.is_dataclass(target)
        known_options = [field.name for field in dataclasses.fields(target)]
        for option in options:
            if option not in known_options:
                raise ConfigError(
                    f"target {name!r} has no option {option!r}: it has {', '.join(known_options)}"
                )
        found: Target = target(**options)
        return found


def run(
    images: Images,
    network: Network | Manifest | str | Path,
    target: str = "golden",
    *,
    counts: Sequence[str] = (),
    progress: Progress | bool | None = None,
    **options: Any,
) -> Inference:
    """Compute images on a target. The results are the same on all targets.

    Parameters
    ----------
    images : array or tensor of integers, shape (N, *network.input.image_shape)
    network : Network, Manifest, or path
        A path that ends in ``.json`` is that of a manifest, which is for a board only.
    target : {"golden", "sim", "board"}
        The golden model, the network's Verilog in simulation, or a board.
    counts : sequence of str
        Layers whose counts to return.
    progress : callable or bool, optional
        See :data:`~spikeloom.sw.inference.Progress`; by default bars on stderr, False for none.
    **options
        Parameters of :class:`GoldenTarget`, :class:`SimTarget` or :class:`BoardTarget`.

    Returns
    -------
    Inference

    Raises
    ------
    ConfigError
        If the target, an option or a layer does not exist, or the target needs a network instead
        of a manifest.
    DataError
        If the images do not fit the network's input.
    LinkError
        If the board does not answer, or holds another network.
    """
    source = read(network) if isinstance(network, (str, Path)) else network
    chosen = Target.find(target, **options)
    if isinstance(source, Network):
        _require_counts(source, counts)
    with reported(progress) as report:
        return chosen.run(source, images, tuple(dict.fromkeys(counts)), report)


def read(path: str | Path) -> Network | Manifest:
    """Read a network, or a manifest if the path ends in ``.json``."""
    return Manifest.load(path) if Path(path).suffix == ".json" else contract.load(path)


@dataclass(frozen=True)
class GoldenTarget(Target, name="golden"):
    """Target that runs the golden model.

    Parameters
    ----------
    device : str
        See :class:`~spikeloom.sw.golden.Golden`.
    """

    device: str = "cpu"

    def run(
        self,
        source: Network | Manifest,
        images: Images,
        counts: Sequence[str],
        progress: Progress,
    ) -> Inference:
        golden = Golden(_require_network(source, self.name), self.device)
        meter = Meter(golden.network)
        start = time.monotonic()
        found = golden.run(
            images,
            progress=lambda done, of: progress("run", done, of),
            counts=counts,
            meter=meter,
        )
        return Inference(
            target=self.name,
            logits=found.logits,
            labels=found.labels,
            counts={layer: found.counts[layer] for layer in counts},
            seconds=time.monotonic() - start,
            task=of_network(golden.network.about),
            work=meter.work,
        )


@dataclass(frozen=True)
class SimTarget(Target, name="sim"):
    """Target that simulates the network's Verilog in Verilator.

    Parameters
    ----------
    config : HardwareConfig, optional
        Configuration of the accelerator, by default with counters. Taps are added if counts are
        asked for.
    build_dir : path
        Folder that keeps simulators.
    """

    config: HardwareConfig | None = None
    build_dir: str | Path = "build/sim"

    def run(
        self,
        source: Network | Manifest,
        images: Images,
        counts: Sequence[str],
        progress: Progress,
    ) -> Inference:
        from spikeloom.hw.planning.config import HardwareConfig
        from spikeloom.sim.cosim import Cosimulator
        from spikeloom.sw.golden import check_images

        network = _require_network(source, self.name)
        pixels = check_images(network, images)  # ahead of the build
        config = self.config or HardwareConfig(counters=True, memories="files")
        if counts:
            config = dataclasses.replace(config, debug=True)
        simulator = Cosimulator(network, config=config, build_dir=self.build_dir, progress=progress)
        start = time.monotonic()
        report = simulator.run(pixels, counts=counts, progress=progress)
        if report.stuck is not None:
            raise ToolError(
                f"the simulated hardware got stuck ({report.stuck}): this is a defect of Spikeloom"
            )
        return Inference(
            target=self.name,
            logits=torch.from_numpy(report.logits),
            labels=torch.from_numpy(report.labels),
            counts={layer: torch.from_numpy(report.counts[layer]) for layer in counts},
            seconds=time.monotonic() - start,
            cycles_per_image=report.cycles_per_image,
            counters={layer.name: layer.counters for layer in report.layers if layer.counters}
            or None,
            task=of_network(network.about),
            work=report.work,
        )


@dataclass(frozen=True)
class BoardTarget(Target, name="board"):
    """Target that runs images on a board.

    Parameters
    ----------
    port : str, optional
        Serial port of the board.
    baud : int, optional
        Rate of the UART, Hz; by default the manifest's.
    patience : float
        Longest time for which an image may be computed, in seconds; see
        :meth:`~spikeloom.sw.inference.BoardDriver.open`.
    driver : BoardDriver, optional
        An open driver to use instead of a port. It stays open, and its manifest is the one used.
    """

    port: str | None = None
    baud: int | None = None
    patience: float = IMAGE_TIMEOUT
    driver: BoardDriver | None = None

    def run(
        self,
        source: Network | Manifest,
        images: Images,
        counts: Sequence[str],
        progress: Progress,
    ) -> Inference:
        if self.driver is not None:
            self.driver.client.require(Contents.of(source).digest)
            return self.driver.infer(images, counts=counts, progress=progress)
        if self.port is None:
            raise LinkError(f"which port is the board on? {known_ports()}")
        with BoardDriver.open(source, self.port, self.baud, self.patience) as driver:
            return driver.infer(images, counts=counts, progress=progress)


def _require_network(source: Network | Manifest, target: str) -> Network:
    if isinstance(source, Manifest):
        raise ConfigError(
            f"target {target!r} needs a network file: manifest {source.path} says what a board "
            f"holds, but not its weights"
        )
    return source


def _require_counts(network: Network, counts: Sequence[str]) -> None:
    firing = [layer.name for layer in network.layers if layer.neuron.fires]
    for layer in counts:
        if layer not in firing:
            raise ConfigError(
                f"there are no counts of {layer!r}, but of: {', '.join(firing) or 'no layer'}"
            )
