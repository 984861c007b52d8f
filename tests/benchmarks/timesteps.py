"""Write the table of docs/timesteps.md anew: ``make timesteps``."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from benchmarks import page
from spikeloom.sw import datasets, models
from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.golden import Golden
from spikeloom.sw.quantized import initialise, prepare, settle
from spikeloom.sw.quantized.prepared import META
from spikeloom.sw.training import evaluate, fit
from spikeloom.sw.training.best import Best
from spikeloom.sw.training.checkpoint import timesteps
from spikeloom.sw.training.loop import Loop
from spikeloom.sw.training.options import FitOptions
from spikeloom.sw.training.penalties import TimestepPenalty

PAGE = Path(__file__).parents[2] / "docs" / "timesteps.md"
MODEL = "digits-conv"
#: Epochs of the float network, and of each network that is made from it.
EPOCHS, TUNE_EPOCHS = 20, 15
#: The average T that a network may have at most: an epoch is chosen that keeps it.
TARGET = 2.5
#: What the penalty pushes towards. An average of three layers comes in thirds, of which 7/3 is the
#: most that the target allows: the penalty must still push from there on.
PUSHED = 2.3
#: Share of the training images that the epoch is chosen by.
VALIDATION = 0.1
#: Seeds for the order of the images. All share one float network.
SEEDS = (0, 1)
#: The parameterisations of the paper, and fixed numbers of timesteps T.
ROWS: tuple[str | int, ...] = ("t,alpha", "n,alpha", "n,d", "d,alpha", 4, 3, 2)


@dataclass(frozen=True)
class Result:
    """The result of one training.

    Parameters
    ----------
    timesteps : tuple of int
        T of each layer that fires.
    right : int
        Number of test images that the integer network gets right.
    differing : int
        Number of test images to which it and the quantized ANN give different labels.
    images : int
        Number of test images.
    """

    timesteps: tuple[int, ...]
    right: int
    differing: int
    images: int

    @property
    def average(self) -> float:
        """Plain mean of T."""
        return sum(self.timesteps) / len(self.timesteps)


def measure(row: str | int, model: nn.Module, train: Dataset, test: Dataset, seed: int) -> Result:
    """Train with learned or fixed timesteps, convert, and run the integers on all test images.

    Parameters
    ----------
    row : str or int
        A parameterisation, which learns T from 4 on, or a fixed T.
    model : nn.Module
        The float network.
    train, test : Dataset
    seed : int
    """
    learn = row if isinstance(row, str) else None
    start = row if isinstance(row, int) else 4
    prepared = prepare(model, input_shape=train.shape, timesteps=start, learn=learn)
    initialise(prepared, train.inputs()[:512])
    penalties = [TimestepPenalty(prepared, target=PUSHED)] if learn else []
    chosen = FitOptions(epochs=TUNE_EPOCHS, lr=4e-3, shift=1)
    fitted, kept = train.split(VALIDATION, seed)
    loop = Loop(prepared, fitted, chosen, teacher=model, seed=seed, penalties=penalties)
    best, state = None, prepared.state_dict()
    for epoch in range(TUNE_EPOCHS):
        loop.epoch()
        steps = timesteps(prepared).values()
        record = {
            "epoch": epoch,
            "average_timesteps": sum(steps) / len(steps),
            "validation_accuracy": evaluate(prepared, kept),
        }
        rated = Best.of(record, TARGET if learn else 0.0)
        if rated.beats(best):
            best, state = rated, copy.deepcopy(prepared.state_dict())
    prepared.load_state_dict(state)
    settled = settle(prepared.eval())
    settled.meta[META] |= {"input_bits": test.bits, "input_scale": test.scale}
    network = convert(settled)
    labels = torch.as_tensor(Golden(network).run(test.images).labels)
    with torch.no_grad():
        expected = settled.double()(test.inputs().double()).argmax(1)
    return Result(
        tuple(layer.timesteps for layer in network.layers[:-1]),
        int((labels == test.targets()).sum()),
        int((labels != expected).sum()),
        len(test),
    )


def row_of(row: str | int, results: Sequence[Result]) -> list[str]:
    """Return the cells of one row, with the results of all seeds."""
    right = [result.right / result.images for result in results]
    return [
        f"[{row}]" if isinstance(row, str) else f"fixed, {row}",
        "; ".join(", ".join(map(str, result.timesteps)) for result in results),
        "; ".join(f"{result.average:.2f}" for result in results),
        "; ".join(f"{100 * share:.2f}" for share in right),
        str(sum(result.differing for result in results)),
    ]


def main() -> None:
    """Measure every row, and write the page."""
    torch.set_num_threads(1)
    train, test = (datasets.load("digits", split) for split in datasets.SPLITS)
    torch.manual_seed(0)
    model = models.build(MODEL)
    fit(model, train, epochs=EPOCHS, shift=1)
    rows = []
    for row in ROWS:
        rows.append(row_of(row, [measure(row, model, train, test, seed) for seed in SEEDS]))
        print(" | ".join(rows[-1]), flush=True)
    header = ["timesteps", "#T per layer", "#average T", "#integer network, %", "#labels lost"]
    text = page.table(header, rows)
    about = f"The float network: {100 * evaluate(model, test):.2f} % of {len(test)} test images."
    page.replace(PAGE, "parameterisations", f"{text}\n\n{about}")


if __name__ == "__main__":
    main()
