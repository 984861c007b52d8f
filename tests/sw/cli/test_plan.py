"""``spikeloom plan``, and the commands that take its file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.networks.examples import everything

from spikeloom.sw.cli import main
from spikeloom.sw.network import save
from spikeloom.sw.report import Run, add_figures


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(everything(), tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_a_plan_is_found_drawn_and_taken(path: Path, tmp_path: Path) -> None:
    made, picture = tmp_path / "plan.json", tmp_path / "front.png"
    shape = everything().input.image_shape
    np.save(tmp_path / "images.npy", np.ones((2, *shape), np.int64))
    result = run(
        *("plan", path, "--board", "ulx3s-85f", "--images", tmp_path / "images.npy"),
        *("--out", made, "--pareto", picture, "--json"),
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    (tmp_path / "figures.json").write_text(result.stdout)
    shown = Run("some")
    for file in ("figures.json", "plan.json"):
        add_figures(tmp_path / file, shown, required=True)
    assert (shown.plan, shown.choices) == (found, json.loads(made.read_text()))
    assert found["images"] == 2
    assert found["board"] == "ulx3s-85f"
    assert found["images_per_second"] == pytest.approx(25e6 / found["cycles"])
    assert found["luts"] >= sum(layer["luts"] for layer in found["layers"])
    assert min(point["luts"] for point in found["front"]) < found["luts"]
    assert picture.read_bytes().startswith(b"\x89PNG")

    verilog = tmp_path / "net.v"
    assert run("generate", path, "--plan", made, "--out", verilog).exit_code == 0
    sidecar = json.loads(verilog.with_suffix(".json").read_text())
    assert [(layer["lanes"], layer["events"]) for layer in sidecar["layers"]] == [
        (layer["lanes"], layer["events"]) for layer in found["layers"]
    ]


def test_tables_name_the_source_and_the_slowest_layer(path: Path) -> None:
    result = run("plan", path, "--max-luts", "6000", "--clock", "50")
    assert result.exit_code == 0, result.output
    assert "no images, but typical densities" in result.output
    assert "images per second at 50 MHz" in result.output
    assert "of the budget; the slowest layer is" in result.output
    assert "one more step" in result.output or "no more hardware" in result.output


def test_a_goal_in_images_per_second_is_one_in_cycles(path: Path) -> None:
    limits = ("plan", path, "--max-luts", "9000", "--json")
    pace = json.loads(run(*limits, "--clock", "10", "--fps", "1000").stdout)
    cycles = json.loads(run(*limits, "--clock", "10", "--cycles", "10000").stdout)
    assert pace == cycles
    assert cycles["cycles"] <= 10_000


def test_counters_take_some_of_a_boards_room(path: Path) -> None:
    board = ("plan", path, "--board", "tang-nano-9k", "--cycles", "100000", "--json")
    with_them = json.loads(run(*board).stdout)
    without = json.loads(run(*board, "--no-counters").stdout)
    assert without["luts"] < with_them["luts"]
    assert without["flipflops"] < with_them["flipflops"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "how much room is there? Give --board, --max-luts or --max-rams"),
        (("--max-luts", "10"), "does not fit on the budget: its smallest design takes about"),
        (("--max-luts", "10"), "The smallest of our boards that has room is"),
        (("--max-luts", "9000", "--cycles", "1"), "does not reach 1 clock cycles per image"),
        (
            ("--max-luts", "9000", "--out", "x.png", "--pareto", "x.png"),
            "--out and --pareto are the same file, x.png: give each its own",
        ),
        (("--max-luts", "9000", "--fps", "1"), "--fps depends on the clock"),
        (("--max-luts", "9000", "--fps", "1", "--cycles", "1"), "give one of them"),
        (("--max-luts", "9000", "--no-counters"), "counters are part of a board's design: add"),
        (("--max-luts", "9000", "--limit", "1"), "--data-root and --limit are for --data"),
    ],
)
def test_messages(path: Path, arguments: tuple[str, ...], expected: str) -> None:
    result = run("plan", path, *arguments)
    assert result.exit_code == 2
    assert expected in result.output
