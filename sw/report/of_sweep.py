"""The section on a sweep: its Pareto front, all trials, and why some of them have failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spikeloom.sw.report import charts
from spikeloom.sw.report.parts import Chart, Column, Fold, Note, Share, Table
from spikeloom.sw.report.run import Json, Run
from spikeloom.sw.report.section import Section

_TRIAL = Column("trial")
_ACCURACY = "accuracy"
_TESTED = Column("test accuracy", "share")


class SweepSection(Section, kind="sweep"):
    """Trials of a sweep by their objectives."""

    title = "Sweep"
    about = (
        "Each trial is a training with other values. The Pareto front has those trials of which "
        "none is better in all objectives than another."
    )

    def parts(self, run: Run, number: int) -> list[Any]:
        content = run.sweep
        if content is None:
            return []
        trials = {trial["number"]: trial for trial in content["trials"]}
        complete = [trial for trial in trials.values() if trial["state"] == "complete"]
        front = [trials[point["number"]] for point in content["front"]]
        found: list[Any] = [*_charts(content, complete, front), _front(content, front)]
        text = f"Recipe {content['recipe']}: {len(trials):,} trials, {len(complete):,} complete, "
        text += f"{content['failed']:,} failed."
        repeated = sum(trial["same_as"] is not None for trial in trials.values())
        if repeated:
            text += f" With the values of an earlier one, whose figures they have: {repeated:,}."
        if content["lost_workers"]:
            lost = content["lost_workers"]
            text += f" Workers lost in the last call: {lost:,}; their trials were run again."
        found.append(Note(text))
        if front:
            text = "A report of one point has its layers, clock cycles and spikes: "
            folder = content["front"][0]["network"].rpartition("/")[0] or "."
            found.append(Note(f"{text}spikeloom report {folder}"))
        if complete:
            found.append(Fold("All complete trials", [_all(content, complete)]))
        others = [trial for trial in trials.values() if trial["state"] != "complete"]
        if others:
            found.append(_failed(content, others))
        return found


def best(run: Run) -> dict[str, Any]:
    """Return what a sweep is judged by: numbers of trials, and the best of each objective."""
    content = run.sweep
    if content is None:
        return {}
    found: dict[str, Any] = {
        "trials": len(content["trials"]),
        "trials that failed": content["failed"],
        "points of the front": len(content["front"]),
    }
    front = [content["trials"][point["number"]] for point in content["front"]]
    for name in content["objectives"] if front else ():
        values = [trial["figures"][name] for trial in front]
        value = max(values) if _larger(content, name) else min(values)
        found[f"best {_title(content, name)}"] = Share(value) if name == _ACCURACY else value
    return found


def _title(content: Json, name: str) -> str:
    return str((content.get("measures") or {}).get(name, {}).get("title", name))


def _larger(content: Json, name: str) -> bool:
    known = (content.get("measures") or {}).get(name)
    return name == _ACCURACY if known is None else known["better"] == "larger"


def _column(content: Json, name: str) -> Column:
    return Column(_title(content, name), "share" if name == _ACCURACY else "number")


def _parameters(trials: list[Json]) -> list[str]:
    return list(dict.fromkeys(name for trial in trials for name in trial["values"]))


def _values(trial: Json, parameters: list[str]) -> list[Any]:
    return [trial["values"].get(name) for name in parameters]


def _charts(content: Json, complete: list[Json], front: list[Json]) -> Iterator[Chart]:
    """Yield charts of the first objective against each of the others, or against the number."""
    if not complete:
        return
    first, *others = content["objectives"]
    up = _title(content, first)
    numbers = {trial["number"] for trial in front}
    for other in others or (None,):
        across = "trial" if other is None else _title(content, other)
        places = [
            (x["number"] if other is None else x["figures"][other], x["figures"][first])
            for x in complete
        ]
        title = f"{up} against {across}"
        model = charts.front(
            title,
            [str(trial["number"]) for trial in complete],
            places,
            [trial["number"] in numbers for trial in complete],
            across,
            up,
        )
        about = f"{len(front):,} of {len(complete):,} trials are of the front: the table has them"
        yield Chart(title, about, model)


def _front(content: Json, front: list[Json]) -> Table:
    objectives, parameters = content["objectives"], _parameters(front)
    networks = [point["network"] for point in content["front"]]
    columns = [
        _TRIAL,
        *(_column(content, name) for name in objectives),
        _TESTED,
        *map(Column, parameters),
        Column("network", "text"),
    ]
    rows = [
        [
            trial["number"],
            *(trial["figures"][name] for name in objectives),
            trial["test_accuracy"],
            *_values(trial, parameters),
            network,
        ]
        for trial, network in zip(front, networks, strict=True)
    ]
    return Table("Pareto front", columns, rows)


def _all(content: Json, complete: list[Json]) -> Table:
    parameters = _parameters(complete)
    names = list(dict.fromkeys(name for trial in complete for name in trial["figures"]))
    front = {point["number"] for point in content["front"]}
    columns = [
        _TRIAL,
        Column("front", "text"),
        *(_column(content, name) for name in names),
        *map(Column, parameters),
        Column("same as"),
    ]
    rows = [
        [
            trial["number"],
            trial["number"] in front,
            *(trial["figures"].get(name) for name in names),
            *_values(trial, parameters),
            trial["same_as"],
        ]
        for trial in complete
    ]
    return Table("Complete trials", columns, rows)


def _failed(content: Json, others: list[Json]) -> Table:
    parameters = _parameters(others)
    columns = [
        _TRIAL,
        Column("state", "text"),
        Column("reason", "text"),
        *map(Column, parameters),
    ]
    rows = [
        [trial["number"], trial["state"], trial["reason"], *_values(trial, parameters)]
        for trial in others
    ]
    return Table("Trials that failed", columns, rows)
