"""Write the tables and pictures of docs/benchmarks.md anew: ``make bench DATA=folder``.

Accelerators alone, without link and board: look-up tables, flip-flops and block RAMs by Yosys,
clock cycles by prediction, which equals simulation, accuracy of the integer network on the whole
test split.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks import page, pictures, steps
from benchmarks.accelerators import FAMILY, IMAGES, lanes, measure, resources_cells
from benchmarks.cosim import used
from benchmarks.fronts import fronts
from benchmarks.growth import growth
from benchmarks.nets import CACHE
from benchmarks.peers import Unrolled, unrolled
from spikeloom.hw.planning import plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.hw.search import Budget, Search
from spikeloom.sw import datasets, network, training
from spikeloom.sw.cli.networks import FOLDER as ZOO
from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.golden import Golden
from spikeloom.sw.network.record import IntArray

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
#: Spiker+'s row: not measured in this run.
_SPIKER = ("Spiker+ (measured elsewhere¹)", "96.5 %", "20,200", "-", "45", "23,588")
#: Clock cycles per image, for the four that are searched with, of both networks beside peers.
_GOAL = 1_600
#: Most block RAMs of the network that stands beside Spiker+'s.
_BLOCKS = 27
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
        budget = (
            Budget.of_numbers(None, _BLOCKS) if task is WIDE else Budget.of_numbers(1 << 20, None)
        )
        search = Search(net, budget, activity(net, images[:4]))
        found = measure(search.reaching(_GOAL).plan, activity(net, images))
        share = f"{accuracy(net, test):.2%}".replace("%", " %")
        rows.append([task.name, "Spikeloom", share, *found.cells()])
        rows.append([task.name, *(_SPIKER if task is WIDE else _peer(unrolled(net, FAMILY)))])
    return page.table(_HEAD, rows)


def _peer(peer: Unrolled) -> list[str]:
    return [f"da4ml 0.6, {peer.stages} stages", "-²", *resources_cells(peer.resources), "1"]


def shipped(root: Path, *names: str) -> list[tuple[network.Network, IntArray]]:
    """Return networks that come with Spikeloom, with test images."""
    found = []
    for name in names:
        data = name.split("-")[0]
        test = datasets.load(data, "test", None if data == "digits" else root)
        net = replace(network.load(ZOO / f"{name}.safetensors"), name=name)
        found.append((net, np.asarray(test.images[:IMAGES])))
    return found


def zoo(root: Path) -> str:
    """Return the table of the networks that come with Spikeloom, as the planner chooses lanes."""
    rows = []
    for net, images in shipped(root, "digits-conv", "mnist-small", "mnist-lenet5"):
        planned = plan(net)
        found = measure(planned, activity(net, images))
        rows.append([net.name, lanes(planned), *found.cells(), f"{found.ratio:.2f}"])
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
    drawn, (axes,) = pictures.figure(("events per image, all layers", "clock cycles per image"))
    axes.plot(*zip(*points, strict=True), "o-")
    pictures.save(drawn, "events")
    return page.table(("pixels kept", "#events/image", "#cycles/image"), rows)


def pareto(root: Path) -> str:
    """Draw the Pareto fronts of two networks, and return their table."""
    return fronts(shipped(root, "digits-conv", "mnist-small"))


#: The parts of the page by name: those that need MNIST's folder, and those that need no data.
WITH_MNIST: Mapping[str, Callable[[Path], str]] = {"peers": peers, "zoo": zoo, "pareto": pareto}
WITHOUT: Mapping[str, Callable[[], str]] = {
    "events": events,
    "timesteps": steps.timesteps,
    "widths": steps.widths,
    "growth": growth,
}
PARTS = (*WITH_MNIST, *WITHOUT)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the parts of the page that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; by default all"
    )
    parser.add_argument("--data", type=Path, help="folder with mnist/")
    options = parser.parse_args(arguments)
    for name in options.parts:
        if name not in PARTS:
            parser.error(f"there is no part {name!r}: the parts are {', '.join(PARTS)}")
    if options.data is None and set(options.parts) & set(WITH_MNIST):
        parser.error(f"{', '.join(WITH_MNIST)} need --data")
    for name in options.parts or PARTS:
        start = used()
        if name in WITHOUT:
            text = WITHOUT[name]()
        elif options.data is not None:
            text = WITH_MNIST[name](options.data / "mnist")
        else:
            print(f"left out {name}, which needs --data", flush=True)
            continue
        page.replace(PAGE, name, text)
        print(f"wrote {name} of {PAGE.name}: {used() - start:.0f} s of processor", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
