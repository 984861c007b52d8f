"""``spikeloom cosim`` of networks with a task: the score of the hardware, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from spikeloom.hw.verilog import generate
from spikeloom.sim.divergence import Tally
from spikeloom.sim.report import CosimReport
from spikeloom.sw.cli import main
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Connection, DirectInput, Layer, Linear, Logits, Network, save
from spikeloom.sw.report import Run, add_figures


def network(size: int, task: dict[str, Any] | None) -> Network:
    """Return a network whose logits are its pixels less 8."""
    logits = Logits(np.full(size, -8), fraction_bits=0)
    connection = Connection("input", "count", Linear(np.eye(size, dtype=np.int64)))
    about = {} if task is None else {"task": task}
    layers = (Layer("out", 1, logits, (connection,)),)
    return Network(DirectInput((size,), bits=4), layers, name="less", about=about)


@pytest.fixture
def chosen() -> list[dict[str, Any]]:
    """Options that the simulator was given."""
    return []


@pytest.fixture(autouse=True)
def simulated(chosen: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Put the golden model in place of the simulator; return the labels that it was given."""
    given = []

    def cosimulate(network: Network, images: Any, *, labels: Any, **options: Any) -> CosimReport:
        given.append(labels)
        chosen.append({name: options[name] for name in ("engine", "jobs")})
        found = Golden(network).run(images)
        return CosimReport(
            images=len(images),
            layers=(),
            output={"logits": Tally(found.logits.numel(), 0)},
            logits=found.logits.numpy(),
            labels=found.labels.numpy(),
            counts={},
            accuracy=None if labels is None else float(np.mean(found.labels.numpy() == labels)),
            cycles=100,
            latency=10,
            interval=30.0,
            broken=0,
            stuck=None,
            divergence=None,
            stalls=(0.0, 0.0),
            seed=0,
        )

    monkeypatch.setattr("spikeloom.sim.cosim.cosimulate", cosimulate)
    return given


def cosim(folder: Path, net: Network, pixels: Any, labels: Any = None, *options: Any) -> Result:
    """Save a network, images and labels, and call the command with them."""
    save(net, folder / "net.safetensors")
    np.save(folder / "images.npy", np.array(pixels).reshape(-1, *net.input.image_shape))
    chosen = [folder / "net.safetensors", "--images", folder / "images.npy", *options]
    if labels is not None:
        np.save(folder / "labels.npy", np.array(labels))
        chosen += ["--labels", folder / "labels.npy"]
    return CliRunner().invoke(main, ["cosim", *map(str, chosen)])


#: Task, pixels, labels, and the printed line with the score of the JSON.
CASES = {
    # One of eight labels is wrong: a logit above 0 says that it applies.
    "labels": (
        {"kind": "labels"},
        [[9, 0], [0, 0], [15, 15], [0, 8]],
        [[1, 0], [1, 0], [1, 1], [0, 0]],
        ("accuracy per label of the hardware: 87.50 %", 7 / 8),
    ),
    # The values are 0, 1, 2 and 3; the squares of the labels' distances from their mean add up to
    # 8.75, and those of the errors to 1.
    "values": (
        {"kind": "values", "factor": 0.5},
        [8, 10, 12, 14],
        [0.0, 1.0, 2.0, 4.0],
        ("R² of the hardware: 0.8857", 1 - 1 / 8.75),
    ),
    "sign": (
        {"kind": "classes"},
        [8, 9, 15, 9],
        [0, 1, 1, 0],
        ("accuracy of the hardware: 75.00 %", 3 / 4),
    ),
    "no task": (None, [[9, 0], [0, 1]], [0, 0], ("accuracy of the hardware: 50.00 %", 1 / 2)),
}


@pytest.mark.parametrize(("task", "pixels", "labels", "expected"), CASES.values(), ids=CASES)
def test_the_score_is_that_of_the_task(
    task: Any, pixels: Any, labels: Any, expected: tuple[str, float], tmp_path: Path
) -> None:
    net, (line, score) = network(np.array(pixels).size // len(pixels), task), expected
    report = tmp_path / "report.json"
    result = cosim(tmp_path, net, pixels, labels, "--report", report)
    assert result.exit_code == 0, result.output
    assert line in result.output.splitlines()
    assert json.loads(report.read_text())["accuracy"] == pytest.approx(score)
    printed = cosim(tmp_path, net, pixels, labels, "--json")
    assert json.loads(printed.stdout) == json.loads(report.read_text())
    shown = Run("some")
    add_figures(report, shown, required=True)
    assert shown.cosim == {"report.json": json.loads(report.read_text())}
    last = result.output.splitlines()[-1]
    assert last.startswith("see it in the browser: spikeloom report ")
    assert last.endswith(f" --add {report}")


@pytest.mark.parametrize(("task", "pixels"), [case[:2] for case in CASES.values()], ids=CASES)
def test_without_labels_there_is_no_score(task: Any, pixels: Any, tmp_path: Path) -> None:
    net = network(np.array(pixels).size // len(pixels), task)
    result = cosim(tmp_path, net, pixels)
    assert result.exit_code == 0, result.output
    assert "of the hardware" not in result.output
    printed = cosim(tmp_path, net, pixels, None, "--json")
    assert json.loads(printed.stdout)["accuracy"] is None


@pytest.mark.parametrize("kind", ["labels", "values"])
def test_labels_of_another_number_are_refused_before_the_simulation(
    kind: str, simulated: list[Any], tmp_path: Path
) -> None:
    task = {"kind": kind, "factor": 0.5} if kind == "values" else {"kind": kind}
    result = cosim(tmp_path, network(2, task), np.zeros((4, 2), int), np.zeros((4, 3)))
    assert result.exit_code == 2
    assert "there are 4 images, but labels of shape (4, 3), not (4, 2)" in result.output
    assert not simulated


def test_engine_and_jobs_reach_the_simulator(chosen: list[dict[str, Any]], tmp_path: Path) -> None:
    net, pixels = network(2, None), np.zeros((4, 2), int)
    for options in ((), ("--engine", "cocotb", "--jobs", "2", "--everything")):
        assert cosim(tmp_path, net, pixels, None, *options).exit_code == 0
    assert chosen == [{"engine": "native", "jobs": None}, {"engine": "cocotb", "jobs": 2}]


def test_everything_leaves_nothing_out(simulated: list[Any], tmp_path: Path) -> None:
    net, pixels = network(2, None), np.zeros((4, 2), int)
    result = cosim(tmp_path, net, pixels, None, "--everything", "--limit", "2")
    assert result.exit_code == 2
    assert "--everything is the whole test split: leave out --limit" in result.output
    generate(net).save(tmp_path / "net.v")
    verilog = str(tmp_path / "net.v")
    assert cosim(tmp_path, net, pixels, None, "--verilog", verilog).exit_code == 0
    assert len(simulated) == 1
    result = cosim(tmp_path, net, pixels, None, "--everything", "--verilog", verilog)
    assert result.exit_code == 2
    assert "net.v with --debug" in result.output
    assert len(simulated) == 1


def test_waves_are_of_one_image(
    chosen: list[dict[str, Any]], simulated: list[Any], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    made: list[Path] = []

    def traced(file: Path) -> str:
        made.append(file)
        return "traced"

    monkeypatch.setattr("spikeloom.sim.waves.traced", traced)
    net, pixels = network(2, None), [[9, 0], [0, 0], [15, 15], [0, 8]]
    result = cosim(tmp_path, net, pixels, [0, 1, 2, 3], "--waves", "2")
    assert result.exit_code == 0, result.output
    assert chosen == [{"engine": "traced", "jobs": None}]
    assert [labels.tolist() for labels in simulated] == [[2]]
    assert made == [Path("build", "waves", f"{net.name}-2.vcd")]
    assert f"wrote {made[0]}: gtkwave {made[0].with_suffix('.gtkw')}" in result.output
    assert (
        cosim(tmp_path, net, pixels, None, "--waves", "0", "--waves-file", "x.vcd").exit_code == 0
    )
    assert made[1] == Path("x.vcd")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--waves", "4"), "--waves 4: the images are 0 to 3"),
        (("--waves", "0", "--everything"), "leave out --everything, --engine"),
        (("--waves", "0", "--engine", "cocotb"), "leave out --everything, --engine"),
        (("--waves-file", "x.vcd"), "say of which image by --waves"),
        (("--waves", "0", "--waves-file", "x.fst"), "name the file x.vcd"),
    ],
)
def test_waves_that_cannot_be(
    simulated: list[Any], tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = cosim(tmp_path, network(2, None), np.zeros((4, 2), int), None, *options)
    assert result.exit_code == 2
    assert message in result.output
    assert not simulated
