"""The section on a sweep: its tables and charts have the figures of the file."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from support import report as example

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.report import Run, read_folder
from spikeloom.sw.report.beside import key_figures
from spikeloom.sw.report.of_sweep import SweepSection
from spikeloom.sw.report.page import page
from spikeloom.sw.report.parts import Chart, Fold, Note, Table

VALUES = ("levels.timesteps", "levels.weight_bits", "conversion.neuron")


def read(folder: Path, content: Any) -> Run:
    example.write(folder / "sweep.json", content)
    run = Run(str(folder))
    read_folder(folder, run)
    return run


def tables(run: Run) -> dict[str, Table]:
    """Return the tables of the section by their captions, those that are folded away included."""
    found: dict[str, Table] = {}
    for part in SweepSection().parts(run, 0):
        for inner in part.parts if isinstance(part, Fold) else [part]:
            if isinstance(inner, Table):
                found[inner.caption] = inner
    return found


def sources(chart: Chart) -> list[dict[str, list[Any]]]:
    """Return the points of a chart: those off the front, those of it, and their names."""
    return [dict(renderer.data_source.data) for renderer in chart.model.renderers]


def test_the_front_has_objectives_values_and_networks(tmp_path: Path) -> None:
    found = tables(read(tmp_path, example.sweep()))
    assert list(found) == ["Pareto front", "Complete trials", "Trials that failed"]
    front = found["Pareto front"]
    assert [column.title for column in front.columns] == [
        *("trial", "accuracy", "cycles/image", "LUTs", "test accuracy", *VALUES, "network"),
    ]
    network = "runs/sweep/front/000{}/network.safetensors"
    assert front.rows == [
        [1, 0.9375, 2400.25, 1500.0, 0.875, 4, 8, "ladder", network.format(1)],
        [0, 0.75, 120.5, 900.0, 0.6875, 2, 4, "if", network.format(0)],
    ]
    shown = [x.text(value) for x, value in zip(front.columns, front.rows[0], strict=True)]
    assert shown[:5] == ["1", "93.75 %", "2,400.2", "1,500.0", "87.50 %"]


def test_all_trials_are_there_and_those_that_failed_say_why(tmp_path: Path) -> None:
    found = tables(read(tmp_path, example.sweep()))
    every = found["Complete trials"]
    assert [row[:3] for row in every.rows] == [
        *([0, True, 0.75], [1, True, 0.9375], [3, False, 0.75], [4, False, 0.5]),
    ]
    assert [row[-1] for row in every.rows] == [None, None, 0, None]
    assert [column.title for column in every.columns][2:6] == [
        *("accuracy", "cycles/image", "LUTs", "mean T"),
    ]
    assert found["Trials that failed"].rows == [
        [2, "failed", "weight bits must be from 2 to 16, not 20", 4, 20, "if"]
    ]


def test_each_objective_is_drawn_against_the_first(tmp_path: Path) -> None:
    parts = SweepSection().parts(read(tmp_path, example.sweep()), 0)
    drawn = [part for part in parts if isinstance(part, Chart)]
    assert [chart.title for chart in drawn] == [
        *("accuracy against cycles/image", "accuracy against LUTs"),
    ]
    assert all(
        chart.about == "2 of 4 trials are of the front: the table has them" for chart in drawn
    )
    others, front, names = sources(drawn[0])
    assert others == {"name": ["3", "4"], "x": [120.5, 2500.0], "y": [0.75, 0.5]}
    assert front == {"name": ["0", "1"], "x": [120.5, 2400.25], "y": [0.75, 0.9375]}
    assert names == front
    assert sources(drawn[1])[1]["x"] == [900.0, 1500.0]
    # Cycles differ by more than a factor of ten, look-up tables do not.
    scales = [type(chart.model.x_scale).__name__ for chart in drawn]
    assert scales == ["LogScale", "LinearScale"]


def test_one_objective_is_drawn_against_the_number_of_the_trial(tmp_path: Path) -> None:
    content = example.sweep() | {"objectives": ["cycles"], "front": [{"number": 0, "network": "x"}]}
    del content["measures"]
    run = read(tmp_path, content)
    (chart,) = [part for part in SweepSection().parts(run, 0) if isinstance(part, Chart)]
    assert chart.title == "cycles against trial"
    assert sources(chart)[0]["x"] == [1, 3, 4]
    assert key_figures(run)["best cycles"] == 120.5


def test_notes_count_trials_and_name_the_next_command(tmp_path: Path) -> None:
    parts = SweepSection().parts(read(tmp_path, example.sweep()), 0)
    assert [part.text for part in parts if isinstance(part, Note)] == [
        "Recipe digits-conv: 5 trials, 4 complete, 1 failed. With the values of an earlier one, "
        "whose figures they have: 1. Workers lost in the last call: 1; "
        "their trials were run again.",
        "A report of one point has its layers, clock cycles and spikes: spikeloom report "
        "runs/sweep/front/0001",
    ]


def test_key_figures_have_the_best_of_each_objective(tmp_path: Path) -> None:
    assert key_figures(read(tmp_path, example.sweep())) == {
        "trials": 5,
        "trials that failed": 1,
        "points of the front": 2,
        "best accuracy": 0.9375,
        "best cycles/image": 120.5,
        "best LUTs": 900.0,
    }


def test_the_page_has_the_figures_of_the_file(tmp_path: Path) -> None:
    text = page([read(tmp_path, example.sweep())])
    (content,) = example.embedded(text)["runs"]
    assert content["sweep"] == example.sweep()
    assert content["files"] == {"sweep.json": "sweep"}
    (table,) = re.findall(r"<caption>Pareto front</caption>.*?</table>", text, re.DOTALL)
    cells = [json.loads(html.unescape(x)) for x in re.findall(r'data-value="([^"]*)"', table)]
    assert cells[:5] == [1, 0.9375, 2400.25, 1500.0, 0.875]
    assert len(cells) == 18
    # Each column can be sorted, and each chart has its words.
    assert table.count('class="sort"') == 9
    assert 'aria-label="accuracy against LUTs. 2 of 4 trials are of the front' in text
    assert len(example.embedded(text, "charts")) == 2


def test_a_sweep_without_a_complete_trial(tmp_path: Path) -> None:
    trial = example.sweep()["trials"][2] | {"number": 0}
    content = example.sweep() | {"trials": [trial], "front": [], "complete": 0}
    run = read(tmp_path, content)
    assert key_figures(run) == {"trials": 1, "trials that failed": 1, "points of the front": 0}
    assert next(table.rows for table in tables(run).values()) == []
    assert example.embedded(page([run]), "charts") == {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "is a sweep in version 2, and this Spikeloom reads version 1: update"),
        ({"objectives": []}, "'objectives': names are expected, each once"),
        ({"objectives": ["luts", "luts"]}, "'objectives': names are expected, each once"),
        ({"objectives": ["energy"]}, "'trials', entry 0 is complete, but lacks 'energy'"),
        ({"front": [{"number": 2, "network": "x"}]}, "'front': 2 is no complete trial"),
        ({"front": [{"number": -1, "network": "x"}]}, "'front': -1 is no complete trial"),
        ({"front": [{"number": 5, "network": "x"}]}, "'front': 5 is no complete trial"),
        ({"trials": example.sweep()["trials"][1:]}, "'trials', entry 0 has the number 1: write"),
        ({"trials": [{}]}, "'trials', entry 0 lacks 'number': write it again"),
    ],
)
def test_damage_is_told(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError) as found:
        read(tmp_path, example.sweep() | change)
    assert str(found.value).startswith(str(tmp_path / "sweep.json"))
    assert told in str(found.value)


def test_names_of_parameters_do_not_break_out(tmp_path: Path) -> None:
    content = example.sweep()
    for trial in content["trials"]:
        trial["values"] = {example.HOSTILE: [1, example.HOSTILE]}
    content["front"][0]["network"] = example.HOSTILE
    text = page([read(tmp_path, content)])
    assert example.embedded(text)["runs"][0]["sweep"] == content
    assert "<img src=x" not in text
