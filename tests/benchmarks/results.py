"""Write the tables of docs/results.md anew from the recipes: ``make results DATA=folder``.

A training whose record has the present recipe is not repeated, unless you remove its folder from
``docs/results``. Trainings lie in ``build/results``, and resume where they were interrupted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.rows import ROWS, Row
from spikeloom.hw.prediction import MEASURES
from spikeloom.sw.cli.networks import FOLDER as PRETRAINED
from spikeloom.sw.files import write_text
from spikeloom.sw.training.recipe import Recipe, recipe_of
from spikeloom.sw.training.result import NETWORK
from spikeloom.sw.training.run import run

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results.md"
#: The records, a folder per training: the recipe with all defaults, the result, the log.
RECORDS = ROOT / "docs" / "results"
WORK = ROOT / "build" / "results"
#: The files of a record.
LOG = "log.jsonl"
FILES = ("recipe.toml", "result.json", LOG)

HEADER = (
    "row",
    "data",
    "net",
    "neuron",
    "weight bits",
    "T per layer",
    "#average T",
    "#float ANN",
    "#quantized ANN",
    "#integer network",
    "#seeds",
    "#labels that differ",
    "reference",
)
SEEDS_HEADER = (
    "row",
    "#seed",
    "#average T",
    "#float ANN",
    "#quantized ANN",
    "#integer network",
    "digest of the network",
)


@dataclass(frozen=True)
class Record:
    """The record of one training in docs/results."""

    row: Row
    seed: int
    result: dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train all rows that lack a record, and write the page from all records."""
    parser = argparse.ArgumentParser(prog="make results", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with mnist/, cifar10/ and so on")
    parser.add_argument("--only", nargs="*", default=[], metavar="ROW", help="rows to train")
    parser.add_argument("--seeds", nargs="*", type=int, metavar="N", help="seeds to train")
    parser.add_argument("--page", action="store_true", help="train nothing, write the page")
    chosen = parser.parse_args(arguments)
    for row in ROWS:
        for seed in row.seeds:
            wanted = not chosen.page and (not chosen.only or row.name in chosen.only)
            if wanted and (chosen.seeds is None or seed in chosen.seeds):
                measure(row, seed, chosen.data)
    write_page()


def measure(row: Row, seed: int, data: Path | None) -> None:
    """Train a row with one seed, unless there is a record of it or its data set is missing."""
    recipe = recipe_of(row.table(seed))
    if recorded(row, seed, recipe) is not None:
        return
    name = recipe.data.name
    if name != "digits" and data is None:
        print(f"{row.name}, seed {seed}: not run, since --data is not given")
        return
    folder = WORK / f"{row.name}-{seed}"
    result = run(recipe, folder, data_root=data, cycles=MEASURES)
    assert result is not None, "there is one process"
    print(f"{row.name}, seed {seed}: {result.integer_accuracy:.2%}", flush=True)
    keep(row, seed, folder)


def keep(row: Row, seed: int, folder: Path) -> None:
    """Copy the record, and for the first seed the network, to the folders that are committed."""
    place = _place(row, seed)
    place.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if name != LOG:
            shutil.copy(folder / name, place / name)
    # Leave out the health of layers, which is most of the log.
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    kept = [{k: v for k, v in json.loads(x).items() if k != "health"} for x in lines]
    write_text(place / LOG, "".join(json.dumps(record) + "\n" for record in kept))
    if row.network and seed == row.seeds[0]:
        PRETRAINED.mkdir(exist_ok=True)
        shutil.copy(folder / NETWORK, PRETRAINED / f"{row.name}.safetensors")


def recorded(row: Row, seed: int, recipe: Recipe) -> Record | None:
    """Return the record of a training; None if there is none, or if its recipe has changed."""
    place = _place(row, seed)
    if not all((place / name).is_file() for name in FILES):
        return None
    if (place / "recipe.toml").read_text(encoding="utf-8") != recipe.to_toml():
        return None
    return Record(row, seed, json.loads((place / "result.json").read_text(encoding="utf-8")))


def records(row: Row) -> list[Record]:
    """Return all records of a row."""
    found = (recorded(row, seed, recipe_of(row.table(seed))) for seed in row.seeds)
    return [record for record in found if record is not None]


def write_page() -> None:
    """Write the tables into the page, from the records."""
    content = PAGE.read_text(encoding="utf-8")
    for name, text in tables().items():
        before, _, after = page.parts(content, name)
        content = f"{before}\n{text}\n{after}"
    write_text(PAGE, content)


def tables() -> dict[str, str]:
    """Return the tables of the page, by their marks."""
    groups = list(dict.fromkeys(row.group for row in ROWS))
    found = {
        group: page.table(HEADER, [line(row) for row in ROWS if row.group == group])
        for group in groups
    }
    found["seeds"] = page.table(
        SEEDS_HEADER, [seed_line(record) for row in ROWS for record in records(row)]
    )
    return found


def line(row: Row) -> tuple[str, ...]:
    """Return the cells of a row: means over its seeds, with the smallest and the largest value."""
    recipe = recipe_of(row.table(row.seeds[0]))
    found = [record.result for record in records(row)]
    head = (row.name, recipe.data.name, recipe.model.name)
    if not found:
        return (*head, *["-"] * 6, "not run", "0", "-", row.reference)
    first = found[0]
    steps = dict.fromkeys(_several(result["timesteps"]) for result in found)
    return (
        *head,
        _several(first["neurons"]),
        _several(first["weight_bits"]),
        "; ".join(steps),
        _mean(found, lambda result: result["average_timesteps"], ""),
        _mean(found, lambda result: result["float_accuracy"], "%"),
        _mean(found, lambda result: result["quantized_accuracy"], "%"),
        _mean(found, lambda result: result["integer_accuracy"], "%"),
        str(len(found)),
        ", ".join(str(result[_differing(result)]) for result in found),
        row.reference,
    )


def seed_line(record: Record) -> tuple[str, ...]:
    """Return the cells of one training."""
    result = record.result
    accuracies = (result[f"{model}_accuracy"] for model in ("float", "quantized", "integer"))
    return (
        record.row.name,
        str(record.seed),
        f"{result['average_timesteps']:.2f}",
        *("-" if share is None else f"{share:.2%}".replace("%", " %") for share in accuracies),
        f"`{result['network'][:16]}`",
    )


def _differing(result: dict[str, Any]) -> str:
    """Return the key of the differing labels: a network trained through time has its own."""
    timed = result["differing_spiking_labels"] is not None
    return "differing_spiking_labels" if timed else "differing_labels"


def _mean(
    results: Sequence[dict[str, Any]], figure: Callable[[dict[str, Any]], float | None], unit: str
) -> str:
    """Return the mean of a figure over the seeds, with the smallest and the largest value."""
    values = [value for value in map(figure, results) if value is not None]
    if not values:
        return "-"
    scaled = [100 * value if unit else value for value in values]
    text = f"{statistics.fmean(scaled):.2f}"
    if len(set(scaled)) > 1:
        text += f" ({min(scaled):.2f} to {max(scaled):.2f})"
    return text


def _several(values: dict[str, Any]) -> str:
    """Return the values of all layers, or the single value that they share."""
    texts = [str(value) for value in values.values()]
    return texts[0] if len(set(texts)) == 1 else ", ".join(texts)


def _place(row: Row, seed: int) -> Path:
    return RECORDS / f"{row.name}-{seed}"


if __name__ == "__main__":
    main()
