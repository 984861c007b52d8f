"""``docs/build.md`` documents every field of a manifest, and no others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.hw.components import small_plan

from spikeloom.hw.boards import Board
from spikeloom.hw.build import Images, build, build_overlay
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.network import load

pytest.importorskip("amaranth_boards")

ROOT = Path(__file__).parents[2]
#: Fields documented as a whole: theirs are names of layers or programs, or on other pages.
WHOLE = re.compile(
    r"hardware|tools|work|neurobench|energy|network\.accuracy|config\.(lanes|events|planes|copies|slots|units)|resources\.\w+"
)

#: Fields that manifests of some networks alone have.
SOMETIMES = {"network.task", "config.copies", "config.compact", "config.units", "seed", "nextpnr"}


def documented() -> list[str]:
    """Return the fields in the page's table."""
    page = (ROOT / "docs/build.md").read_text(encoding="utf-8")
    table = page[page.index("| field | says |") : page.index("The accelerator's registers")]
    cells = [line.split("|")[1] for line in table.splitlines()[2:] if line.startswith("|")]
    return [field for cell in cells for field in re.findall(r"`([\w.]+)`", cell)]


def fields(content: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Yield the dotted names of a manifest's fields."""
    for name, value in content.items():
        path = f"{within}{name}"
        if isinstance(value, dict) and not WHOLE.fullmatch(path):
            yield from fields(value, f"{path}.")
        else:
            yield path


def fake_run(_: Toolset, command: Sequence[str], folder: Path, log: str) -> None:
    """Stand in for a tool: write only the files that the build reads."""
    if command[0] == "yosys":
        counted = {"design": {"num_cells_by_type": {"LUT4": 100}}}
        (folder / "cells.json").write_text(json.dumps(counted))
    elif command[0].startswith("nextpnr"):
        report = {"fmax": {"clk": {"achieved": 50.0}}, "utilization": {}}
        (folder / "report.json").write_text(json.dumps(report))
    else:
        (folder / "top.bit").write_bytes(b"bits")


def test_the_table_has_the_fields_of_a_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = dict.fromkeys(("yosys", "nextpnr-ecp5", "ecppack"), "1")
    monkeypatch.setattr(Toolset, "find", lambda *_: Toolset(versions, versions))
    monkeypatch.setattr(Toolset, "run", fake_run)
    network = load(FOLDER / "digits-conv.safetensors")
    images = Images(Images.random(network, 1).pixels, "one image", real=True)
    manifest = build(
        network,
        Board.find("orangecrab-25f"),
        tmp_path,
        config=HardwareConfig(counters=True, budget=8),
        images=images,
        records=["fc"],
    )
    assert manifest.bitstream is not None
    listed = documented()
    assert len(set(listed)) == len(listed) > 30
    assert sorted(listed) == sorted([*fields(manifest.content), *SOMETIMES])
    assert manifest.content["hardware"]["input"]["value_bits"] == 8


def test_an_overlay_s_manifest_has_no_other_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Toolset, "find", lambda *_: Toolset({"yosys": "1"}, {"yosys": "1"}))
    monkeypatch.setattr(Toolset, "run", fake_run)
    network = small_plan().network
    images = Images(Images.random(network, 1).pixels, "one image", real=True)
    manifest = build_overlay(network, Board.find("pynq-z2"), tmp_path, images=images)
    found, listed = set(fields(manifest.content)), documented()
    # These are null, as the table says; an overlay has no serial line.
    nulls = {"self_test", "link", "bitstream"}
    assert nulls <= found
    absent = {field for field in listed if field.partition(".")[0] in nulls}
    missing = {"prediction.link_images_per_second", *SOMETIMES}
    assert found - nulls == {*listed} - absent - missing


def test_committed_manifests_have_no_other_fields() -> None:
    listed = documented()
    for path in [*(ROOT / "bitstreams").glob("*.json")]:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("format") == "spikeloom-bitstream":
            # The table says that these can be null.
            assert content.pop("sha256"), "a digest, which is no field of the design"
            assert set(fields(content)) <= {*listed, "prediction", "bitstream"}, path.name
    assert "bitstream.sha256" in listed
