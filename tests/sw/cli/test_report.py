"""``spikeloom report``: what it reads, computes and writes, and how it tells errors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support import report as example
from support.networks.examples import every_kind, everything

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw.cli import main
from spikeloom.sw.network import save


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["report", *(str(a) for a in arguments)])


def error_of(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return example.folder(tmp_path / "demo", everything())


def test_a_folder_is_shown_without_images(folder: Path) -> None:
    result = run(folder)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(
        r"wrote \S+/demo/report.html, 1\.\d MB: open it in a browser\n", result.output
    )
    (content,) = example.embedded((folder / "report.html").read_text(encoding="utf-8"))["runs"]
    assert (content["activity"], content["prediction"], content["traces"]) == (None, None, [])
    # It is made anew in the same place.
    assert run(folder).exit_code == 0


def test_images_bring_spikes_and_cycles(folder: Path, tmp_path: Path) -> None:
    network = everything()
    images = example.images(network, tmp_path / "some.npz")
    name = network.layers[0].name
    chosen = ("--images", tmp_path / "some.npz", "--show", "2", "--neuron", f"{name}=4")
    result = run(folder, *chosen, "--out", tmp_path / "r.html", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found == example.embedded((tmp_path / "r.html").read_text(encoding="utf-8"))
    (content,) = found["runs"]
    (traced,) = content["traces"]
    assert (traced["image"], traced["right"]) == (2, 0)
    assert [neuron["index"] for neuron in traced["layers"][0]["neurons"]] == [4]
    # The hardware is that of the folder's manifest.
    lanes = dict.fromkeys((layer.name for layer in network.layers), 1)
    config = HardwareConfig(lanes=lanes, events=lanes)
    expected = predict(plan(network, config), activity(network, images))
    prediction = content["prediction"]
    assert {key: prediction[key] for key in expected.as_dict()} == expected.as_dict()
    timeline = prediction["timeline"]
    assert timeline["image"] == 2
    for layer, spans in zip(expected.layers, timeline["layers"], strict=True):
        waits = sum(b - a for key in ("starved", "blocked") for a, b in spans[key])
        assert spans["end"] - spans["begin"] - waits == layer.cycles[2]
    assert content["details"][name]["spikes by the golden model"]["rate"] > 0


def test_a_network_by_name_and_a_file_beside_it(tmp_path: Path) -> None:
    example.write(tmp_path / "cosim.json", example.simulation(["conv1", "conv2"]))
    out = tmp_path / "r.html"
    result = run("digits-conv", "--add", tmp_path / "cosim.json", "--out", out)
    assert result.exit_code == 0, result.output
    (content,) = example.embedded(out.read_text(encoding="utf-8"))["runs"]
    assert content["network"]["name"] == "digits-conv"
    assert content["cosim"]["cosim.json"] == example.simulation(["conv1", "conv2"])


def test_a_manifest_alone_brings_the_network_that_it_is_of_and_its_longest_path(
    tmp_path: Path,
) -> None:
    committed = Path(__file__).parents[3] / "bitstreams" / "digits-conv-2bit-icebreaker.json"
    (tmp_path / "board.json").write_bytes(committed.read_bytes())
    (tmp_path / "work").mkdir()
    step = {"delay": 2.5, "type": "logic", "from": {"cell": "a_one"}, "to": {"cell": "b_two"}}
    example.write(tmp_path / "work" / "report.json", {"critical_paths": [{"path": [step]}]})
    result = run(tmp_path / "board.json", "--json", "--out", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    (content,) = json.loads(result.stdout)["runs"]
    assert content["network"]["name"] == "digits-conv"
    assert content["paths"]["board.json"].startswith("The longest path takes 2.5 ns")
    example.write(tmp_path / "work" / "report.json", {"critical_paths": 7})
    assert "damaged" in error_of(tmp_path / "board.json")


def test_two_paths_stand_beside_each_other(folder: Path, tmp_path: Path) -> None:
    save(every_kind(), tmp_path / "other.safetensors")
    out = tmp_path / "both.html"
    result = run(folder, tmp_path / "other.safetensors", "--out", out)
    assert result.exit_code == 0, result.output
    runs = example.embedded(out.read_text(encoding="utf-8"))["runs"]
    assert [x["network"]["name"] for x in runs] == [everything().name, every_kind().name]


def test_errors_are_told_in_one_line(folder: Path, tmp_path: Path) -> None:
    assert "not 3" in error_of(folder, folder, folder)
    assert "does not exist" in error_of("no-such-network")
    (tmp_path / "empty").mkdir()
    assert "holds nothing" in error_of(tmp_path / "empty")
    assert "--show takes" in error_of(folder, "--show", "a")
    assert "--neuron takes" in error_of(folder, "--neuron", "conv")
    assert "give --data" in error_of(folder, "--neuron", "conv=1")
    assert "single PATH" in error_of(folder, folder, "--add", folder / "area.json")
    example.images(everything(), tmp_path / "some.npz")
    assert "the images are" in error_of(folder, "--images", tmp_path / "some.npz", "--show", "9")
    (folder / "report.json").write_text("{")
    assert "no JSON" in error_of(folder)
