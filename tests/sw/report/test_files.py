"""Files of a report: recognised by their content, and damaged ones told in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import report as example
from support.networks.examples import every_kind, everything

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.network import save
from spikeloom.sw.report import Run, add_figures, read_folder, require_one
from spikeloom.sw.report.shapes import NUMBER, TEXT, WHOLE, ByName, Maybe, Missing, require


def read(folder: Path) -> Run:
    run = Run(str(folder))
    read_folder(folder, run)
    return run


def test_each_kind_is_recognised(tmp_path: Path) -> None:
    network = everything()
    folder = example.folder(tmp_path / "all", network)
    example.write(folder / "cosim.json", example.simulation(["conv", "fc"]))
    example.write(folder / "result.json", example.result(network))
    inference = {"target": "sim", "images": 2, "labels": [1, 2], "images_per_second": 3.5}
    example.write(folder / "run.json", inference)
    plan: dict[str, Any] = {"choices": {}, "bottleneck": "conv", "cycles": 9, "layers": []}
    plan |= {"luts": 5, "flipflops": 6, "block_ram": 0}
    example.write(folder / "plan.json", plan)
    chosen = {name.name: {"lanes": 1} for name in network.layers}
    about = {"name": network.name, "digest": network.digest}
    example.write(
        folder / "choices.json",
        {"format": "spikeloom-plan", "version": 1, "network": about, "layers": chosen},
    )
    epoch = {"phase": 1, "epoch": 0, "kind": "float", "validation_accuracy": 0.5}
    (folder / "log.jsonl").write_text(json.dumps(epoch) + "\n" + json.dumps(epoch) + "\n")
    example.write(folder / "other.json", {"something": "else"})
    (folder / "work").mkdir()
    run = read(folder)
    assert run.files == {
        "area.json": "area",
        "board.json": "manifests",
        "choices.json": "choices",
        "cosim.json": "cosim",
        "log.jsonl": "log",
        "network.safetensors": "network",
        "plan.json": "plan",
        "report.json": "demo",
        "result.json": "result",
        "run.json": "inference",
    }
    assert run.model == network
    assert run.inference["run.json"] == inference
    assert run.log == [epoch, epoch]
    require_one(run, run.model)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"layers": "many"}, "'layers': a list is expected"),
        ({"layers": [{"name": 7}]}, "entry 0"),
        ({"compared": True}, "a whole number is expected, not True"),
        ({"cycles_per_image": "fast"}, "a number is expected"),
        ({"output": {"logits": 3}}, "'logits'"),
    ],
)
def test_damaged_figures_are_told(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    example.write(tmp_path / "cosim.json", example.simulation(["conv"]) | change)
    with pytest.raises(FileFormatError) as found:
        read(tmp_path)
    assert told in str(found.value)
    assert "cosim.json" in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.json", b"{", "no JSON"),
        ("a.json", b'{"a": 1, "a": 2}', "twice"),
        ("a.safetensors", b"12345678", "no safetensors"),
        ("log.jsonl", b"{}\n", "lacks 'phase'"),
        ("log.jsonl", b"\xff\n", "line 1 is damaged"),
        ("a.json", b'{"format": "spikeloom-bitstream"}', "version"),
    ],
)
def test_damaged_files_are_told(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=told):
        read(tmp_path)


def test_two_layers_of_one_name_and_endless_numbers_are_refused(tmp_path: Path) -> None:
    example.write(tmp_path / "cosim.json", example.simulation(["conv", "conv"]))
    with pytest.raises(FileFormatError, match="two entries of one name"):
        read(tmp_path)
    text = json.dumps(example.simulation(["conv"])).replace("1080.25", "1e999")
    (tmp_path / "cosim.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"no JSON \(the number 1e999 is too large\)"):
        read(tmp_path)


def test_only_one_network_is_shown(tmp_path: Path) -> None:
    folder = example.folder(tmp_path / "some", everything())
    run = read(folder)
    require_one(run, run.model)
    example.write(folder / "result.json", example.result(every_kind()))
    run = read(folder)
    with pytest.raises(ConfigError, match="of another network"):
        require_one(run, run.model)
    save(every_kind(), folder / "second.safetensors")
    with pytest.raises(ConfigError, match="second network"):
        read(folder)


def test_a_second_file_of_a_kind_is_refused_where_one_is_shown(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        example.write(tmp_path / name, example.area(["conv"]))
    with pytest.raises(ConfigError, match="second file"):
        read(tmp_path)
    run = Run("some")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        example.write(tmp_path / folder / "cosim.json", example.simulation(["conv"]))
        add_figures(tmp_path / folder / "cosim.json", run, required=True)
    assert len(run.cosim) == 2


def test_a_file_that_was_asked_for_must_hold_figures(tmp_path: Path) -> None:
    example.write(tmp_path / "a.json", [1, 2])
    with pytest.raises(FileFormatError, match="no figures"):
        add_figures(tmp_path / "a.json", Run("some"), required=True)


def test_shapes() -> None:
    shape = {"name": TEXT, "of": ByName(Maybe(NUMBER)), "list": [WHOLE], "other": Missing(TEXT)}
    require({"name": "x", "of": {"a": None, "b": 1.5}, "list": [1, 2], "more": []}, shape, "it")
    with pytest.raises(FileFormatError, match="it, 'of', 'a'"):
        require({"name": "x", "of": {"a": "b"}, "list": []}, shape, "it")
    with pytest.raises(FileFormatError, match="it lacks 'of'"):
        require({"name": "x"}, shape, "it")
    with pytest.raises(FileFormatError, match="it lacks 'it'"):
        require({}, {"it": Maybe(TEXT)}, "it")
    require(2**53, WHOLE, "it")
    for value in (2**53 + 1, -(10**400), float("nan")):
        with pytest.raises(FileFormatError, match=r"it: a number is expected"):
            require(value, NUMBER, "it")
