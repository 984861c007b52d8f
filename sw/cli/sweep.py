"""``spikeloom sweep``: many trainings with other values, for accuracy against cycles and area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from spikeloom.sw.cli.common import data_root_option, table
from spikeloom.sw.cli.output import bars, console, json_option, print_json, say
from spikeloom.sw.cli.outputs import Output
from spikeloom.sw.errors import ConfigError

if TYPE_CHECKING:
    from spikeloom.sw.sweep import Sweep

#: Failed trials whose reasons are printed; `sweep.json` has all.
_SHOWN = 10


@click.command()
@click.argument("space_file", metavar="SPACE", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=Output(folder=True),
    help="Folder of the study. One that holds a study of the same space is gone on with.",
)
@click.option(
    "--trials",
    type=click.IntRange(1),
    metavar="N",
    help="Trials of the whole study, those of earlier calls included, in place of the file's.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Processes on this computer that carry out trials.  [default: 1]",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Carry out trials on the Dask cluster whose scheduler has this address, as in "
    "tcp://10.0.0.5:8786: one at a time on each worker.",
)
@data_root_option("Folder with the original files of the recipe's data.")
@json_option
def command(
    space_file: Path,
    out: Path,
    trials: int | None,
    workers: int | None,
    dask: str | None,
    data_root: Path | None,
    as_json: bool,
) -> None:
    """Train by a recipe many times, each with other values, and keep the best networks.

    SPACE is a TOML file that says what is varied, within which limits, and by which objectives
    networks are compared: accuracy, clock cycles, look-up tables, block RAMs, energy. Optuna
    chooses the values (docs/sweep.md).

    The result is the Pareto front: the networks of which none is better in all objectives than
    another. They lie in OUT/front, ready for the other commands; OUT/front.png is a picture of
    them, and `spikeloom report OUT` shows all trials in the browser. A sweep that was interrupted
    goes on by the same command, and a worker that is killed loses nothing but the time since its
    training's last epoch.

    \b
        spikeloom sweep space.toml --out runs/sweep --workers 2
        spikeloom sweep space.toml --out runs/sweep --workers 2 --trials 200   # goes on
        spikeloom sweep space.toml --out runs/sweep --dask tcp://10.0.0.5:8786
        spikeloom build runs/sweep/front/0017/network.safetensors --board ulx3s-85f \\
            --plan runs/sweep/front/0017/plan.json --out build/board
    """
    if dask is not None and workers is not None:
        raise ConfigError("--workers are of this computer, and --dask has its own: give one")

    from spikeloom.sw.sweep import load, require_optuna, sweep

    require_optuna()
    space = load(space_file)
    if trials is not None:
        space = replace(space, trials=trials)
    with bars() as progress:

        def go(crew: Any) -> Sweep:
            return sweep(space, out, crew=crew, data_root=data_root, progress=progress)

        if dask is None:
            found = go(workers or 1)
        else:
            from spikeloom.sw.sweep.cluster import DaskCrew

            with DaskCrew(dask) as crew:
                found = go(crew)
    if as_json:
        print_json(found.content())
    _show(found)


def _show(found: Sweep) -> None:
    """Print the front, and why trials have failed."""
    from spikeloom.sw.sweep import OBJECTIVES
    from spikeloom.sw.sweep.front import name_of
    from spikeloom.sw.sweep.study import shown_values

    failed = [point for point in found.points if point.state == "failed"]
    complete = sum(point.state == "complete" for point in found.points)
    repeated = sum(point.same_as is not None for point in found.points)
    text = f"{len(found.points)} trials: {complete} complete, {len(failed)} failed"
    if repeated:
        text += f"; {repeated} had the values of an earlier one, whose figures they have"
    say(text)
    if found.lost:
        say(f"{found.lost} workers were lost; their trials were run again")
    names, parameters = found.space.objectives, list(shown_values(found.front))
    short = _short(parameters)
    front = table(
        "trial",
        *(f"#{OBJECTIVES[name].title}" for name in names),
        "#test accuracy",
        "values",
    )
    for point in found.front:
        tested = point.test_accuracy
        front.add_row(
            name_of(point.number),
            *(OBJECTIVES[name].text(point.figures[name]) for name in names),
            "-" if tested is None else OBJECTIVES["accuracy"].text(tested),
            escape(" ".join(f"{short[x]}={_value(point.values[x])}" for x in parameters)),
        )
    if found.front:
        say(f"none of these {len(found.front)} is better in all objectives than another:")
        console().print(front)
    for point in failed[:_SHOWN]:
        say(f"trial {name_of(point.number)} failed: {point.reason}")
    if len(failed) > _SHOWN:
        say(
            f"and {len(failed) - _SHOWN} others: their reasons are in {found.folder / 'sweep.json'}"
        )
    say(f"wrote {found.folder / 'front'}, front.png and sweep.json beside it")
    if found.front:
        best = found.folder / "front" / name_of(found.front[0].number)
        say(f"look at all of them: spikeloom report {found.folder}")
        say(f"look at one: spikeloom report {best}")


def _short(names: list[str]) -> Mapping[str, str]:
    """Return the last parts of names, as many as tell each from the others."""
    found = {}
    for name in names:
        parts = name.split(".")
        for number in range(1, len(parts) + 1):
            found[name] = ".".join(parts[-number:])
            if sum(f".{x}".endswith(f".{found[name]}") for x in names) == 1:
                break
    return found


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
