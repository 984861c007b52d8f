from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cosim.tiny import tiny_design, tiny_network

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.verilog import generate
from spikeloom.sim.design import Design, Field
from spikeloom.sw.errors import ConfigError, FileFormatError, SpikeloomError, UnsupportedError
from spikeloom.sw.network import Connection, DirectInput, Layer, Linear, Logits, Network

#: Choices for the hardware of the tiny network, each with what it changes in a sidecar.
CONFIGS = {
    "plain": HardwareConfig(),
    "taps": HardwareConfig(debug=True, counters=True, lanes={"hidden": 2}, top="other"),
    "folded": HardwareConfig(debug=True, time="fold", lanes=1, units=1),
    "planes": HardwareConfig(debug=True, planes={"hidden": 2}),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hardware with taps and files of memories."""
    path = tmp_path_factory.mktemp("saved") / "net.v"
    config = HardwareConfig(memories="files", debug=True, lanes={"hidden": 2})
    generate(tiny_network(), config).save(path)
    return path


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    for path in saved.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / "net.v"


def changed(path: Path, change: Callable[[Any], object]) -> None:
    """Change the content of the sidecar beside a Verilog file."""
    beside = path.with_suffix(".json")
    content = json.loads(beside.read_text())
    change(content)
    beside.write_text(json.dumps(content))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_sidecar_gives_the_same_as_the_plan(name: str, tmp_path: Path) -> None:
    network, path = tiny_network(), tmp_path / "net.v"
    generated = generate(network, CONFIGS[name])
    generated.save(path)
    design = Design.load(path, network)
    assert design.verilog == generated.verilog
    for layer, entry in zip(design.layers, generated.sidecar["layers"], strict=True):
        found = {key: getattr(layer, key) for key in entry.keys() & vars(layer).keys()}
        assert found | {"shape": list(layer.shape)} == {key: entry[key] for key in found}
        tap = entry["tap"]
        assert layer.taps is None or layer.taps.value == Field(**tap["value"])
        assert (layer.taps is not None) == CONFIGS[name].debug
    assert (design.top, design.counters) == (CONFIGS[name].top, CONFIGS[name].counters)
    output = generated.sidecar["output"]
    assert (design.payload_width, design.logit.width) == (
        output["payload_width"],
        output["logit_width"],
    )


def test_sizes_of_records() -> None:
    hidden, output = tiny_design(tiny_network()).layers
    assert (hidden.positions, hidden.steps_per_image, hidden.sent_per_image) == (4, 24, 8)
    assert (output.positions, output.steps_per_image, output.sent_per_image) == (1, 1, 1)
    # Twelve neurons with a spike and a potential in three timesteps, and a count.
    assert hidden.values_per_image == 12 * 7
    assert output.values_per_image == 2 * 3


def test_an_older_sidecar_is_read(copy: Path) -> None:
    def older(content: Any) -> None:
        for layer in content["layers"]:
            assert layer.pop("units") == layer["lanes"]
        del content["output"]["classes"]

    design = Design.load(copy, tiny_network())
    if all(layer.units == layer.lanes for layer in design.layers):
        changed(copy, older)
    assert Design.load(copy, tiny_network()) == design


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"Verilog file .*net\.v does not exist"):
        Design.load(tmp_path / "net.v", tiny_network())
    (tmp_path / "net.v").touch()
    with pytest.raises(FileFormatError, match=r"hardware sidecar .*net\.json does not exist"):
        Design.load(tmp_path / "net.v", tiny_network())


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"a": 1, "a": 1}', b"[" * 100_000])
def test_a_damaged_sidecar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.v").touch()
    (tmp_path / "net.json").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"are damaged .* generate them again"):
        Design.load(tmp_path / "net.v", tiny_network())


@pytest.mark.parametrize("content", ["[]", "3", '{"format": "other"}'])
def test_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "net.v").touch()
    (tmp_path / "net.json").write_text(content)
    with pytest.raises(FileFormatError, match=r"description of generated|not describe generated"):
        Design.load(tmp_path / "net.v", tiny_network())


def layer_value(key: str, value: object) -> Callable[[Any], object]:
    return lambda content: content["layers"][0].__setitem__(key, value)


#: Changes of a sidecar, and what the refusal says.
LIES: dict[str, tuple[Callable[[Any], object], str]] = {
    "newer": (lambda c: c.update(version=2), "reads up to 1"),
    "version 0": (lambda c: c.update(version=0), "must be an integer >= 1"),
    "top": (lambda c: c.update(top="a/b"), "must be a Verilog module name"),
    "top of a number": (lambda c: c.update(top=3), "'top' must be of type str, not 3"),
    "debug": (lambda c: c.update(debug=None), "'debug' must be of type bool"),
    "no layer": (lambda c: c["layers"].clear(), "does not list the layers of 'tiny'"),
    "extra layer": (lambda c: c["layers"].append(c["layers"][0]), "does not list the layers"),
    "number as layer": (lambda c: c["layers"].__setitem__(0, 3), "does not list the layers"),
    "path as layer": (layer_value("name", "../../x"), "does not list the layers"),
    "another layer": (layer_value("name", "other"), "does not list the layers"),
    "shape": (layer_value("shape", []), r"shape is \[\], but .* follows \[3, 2, 2\]"),
    "text as shape": (layer_value("shape", ["3", 2, 2]), r"shape\[0\] is '3'"),
    "huge shape": (layer_value("shape", [10**9, 10**9, 2]), r"shape\[0\] is 1000000000"),
    "groups": (layer_value("groups", 0), "groups is 0, but from the network follows 2"),
    "groups below 0": (layer_value("groups", -1), "groups is -1"),
    "true as group": (layer_value("groups", True), "groups is True"),
    "no lanes": (layer_value("lanes", 0), "lanes must be a whole number from 1"),
    "many lanes": (layer_value("lanes", 10**12), "lanes must be a whole number from 1"),
    "more lanes": (layer_value("lanes", 4), "must not exceed its 3 output channels"),
    "fewer lanes": (layer_value("lanes", 1), "groups is 2, but from the network follows 3|units"),
    "units": (layer_value("units", 7), "units = 7 must be"),
    "steps": (layer_value("steps_per_cycle", 0), "steps_per_cycle is 0"),
    "folded": (layer_value("folded", 1), "'folded' must be of type bool"),
    "sends": (layer_value("sends", "x"), "sends is 'x', but from the network follows 'count'"),
    "neuron": (layer_value("neuron", "dual"), "neuron is 'dual'"),
    "width": (
        lambda c: c["layers"][0]["tap"]["potential"].update(width=-1),
        "tap, potential, width is -1",
    ),
    "tap": (layer_value("tap", None), "tap is None"),
    "pixels": (lambda c: c["input"].update(transfers=0), "input, transfers is 0"),
    "logits": (lambda c: c["output"].update(transfers=1), "output, transfers is 1"),
    "bits": (lambda c: c["input"].update(bits=True), "input, bits is True"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_sidecar_is_no_authority(name: str, copy: Path) -> None:
    change, message = LIES[name]
    changed(copy, change)
    with pytest.raises(FileFormatError, match=message):
        Design.load(copy, tiny_network())


def test_another_networks_design_is_refused(copy: Path) -> None:
    changed(copy, lambda content: content["network"].update(digest="0" * 64))
    with pytest.raises(ConfigError, match=r"generated from another network .*: generate it again"):
        Design.load(copy, tiny_network())
    logits = Logits(np.zeros(2, np.int64), fraction_bits=0)
    connection = Connection("input", "count", Linear(np.eye(2, dtype=np.int64)))
    other = Network(DirectInput((2,), bits=1), (Layer("out", 1, logits, (connection,)),))
    with pytest.raises(ConfigError, match=r"generated from another network"):
        tiny_design(tiny_network()).require_network(other)


def test_verilog_that_could_run_programs_asks_for_trust(copy: Path) -> None:
    design = Design.load(copy, tiny_network())
    source = copy.read_text() + '\nmodule x; initial $system("true"); endmodule\n'
    copy.write_text(source)
    with pytest.raises(UnsupportedError, match=r"net\.v has \$system, .* add --trust if it may"):
        Design.load(copy, tiny_network())
    assert Design.load(copy, tiny_network(), trust=True).layers == design.layers


class TestMemories:
    def test_files_are_read(self, saved: Path) -> None:
        memories = dict(Design.load(saved, tiny_network()).memories)
        files = {path.name: path.read_text() for path in saved.parent.glob("*.mem")}
        assert memories == files
        assert {name.rpartition("_")[0] for name in files} >= {"hidden_bank0", "output_bank0"}

    def test_a_missing_one_is_named(self, copy: Path) -> None:
        lost = next(copy.parent.glob("output_bank0_*.mem"))
        lost.unlink()
        with pytest.raises(FileFormatError, match=rf"^memory file .*{lost.name} does not exist"):
            Design.load(copy, tiny_network())

    @pytest.mark.parametrize("content", [b"", b"\xff", None])
    def test_a_damaged_one_is_named(self, copy: Path, content: bytes | None) -> None:
        damaged = next(copy.parent.glob("output_bank0_*.mem"))
        damaged.write_bytes(damaged.read_bytes()[:-1] if content is None else content)
        with pytest.raises(
            FileFormatError, match=rf"^memory file {damaged.name} is not the one that .*net\.json"
        ):
            Design.load(copy, tiny_network())

    @pytest.mark.parametrize("name", ["../net.mem", "/etc/passwd", "a/b.mem", "b.v", ""])
    def test_a_sidecar_names_no_other_places(self, copy: Path, name: str) -> None:
        changed(copy, lambda content: content["memories"][0].update(file=name))
        with pytest.raises(FileFormatError, match=r"cannot be a memory file's name"):
            Design.load(copy, tiny_network())

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ({}, "'memories' must be of type list"),
            ([3], "a memory must be an object, not 3"),
            ([{"file": "a.mem"}], "'sha256' must be of type str, not None"),
        ],
    )
    def test_wrong_values_are_named(self, copy: Path, value: object, message: str) -> None:
        changed(copy, lambda content: content.update(memories=value))
        with pytest.raises(SpikeloomError, match=message):
            Design.load(copy, tiny_network())
