from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.cosim.tiny import SOURCE, tiny_network, tiny_sidecar

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.verilog import generate
from spikeloom.sim.design import Design, Field
from spikeloom.sw.errors import ConfigError, FileFormatError


@pytest.fixture
def sidecar() -> dict[str, Any]:
    return tiny_sidecar(tiny_network())


def test_a_saved_design_loads(tmp_path: Path, sidecar: dict[str, Any]) -> None:
    (tmp_path / "net.v").write_text(SOURCE.read_text())
    (tmp_path / "net.json").write_text(json.dumps(sidecar))
    design = Design.load(tmp_path / "net.v")
    assert design.verilog == SOURCE.read_text()
    hidden, output = design.layers
    assert (hidden.positions, hidden.steps_per_image, hidden.sent_per_image) == (4, 24, 8)
    assert (output.positions, output.steps_per_image, output.sent_per_image) == (1, 1, 1)
    assert hidden.taps is not None
    assert hidden.taps.potential == Field(10, signed=True)
    design.require_network(tiny_network())


def test_what_the_generator_writes_is_read() -> None:
    network = tiny_network()
    for debug in (False, True):
        generated = generate(network, HardwareConfig(debug=debug, lanes={"hidden": 2}))
        design = Design.from_sidecar(generated.verilog, generated.sidecar, "it")
        design.require_network(network)
        assert [layer.name for layer in design.layers] == ["hidden", "output"]
        assert design.layers[0].groups == 2
        assert (design.layers[0].taps is not None) == debug


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"Verilog file .*net\.v does not exist"):
        Design.load(tmp_path / "net.v")
    (tmp_path / "net.v").touch()
    with pytest.raises(FileFormatError, match=r"hardware sidecar .*net\.json does not exist"):
        Design.load(tmp_path / "net.v")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_a_damaged_sidecar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.v").touch()
    (tmp_path / "net.json").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"are damaged .* generate them again"):
        Design.load(tmp_path / "net.v")


def test_something_else_is_refused() -> None:
    with pytest.raises(FileFormatError, match="it does not describe generated hardware"):
        Design.from_sidecar("", {"format": "other"}, "it")


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_another_version_is_refused(sidecar: dict[str, Any], version: object) -> None:
    with pytest.raises(FileFormatError, match=r"version .*; this Spikeloom reads .* up to 1"):
        Design.from_sidecar("", sidecar | {"version": version}, "it")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("top", 3, "'top' must be of type str, not 3"),
        ("debug", None, "'debug' must be of type bool, not None"),
        ("input", {"bits": True}, "'bits' must be of type int, not True"),
        ("layers", {}, "'layers' must be of type list"),
        ("layers", [3], "a layer must be an object, not 3"),
        ("layers", [{"name": "x"}], "layer 'x': 'tap' must be of type dict, not None"),
        ("layers", [], "there is no layer"),
    ],
)
def test_wrong_values_are_named(
    sidecar: dict[str, Any], key: str, value: object, message: str
) -> None:
    with pytest.raises(FileFormatError, match=message):
        Design.from_sidecar("", sidecar | {key: value}, "it")


def test_another_networks_design_is_refused(sidecar: dict[str, Any]) -> None:
    sidecar["network"]["digest"] = "0" * 64
    design = Design.from_sidecar("", sidecar, "it")
    with pytest.raises(ConfigError, match=r"generated from another network .*: generate it again"):
        design.require_network(tiny_network())


class TestMemories:
    @pytest.fixture
    def saved(self, tmp_path: Path) -> Path:
        generate(tiny_network(), HardwareConfig(memories="files")).save(tmp_path / "net.v")
        return tmp_path / "net.v"

    def test_files_are_read(self, saved: Path) -> None:
        memories = dict(Design.load(saved).memories)
        files = {path.name: path.read_text() for path in saved.parent.glob("*.mem")}
        assert memories == files
        assert {name.rpartition("_")[0] for name in files} >= {"hidden_bank0", "output_bank0"}

    def test_a_missing_one_is_named(self, saved: Path) -> None:
        lost = next(saved.parent.glob("output_bank0_*.mem"))
        lost.unlink()
        with pytest.raises(FileFormatError, match=rf"^memory file .*{lost.name} does not exist"):
            Design.load(saved)

    @pytest.mark.parametrize("content", [b"", b"\xff", None])
    def test_a_damaged_one_is_named(self, saved: Path, content: bytes | None) -> None:
        damaged = next(saved.parent.glob("output_bank0_*.mem"))
        damaged.write_bytes(damaged.read_bytes()[:-1] if content is None else content)
        with pytest.raises(
            FileFormatError, match=rf"^memory file {damaged.name} is not the one that .*net\.json"
        ):
            Design.load(saved)

    @pytest.mark.parametrize("name", ["../net.mem", "/etc/passwd", "a/b.mem", "b.v", ""])
    def test_a_sidecar_names_no_other_places(self, saved: Path, name: str) -> None:
        beside = saved.with_suffix(".json")
        content = json.loads(beside.read_text())
        content["memories"][0]["file"] = name
        beside.write_text(json.dumps(content))
        with pytest.raises(FileFormatError, match=r"cannot be a memory file's name"):
            Design.load(saved)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ({}, "'memories' must be of type list"),
            ([3], "a memory must be an object, not 3"),
            ([{"file": "a.mem"}], "'sha256' must be of type str, not None"),
        ],
    )
    def test_wrong_values_are_named(
        self, sidecar: dict[str, Any], value: object, message: str
    ) -> None:
        with pytest.raises(FileFormatError, match=message):
            Design.from_sidecar("", sidecar | {"memories": value}, "it")
