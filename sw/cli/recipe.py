"""Training by a recipe: the part of ``spikeloom train`` that is for recipes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from spikeloom.sw import recipes
from spikeloom.sw.cli.common import ZOO, table
from spikeloom.sw.cli.output import bars, console, print_json, say, say_report
from spikeloom.sw.cli.scores import score_text, show_report
from spikeloom.sw.errors import ConfigError

if TYPE_CHECKING:
    from spikeloom.sw.training.result import Result

#: Parameters that can be given with a recipe; the recipe itself has all others.
WITH_RECIPES = ("target", "out", "data_root", "weights", "seed", "threads", "as_json")


def list_recipes(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the recipes that come with Spikeloom, and exit."""
    if not wanted or ctx.resilient_parsing:
        return
    import tomllib

    listing = table("recipe", "about")
    for name in recipes.committed():
        about = tomllib.loads(recipes.find(name).read_text(encoding="utf-8"))["about"]
        listing.add_row(name, escape(about))
    console().print(listing)
    ctx.exit()


def is_recipe(target: str) -> bool:
    """Return whether ``target`` is a recipe; a name that the zoo has, too, is a model's."""
    ours = target not in ZOO and target in recipes.committed()
    return target.endswith(recipes.SUFFIX) or ours


def train_by_recipe(target: str, out: Path, given: dict[str, Any]) -> None:
    """Train by a recipe, into the folder ``out``, with the options that are given."""
    wrong = sorted(given.keys() - set(WITH_RECIPES))
    if wrong:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in wrong)
        raise ConfigError(f"{names} cannot be given beside a recipe: write it into a recipe")
    if out.is_file():
        raise ConfigError(f"--out {out} is a file: a recipe writes into a folder")

    from dataclasses import replace

    from spikeloom.hw.prediction import MEASURES
    from spikeloom.sw.training import recipe
    from spikeloom.sw.training.run import run

    path = recipes.find(target)
    weights = given.get("weights")
    # The path in full, so that the file is not looked for in other places.
    chosen = recipe.load(path, None if weights is None else str(weights.resolve()))
    if "seed" in given:
        chosen = replace(chosen, seed=given["seed"])
    if "threads" in given:
        chosen = replace(chosen, engine=replace(chosen.engine, threads=given["threads"]))
    with bars() as progress:
        result = run(
            chosen,
            out,
            data_root=given.get("data_root"),
            beside=path.parent,
            cycles=MEASURES,
            progress=progress,
            say=lambda text: progress.console.print(text, markup=False),
        )
    if result is not None:
        if given.get("as_json"):
            print_json(_summary(result, out))
        _show(result, out)


def _summary(result: Result, out: Path) -> dict[str, Any]:
    """Return the JSON of a training by recipe."""
    return {
        "data": result.data,
        "images": result.images,
        "accuracy": {
            "float": result.float_accuracy,
            "quantized": result.quantized_accuracy,
            "spiking": result.spiking_accuracy,
            "integer": result.integer_accuracy,
        },
        "differing_labels": result.differing_labels,
        "differing_spiking_labels": result.differing_spiking_labels,
        "timesteps": result.timesteps,
        "average_timesteps": result.average_timesteps,
        "out": str(out),
    }


def _show(result: Result, out: Path) -> None:
    from spikeloom.sw.tasks import Task

    task = Task.kinds[result.task]
    accuracies = table(f"{result.images} test images of {result.data}", f"#{task.figure}")
    for model, share in (
        ("float ANN", result.float_accuracy),
        ("quantized ANN", result.quantized_accuracy),
        ("spiking network", result.spiking_accuracy),
        ("integer network", result.integer_accuracy),
    ):
        if share is not None:
            accuracies.add_row(model, score_text(share, task))
    console().print(accuracies)
    show_report(result.report)
    what = "values" if result.task == "values" else "labels"
    say(f"{result.differing_labels} {what} of the integer network differ from the quantized ANN's")
    if result.differing_spiking_labels is not None:
        say(
            f"{result.differing_spiking_labels} {what} of the integer network differ from the "
            f"spiking network's"
        )
    say(f"average T = {result.average_timesteps:.2f}: {_by_layer(result.timesteps)}")
    say(f"wrote {out}")
    say_report(out)


def _by_layer(values: dict[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())
