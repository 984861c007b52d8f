"""Run the commands of docs/examples.md, and write its table and its code anew: ``make examples``.

Each example is a file in docs/examples, and a section of the page with the commands that take it
from its data to simulated hardware.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import page
from spikeloom.sw.datasets import Dataset, load

DOCS = Path(__file__).parents[2] / "docs"
PAGE, FILES = DOCS / "examples.md", DOCS / "examples"
#: Commands of which a JSON is read.
READ = ("train", "run", "cosim")
HEADER = (
    "example",
    "score",
    "plain method",
    "#float model",
    "#quantized",
    "#integer network",
    "#hardware",
    "#values compared",
    "#differ",
    "#cycles per image",
)
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """One of the examples, which has the name of its file.

    Parameters
    ----------
    name : str
    score : str
        Name of its figure.
    data : str
        Function of its data, and its task.
    method : str
        Name of the plain method.
    plain : callable
        From training and test split to the score of the plain method.
    """

    name: str
    score: str
    data: tuple[str, str]
    method: str
    plain: Callable[[Dataset, Dataset], float]


def _rows(data: Dataset) -> _Floats:
    return np.asarray(data.images, np.float64).reshape(len(data), -1)


def logistic(training: Dataset, test: Dataset) -> float:
    """Return the accuracy of a logistic regression of the standardised values."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return float(model.fit(_rows(training), training.labels).score(_rows(test), test.labels))


def ridge(training: Dataset, test: Dataset) -> float:
    """Return R² of a ridge regression of the standardised columns."""
    model = make_pipeline(StandardScaler(), RidgeCV())
    return float(model.fit(_rows(training), training.labels).score(_rows(test), test.labels))


def linear_filter(training: Dataset, test: Dataset) -> float:
    """Return R² of the best linear filter of 5x5 pixels, a mean over the values of a patch."""

    def windows(data: Dataset) -> _Floats:
        wide = np.pad(
            np.asarray(data.images[:, 0], np.float64), ((0, 0), (2, 2), (2, 2)), "reflect"
        )
        found = np.lib.stride_tricks.sliding_window_view(wide, (5, 5), axis=(1, 2))
        return found.reshape(-1, 25)

    model = LinearRegression().fit(windows(training), training.labels.ravel())
    error = model.predict(windows(test)).reshape(test.labels.shape) - test.labels
    return float(np.mean(1 - (error**2).mean(0) / test.labels.var(0)))


EXAMPLES = (
    Example("speakers", "accuracy", ("split", "classes"), "logistic regression", logistic),
    Example("diabetes", "R²", ("table", "values"), "ridge regression", ridge),
    Example("denoise", "R²", ("split", "values"), "linear filter of 5x5", linear_filter),
)


def commands_of(name: str, text: str) -> list[list[str]]:
    """Return the arguments of the commands on the page that name an example's file."""
    blocks = re.findall(r"^```\n(spikeloom.*?)```", text, re.DOTALL | re.MULTILINE)
    (block,) = (block for block in blocks if f" {name}.py:" in block)
    return [shlex.split(line)[1:] for line in block.splitlines()]


def carried_out(example: Example, folder: Path) -> tuple[str, ...]:
    """Carry out an example's commands in a folder, and return its row of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    path = shutil.copy(FILES / f"{example.name}.py", folder)
    function, task = example.data
    splits = [load(f"{path}:{function}", split, task=task) for split in ("train", "test")]
    found: dict[str, Any] = {"plain": example.plain(*splits)}
    for command in commands_of(example.name, PAGE.read_text(encoding="utf-8")):
        print(f"spikeloom {shlex.join(command)}", flush=True)
        read = command[0] in READ
        done = subprocess.run(
            [sys.executable, "-m", "spikeloom.sw.cli", *command, *(["--json"] if read else [])],
            cwd=folder,
            check=True,
            stdout=subprocess.PIPE if read else None,
        )
        if read:
            found[command[0]] = json.loads(done.stdout)
    return row_of(example, found)


def row_of(example: Example, found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of an example.

    Parameters
    ----------
    example : Example
    found : mapping
        Score of the "plain" method, and the JSON of the commands "train", "run" and "cosim".
    """
    accuracy, cosim = found["train"]["accuracy"], found["cosim"]

    def text(score: float) -> str:
        return f"{score:.2%}".replace("%", " %") if example.score == "accuracy" else f"{score:.4f}"

    return (
        example.name,
        example.score,
        f"{text(found['plain'])}, {example.method}",
        text(accuracy["float"]),
        text(accuracy["quantized"]),
        text(found["run"]["accuracy"]),
        text(cosim["accuracy"]),
        f"{cosim['compared']:,}",
        f"{cosim['differing']:,}",
        f"{cosim['cycles_per_image']:,.0f}",
    )


def write_code(path: Path = PAGE) -> None:
    """Write the examples' files into a page."""
    for example in EXAMPLES:
        code = (FILES / f"{example.name}.py").read_text(encoding="utf-8")
        page.replace(path, example.name, f"```python\n{code}```")


def main() -> None:
    """Run every example, and write the page."""
    parser = argparse.ArgumentParser(description="Run docs/examples.md, and write its table.")
    parser.add_argument("--folder", type=Path, default=Path("build/examples"))
    folder = parser.parse_args().folder
    rows = [carried_out(example, folder) for example in EXAMPLES]
    page.replace(PAGE, "results", page.table(HEADER, rows))
    write_code()


if __name__ == "__main__":
    main()
