"""Write the tables and pictures of docs/benchmarks.md anew: ``make bench DATA=folder``.

Accelerators alone, without link and board: look-up tables, flip-flops and block RAMs by Yosys,
clock cycles by prediction, which equals simulation, accuracy of the integer network on the whole
test split.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import nn

from benchmarks import page
from benchmarks.memories import GENERATE, wide
from benchmarks.memories import measured as processor
from benchmarks.nets import CACHE
from benchmarks.peers import Unrolled, unrolled
from spikeloom.hw.boards import Resources
from spikeloom.hw.build.area import area
from spikeloom.hw.build.family import Family
from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.hw.search import Budget, Search
from spikeloom.sw import datasets, network, training
from spikeloom.sw.cli.networks import FOLDER as ZOO
from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.golden import Golden

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
PICTURES = PAGE.with_suffix("")
FAMILY = "ecp5"
#: Images that cycles are predicted for.
IMAGES = 20
#: Spiker+'s row: not measured in this run.
_SPIKER = ("Spiker+ (measured elsewhere¹)", "96.5 %", "20,200", "-", "45", "23,588")
#: Most clock cycles per image of the network that stands beside Spiker+'s.
_GOAL = 1_700
#: Numbers of source values, and of neurons, of the networks that show growth.
_FEATURES = (128, 256, 512, 1024)
_HEAD = ("network", "tool", "#accuracy", "#LUT-eq", "#flip-flops", "#block RAMs", "#cycles/image")


@dataclass(frozen=True)
class Task:
    """A network to train for a comparison.

    Parameters
    ----------
    name : str
    features : sequence of int
        Numbers of source values, neurons and classes, layer by layer.
    timesteps, weight_bits, input_bits : int
    side : int
        Height and width of its images, to which MNIST's are averaged.
    """

    name: str
    features: Sequence[int]
    timesteps: int
    weight_bits: int
    input_bits: int
    side: int = 28

    def data(self, split: str, root: Path) -> Dataset:
        """Return a split of MNIST as the network takes it."""
        given = datasets.load("mnist", split, root)
        step = given.shape[-1] // self.side
        pixels = np.asarray(given.images, np.int64)
        count = len(pixels)
        means = pixels.reshape(count, 1, self.side, step, self.side, step).mean((3, 5))
        levels = (1 << self.input_bits) - 1
        images = np.round(means * levels / 255).astype(np.uint8)
        return Dataset.from_arrays(images, given.labels, name="mnist", bits=self.input_bits)

    def network(self, root: Path, folder: Path = CACHE) -> network.Network:
        """Return the integer network: from the folder, or trained now."""
        path = folder / f"bench-{self.name}.safetensors"
        if path.is_file():
            return network.load(path)
        torch.manual_seed(0)
        layers: list[nn.Module] = [nn.Flatten()]
        for size, following in zip(self.features, self.features[1:], strict=False):
            layers += [nn.Linear(size, following), nn.ReLU()]
        trained = training.train(
            nn.Sequential(*layers[:-1]),
            self.data("train", root),
            timesteps=self.timesteps,
            weight_bits=self.weight_bits,
            **_RECIPE,
        )
        made = convert(trained.model, transport="count", name=self.name)
        folder.mkdir(parents=True, exist_ok=True)
        network.save(made, path)
        return made


_RECIPE: Mapping[str, Any] = {
    "epochs": 15,
    "tune_epochs": 15,
    "lr": 4e-3,
    "tune_lr": 2e-3,
    "batch_size": 256,
    "shift": 1,
    "average": 0.999,
    "weight_decay": 0.02,
}
#: The networks of Spiker+'s and of da4ml's comparisons.
WIDE = Task("784-128-10", (784, 128, 10), timesteps=4, weight_bits=4, input_bits=4)
SMALL = Task("196-64-32-10", (196, 64, 32, 10), 15, weight_bits=4, input_bits=4, side=14)


@dataclass(frozen=True)
class Measured:
    """An accelerator.

    Parameters
    ----------
    resources : Resources
    cycles : float
        Clock cycles per image.
    lanes : str
        M by layer.
    ratio : float
        Cycles per image, by the most events of a layer per lane and event generator.
    """

    resources: Resources
    cycles: float
    lanes: str
    ratio: float


def measure(net: network.Network, images: Any, config: HardwareConfig | None = None) -> Measured:
    """Synthesise an accelerator, and predict its cycles."""
    planned = plan(net, config)
    found = predict(planned, activity(net, images))
    cycles = found.interval or float(found.latency)
    floor = max(
        layer.events.mean() / planned[layer.name].events  # an event serves all lanes
        for layer in found.layers
    )
    return Measured(
        area(planned, Family.find(FAMILY)).whole,
        cycles,
        ", ".join(str(layer.lanes) for layer in planned.layers),
        cycles / floor,
    )


def accuracy(net: network.Network, test: Dataset) -> float:
    """Return the share of a split that the integer network gets right."""
    found = Golden(net).run(test.images).labels.numpy()
    return float((found == np.asarray(test.labels)).mean())


def peers(root: Path) -> str:
    """Return the table of our designs beside peers."""
    rows = []
    for task in (WIDE, SMALL):
        net, test = task.network(root), task.data("test", root)
        images = np.asarray(test.images[:IMAGES])
        search = Search(net, Budget.of_numbers(1 << 20, None), activity(net, images[:4]))
        config = search.engines.config(search.reaching(_GOAL).state)
        rows.append(_row(task.name, "Spikeloom", accuracy(net, test), measure(net, images, config)))
        if task is WIDE:
            rows.append(
                [
                    task.name,
                    "Spiker+ (measured elsewhere¹)",
                    "96.5 %",
                    "20,200",
                    "-",
                    "45",
                    "23,588",
                ]
            )
        else:
            peer = unrolled(net, FAMILY)
            rows.append(_peer(task.name, peer))
    return page.table(_HEAD, rows)


def _row(name: str, tool: str, share: float, found: Measured) -> list[str]:
    used = found.resources
    return [
        name,
        tool,
        f"{share:.2%}".replace("%", " %"),
        *(f"{n:,}" for n in (used.luts, used.flipflops, used.block_ram)),
        f"{found.cycles:,.0f}",
    ]


def _peer(name: str, peer: Unrolled) -> list[str]:
    used = peer.resources
    return [
        name,
        f"da4ml 0.6, {peer.stages} stages",
        "-²",
        *(f"{n:,}" for n in (used.luts, used.flipflops, used.block_ram)),
        "1",
    ]


def zoo(root: Path | None) -> str:
    """Return the table of the networks that come with Spikeloom, as the planner chooses lanes."""
    rows = []
    for name in ("digits-conv", "mnist-small", "mnist-lenet5"):
        data = name.split("-")[0]
        if data != "digits" and root is None:
            continue
        net = network.load(ZOO / f"{name}.safetensors")
        test = datasets.load(data, "test", None if data == "digits" else root)
        found = measure(net, np.asarray(test.images[:IMAGES]))
        used = found.resources
        rows.append(
            [
                name,
                found.lanes,
                *(f"{n:,}" for n in (used.luts, used.flipflops, used.block_ram)),
                f"{found.cycles:,.0f}",
                f"{found.ratio:.2f}",
            ]
        )
    head = ("network", "lanes M by layer", *_HEAD[3:], "#cycles / events per generator")
    return page.table(head, rows)


def events() -> str:
    """Draw cycles against the share of values that are not zero, and return their table."""
    net = network.load(ZOO / "digits-conv.safetensors")
    images = np.asarray(datasets.load("digits", "test").images[:IMAGES])
    rng = np.random.default_rng(0)
    order = rng.random(images.shape)
    rows, points = [], []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        kept = np.where(order < share, images, 0)
        found = predict(plan(net), activity(net, kept))
        number = float(sum(layer.events.mean() for layer in found.layers))
        points.append((number, found.interval or 0.0))
        rows.append([f"{share:.0%}".replace("%", " %"), *(f"{n:,.0f}" for n in points[-1])])
    figure, axes = _figure("events per image, all layers", "clock cycles per image")
    axes.plot(*zip(*points, strict=True), "o-")
    _save(figure, "events")
    return page.table(("pixels kept", "#events/image", "#cycles/image"), rows)


def growth(folder: Path = CACHE) -> str:
    """Return how the processor time to generate grows with the number of weights."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, first = [], None
    for features in _FEATURES:
        path = folder / f"wide-{features}.safetensors"
        network.save(wide(features), path)
        seconds, megabytes = processor(GENERATE, path, folder / "wide.v", "auto")
        first = first or seconds
        weights = features * (features + 10)
        rows.append([f"{weights:,}", f"{seconds / first:.2f}", f"{megabytes:,.0f}"])
    return page.table(("#weights", "#processor time / that of the first", "#memory, MB"), rows)


def _figure(across: str, up: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(visible=True, which="both", alpha=0.3)
    return figure, axes


def _save(figure: Figure, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    # Without the date and the library's version, the same figures are the same file.
    figure.savefig(PICTURES / f"{name}.png", metadata={"Software": None})


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the parts of the page that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with mnist/")
    parser.add_argument("--only", choices=("peers", "zoo", "events", "growth"))
    options = parser.parse_args(arguments)
    root = None if options.data is None else options.data / "mnist"
    parts: dict[str, Any] = {
        "zoo": lambda: zoo(root),
        "events": events,
        "growth": growth,
    }
    if root is not None:
        parts["peers"] = lambda: peers(root)
    for name, part in parts.items():
        if options.only in (None, name):
            page.replace(PAGE, name, part())
            print(f"wrote {name} of {PAGE.name}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
