"""Regenerate the table of docs/calibration.md: ``python -m benchmarks.calibration --data folder``.

Without a folder, the table is of the digits, which come with Spikeloom, and is only printed.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks import page
from benchmarks.nets import trained
from spikeloom.sw import datasets
from spikeloom.sw.calibration import calibrate
from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Network
from spikeloom.sw.spiking import spiking
from spikeloom.sw.training import Trained

PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"
DEEP = "mnist-deep"
DEEP_DATA = ("mnist", "fashion-mnist")
#: The same as for docs/neurons.md, so that its networks are used again.
RECIPE: dict[str, Any] = {"limit": 5_000, "epochs": 5, "tune_epochs": 5}
#: Number of unlabelled training images to calibrate with, and of test images to measure with.
IMAGES, TESTED = 512, 2_000
STEPS = 2
HEADER = ("data", "neuron", "learned", "loss", "layers", "#accuracy")


@dataclass(frozen=True)
class Variant:
    """A way to calibrate: options of :func:`spikeloom.sw.calibration.calibrate`."""

    neuron: str = "if"
    options: Mapping[str, Any] = field(default_factory=dict)

    def cells(self) -> list[str]:
        """Return its cells in the table."""
        learn = self.options.get("learn", ("start", "threshold"))
        per = self.options.get("per", "channel")
        names = {"start": "v0", "threshold": "Θ", "weights": "weights"}
        learned = f"{', '.join(names[parameter] for parameter in learn)} per {per}"
        loss = self.options.get("loss", "mse")
        return [self.neuron, learned, loss, self.options.get("weighting", "output")]


VARIANTS = (
    Variant(),
    Variant(options={"per": "layer"}),
    Variant(options={"learn": ("start",)}),
    Variant(options={"learn": ("threshold",)}),
    Variant(options={"loss": "kl"}),
    Variant(options={"weighting": "uniform"}),
    Variant(options={"weighting": "cosine"}),
    Variant(options={"weighting": "sigmoid"}),
    Variant(neuron="dual"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all variants; given a folder of data sets, write the table into the page."""
    parser = argparse.ArgumentParser(prog="benchmarks.calibration", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with mnist/ and fashion-mnist/")
    chosen = parser.parse_args(arguments)
    # A training can only be repeated with the same number of threads.
    torch.set_num_threads(1)
    rows: list[list[str]] = []
    if chosen.data is None:
        rows += measure(trained("digits-conv"), "digits", None)
    else:
        for data in DEEP_DATA:
            root = chosen.data / data
            rows += measure(trained(DEEP, data, root, **RECIPE), data, root)
    table = page.table(HEADER, rows)
    print(table)
    if chosen.data is not None:
        page.replace(PAGE, "accuracies", table)


def measure(
    model: Trained, data: str, root: Path | None, variants: Sequence[Variant] = VARIANTS
) -> list[list[str]]:
    """Return the rows of one network: exact conversion, before calibration, and after."""
    images = datasets.load(data, "train", root).head(IMAGES).inputs()
    test = datasets.load(data, "test", root).head(TESTED)
    exact = accuracy(convert(model.prepared), test)
    rows = [[data, "ladder", "count transport at T = L", "-", "-", exact]]
    for neuron in dict.fromkeys(variant.neuron for variant in variants):
        before = convert(model.prepared, transport="spikes", timesteps=STEPS, neuron=neuron)
        rows.append([data, neuron, "nothing", "-", "-", accuracy(before, test)])
    for variant in variants:
        prepared = copy.deepcopy(model.prepared)
        network = spiking(prepared, transport="spikes", timesteps=STEPS, neuron=variant.neuron)
        calibrate(network, images, **variant.options)
        rows.append([data, *variant.cells(), accuracy(convert(network), test)])
        print(*rows[-1], flush=True)
    return rows


def accuracy(network: Network, data: Dataset) -> str:
    """Return the percentage of images whose label the integer network gets right."""
    labels = Golden(network).run(data.images_for(network.input), batch_size=500).labels
    return f"{100 * float((labels == data.targets()).double().mean()):.2f}"


if __name__ == "__main__":
    main()
