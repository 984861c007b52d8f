"""Write tables of the papers anew, with networks of our recipes: ``make papers``.

Without a folder of data sets, tables of the digits alone are made. Trainings lie in
``build/papers``: an interrupted one is resumed, and a finished one is not repeated.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import fx

from benchmarks import page
from benchmarks.rows import Row
from spikeloom.hw.prediction import MEASURES
from spikeloom.sw import datasets
from spikeloom.sw.calibration import calibrate
from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.golden import Golden
from spikeloom.sw.golden.work import Meter
from spikeloom.sw.network import Network
from spikeloom.sw.quantized import initialise
from spikeloom.sw.spiking import spiking
from spikeloom.sw.spiking.surrogates import surrogate_named
from spikeloom.sw.training import checkpoint, evaluate
from spikeloom.sw.training.measure import integer_labels
from spikeloom.sw.training.recipe import Recipe, recipe_of
from spikeloom.sw.training.result import RESULT, TRAINED
from spikeloom.sw.training.run import run

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "papers.md"
WORK = ROOT / "build" / "papers"
#: k of kT.
FACTORS = (1, 2, 3, 4, 5, 6)
#: L that models are trained with, and T that they are converted for.
LEVELS = (2, 4, 8, 16)
STEPS = (1, 2, 3, 4, 8, 16, 32, 64)
#: T of calibrated networks.
FEW = (1, 2, 4, 8)
#: Weightings of a calibration; None for no calibration.
WEIGHTINGS = (None, "layerwise", "uniform", "cosine", "sigmoid")
#: Number of training images to calibrate with, or to set thresholds from.
IMAGES = 512
#: Number of test images that spikes are counted for.
COUNTED = 1_000
#: Percentage points that a spiking network may be below the float model.
NEAR = 0.1
#: A training without learned T, and without penalties.
FIXED = {"levels.learn": "", "phase.1.penalties": {}, "phase.1.average_timesteps": 0.0}
#: Values of recipes that take away the penalties of both phases.
UNPENALISED: Mapping[str, Any] = {"phase.1.penalties": {}, "phase.2.penalties": {}}


@dataclass(frozen=True)
class Work:
    """What a table is made with.

    Parameters
    ----------
    recipe : str
        Name of a committed recipe. Its phases of calibration are left out.
    changes : mapping
        Changed values of it, as for :class:`~benchmarks.rows.Row`.
    seed : int
    data : path, optional
        Folder of data sets.
    limit : int, optional
        Number of test images; all by default.
    folder : path
        Where trainings lie.
    """

    recipe: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    data: Path | None = None
    limit: int | None = None
    folder: Path = WORK

    def described(self, changes: Mapping[str, Any]) -> Recipe:
        """Return the recipe of one training."""
        table = Row("", "", self.recipe, {**self.changes, **changes}).table(self.seed)
        table["phase"] = [phase for phase in table["phase"] if phase["kind"] != "calibrate"]
        return recipe_of(table)

    def trained(self, name: str, changes: Mapping[str, Any]) -> fx.GraphModule:
        """Return the quantized model of a training; ``name`` tells it from others of the recipe."""
        recipe = self.described(changes)
        place = self.folder / f"{self.recipe}{name}-{self.seed}"
        written = place / "recipe.toml"
        done = (place / RESULT).is_file() and written.read_text("utf-8") == recipe.to_toml()
        if not done:
            run(recipe, place, data_root=self.data, cycles=MEASURES)
        return checkpoint.load(place / TRAINED).prepared

    def split(self, name: str) -> Dataset:
        """Return a split of the recipe's data, as its model sees it."""
        part = self.described({}).data
        found = datasets.load(part.name, name, self.data).described(part.bits, part.mean, part.std)
        return found if self.limit is None or name == "train" else found.head(self.limit)


def percent(network: Network, test: Dataset) -> str:
    """Return the percentage of images that an integer network gives the right label."""
    right = integer_labels(network, test) == test.targets()
    return f"{100 * float(right.double().mean()):.2f}"


def scaling(work: Work) -> str:
    """QAC, table 5: k times the timesteps that each layer has learned."""
    prepared, test = work.trained("", {}), work.split("test")
    learned = checkpoint.timesteps(prepared)
    average = sum(learned.values()) / len(learned)
    cells = [f"{average:.2f}", f"{100 * evaluate(prepared, test):.2f}"]
    for factor in FACTORS:
        steps = {name: factor * count for name, count in learned.items()}
        cells.append(percent(convert(prepared, timesteps=steps), test))
        print(f"{work.recipe}: {factor}T: {cells[-1]}", flush=True)
    times = [f"#{'' if factor == 1 else factor}T" for factor in FACTORS]
    return page.table(["recipe", "#average T", "#quantized ANN", *times], [[work.recipe, *cells]])


def averaging(work: Work) -> str:
    """QAC, table 8: spikes and counts at other T than the L of the training."""
    test, rows = work.split("test"), []
    for levels in LEVELS:
        prepared = work.trained(f"-{levels}", {**FIXED, "levels.timesteps": levels})
        exact = f"{100 * evaluate(prepared, test):.2f}"
        for method, transport, neuron in (
            ("QCFS", "spikes", "if"),
            ("QCFS+aver", "count", "ladder"),
        ):
            networks = (
                convert(prepared, timesteps=steps, transport=transport, neuron=neuron)
                for steps in STEPS
            )
            found = [percent(network, test) for network in networks]
            rows.append([str(levels), method, exact, *found])
            print(*rows[-1], flush=True)
    return page.table(["#L", "method", "#quantized ANN", *(f"#T={t}" for t in STEPS)], rows)


def rates(work: Work) -> str:
    """Negative spikes, table 4: rates of spikes with and without the penalties on thresholds."""
    test, train, rows = work.split("test"), work.split("train"), []
    names: list[str] = []
    for name, changes in (("", {}), ("-without", UNPENALISED)):
        learned = work.trained(name, changes)
        widest = copy.deepcopy(learned)
        initialise(widest, train.head(IMAGES).inputs(), percentile=100)
        for which, prepared in (("largest input", widest), ("learned", learned)):
            network = convert(prepared, transport="spikes", neuron="signed")
            meter, counted = Meter(network), test.head(COUNTED)
            Golden(network).run(counted.images_for(network.input), counts=(), meter=meter)
            names = [layer.name for layer in network.layers[:-1]]
            found = [f"{meter.work[layer].spike_rate:.4f}" for layer in names]
            rows.append(["without" if name else "with", which, *found, percent(network, test)])
            print(*rows[-1], flush=True)
    heads = [f"#{name}" for name in names]
    return page.table(["penalties", "thresholds", *heads, "#accuracy"], rows)


def weightings(work: Work) -> str:
    """Negative spikes, table 5: ways to weight the layers in a calibration, at few timesteps."""
    prepared, test, train = work.trained("", {}), work.split("test"), work.split("train")
    ann = 100 * evaluate(prepared, test)
    rows = []
    for weighting in WEIGHTINGS:
        found = []
        for steps in FEW:
            network = spiking(
                copy.deepcopy(prepared), transport="spikes", neuron="signed", timesteps=steps
            )
            if weighting is not None:
                calibrate(
                    network,
                    train.head(IMAGES).inputs(),
                    loss="kl",
                    weighting=weighting,
                    learn=("weights",),
                    surrogate=surrogate_named("sigmoid"),
                )
            found.append(percent(convert(network), test))
        rows.append([weighting or "no calibration", f"{ann:.2f}", *found, fewest(found, ann)])
        print(*rows[-1], flush=True)
    times = [f"#T={steps}" for steps in FEW]
    return page.table(["weighting", "#quantized ANN", *times, "#fewest T"], rows)


def fewest(found: Sequence[str], ann: float) -> str:
    """Return the least T of :data:`FEW` with an accuracy near the quantized ANN's."""
    near = (t for t, each in zip(FEW, found, strict=True) if float(each) >= ann - NEAR)
    return str(next(near, f"more than {FEW[-1]}"))


#: Each table with the recipe that it is made with, by its mark in the page.
TABLES: Mapping[str, tuple[Callable[[Work], str], str]] = {
    "qac-5-digits": (scaling, "digits-qac"),
    "qac-8-digits": (averaging, "digits-conv"),
    "negative-4-digits": (rates, "digits-negative"),
    "negative-5-digits": (weightings, "digits-negative"),
    "negative-4-fashion": (rates, "fashion-net4-leaky"),
    "negative-5-fashion": (weightings, "fashion-net4-leaky"),
    "qac-5-cifar10": (scaling, "cifar10-resnet20-public"),
    "qac-8-cifar10": (averaging, "cifar10-resnet20-public"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make tables, and write each into the page as soon as it is there."""
    parser = argparse.ArgumentParser(prog="make papers", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with fashion-mnist/, cifar10/ and so on")
    parser.add_argument(
        "--only", nargs="*", choices=TABLES, metavar="TABLE", help=", ".join(TABLES)
    )
    parser.add_argument("--seed", type=int, default=0, help="of trainings; only 0 is written")
    parser.add_argument("--limit", type=int, metavar="N", help="test images; none is written then")
    chosen = parser.parse_args(arguments)
    # A training can only be repeated with the same number of threads.
    torch.set_num_threads(1)
    for name, (make, recipe) in TABLES.items():
        if chosen.only is not None and name not in chosen.only:
            continue
        if chosen.data is None and not name.endswith("-digits"):
            print(f"{name}: not run, since --data is not given")
            continue
        text = make(Work(recipe, seed=chosen.seed, data=chosen.data, limit=chosen.limit))
        print(f"{name}\n{text}", flush=True)
        if chosen.seed == 0 and chosen.limit is None:
            page.replace(PAGE, name, text)


if __name__ == "__main__":
    main()
