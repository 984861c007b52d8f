"""From a network to the project of an overlay, with a stand-in for Yosys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.build.stub_tools import Tools, two_layers
from support.hw.components import small_plan

from spikeloom.hw.axi import generate
from spikeloom.hw.boards import Board
from spikeloom.hw.build import Images, build_overlay
from spikeloom.hw.build.folder import WORK
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw.errors import ConfigError, ToolError
from spikeloom.sw.link.manifest import Manifest

PYNQ = Board.find("pynq-z2")
#: Cells that Yosys finds in a small overlay.
XILINX = {"LUT6": 900, "FDRE": 500, "RAMB36E1": 2}


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Tools:
    return Tools.installed(monkeypatch)


def test_an_overlay_is_the_accelerator_behind_axi(tools: Tools, tmp_path: Path) -> None:
    tools.cells = [XILINX]
    network, config = two_layers(), HardwareConfig(lanes=2, counters=True)
    images = Images(Images.random(network, 4).pixels, "four images", real=True)
    manifest = build_overlay(network, PYNQ, tmp_path, config=config, images=images)
    assert tools.commands == [["yosys", "top.ys"]]
    assert manifest.path == tmp_path / "two-layers-pynq-z2-overlay.json"
    content = Manifest.load(manifest.path).content
    assert content == manifest.content
    expected = generate(network, config)
    assert content["hardware"] == expected.sidecar
    assert [content[key] for key in ("link", "self_test", "bitstream", "fmax_mhz")] == [None] * 4
    assert content["routed"] is False
    assert content["clock_mhz"] == 100
    assert content["config"]["lanes"] == {"hidden": 2, "out": 2}
    assert content["resources"] == {
        "luts": {"used": 900, "available": 53200},
        "flipflops": {"used": 500, "available": 106400},
        "block_ram": {"used": 4, "available": 280},
        "dsp": {"used": 0, "available": 220},
    }
    found = predict(plan(network, config), activity(network, images.pixels))
    assert content["prediction"] == {
        "images": 4,
        "source": "four images",
        "cycles_per_image": round(float(found.interval or 0), 1),
        "latency_cycles": found.latency,
        "images_per_second": round(100e6 / float(found.interval or 0), 1),
        "slowest": found.slowest.name,
    }
    work = tmp_path / WORK
    assert (work / "spikeloom.v").read_text() == expected.verilog
    assert "set clock 100\n" in (work / "overlay.tcl").read_text()
    assert (work / "top.ys").read_text() == (
        "read_verilog spikeloom.v\n"
        "synth_xilinx -family xc7 -flatten -top spikeloom_accelerator\n"
        "tee -q -o cells.json stat -json\n"
    )


def test_an_overlay_has_its_clock_and_its_name(tools: Tools, tmp_path: Path) -> None:
    tools.cells = [XILINX]
    plain = HardwareConfig(lanes=1)
    network = small_plan().network
    made = build_overlay(network, PYNQ, tmp_path, config=plain, clock=62.5, name="mine")
    assert made.path == tmp_path / "mine.json"
    assert made.content["clock_mhz"] == 62.5
    assert made.content["prediction"] is None
    assert not [r for r in made.content["hardware"]["axi"]["registers"] if "." in r["name"]]
    assert "set clock 62.5\n" in (tmp_path / WORK / "overlay.tcl").read_text()


def test_an_overlay_has_as_many_lanes_as_fit(tools: Tools, tmp_path: Path) -> None:
    tools.cells = [{"LUT6": 60000}, XILINX]
    said: list[str] = []
    manifest = build_overlay(two_layers(), PYNQ, tmp_path, say=said.append)
    refused = [line for line in said if "does not fit" in line]
    assert len(refused) == 1
    assert "it takes 60,000 look-up tables of 53,200. Take" in refused[0]
    tried = [line for line in said if line.startswith("lanes ")]
    assert len(set(tried)) == 2
    config = manifest.content["config"]
    lanes = ", ".join(f"{n}={m}" for n, m in config["lanes"].items())
    assert tried[-1] == f"lanes {lanes}; slots {config['slots']}"
    assert (
        f"module {manifest.content['hardware']['top']}("
        in (tmp_path / WORK / "spikeloom.v").read_text()
    )


def test_an_overlay_that_never_fits_is_refused(tools: Tools, tmp_path: Path) -> None:
    tools.cells = [{"RAMB36E1": 141}]
    with pytest.raises(
        ConfigError,
        match=r"^'.+' does not fit on PYNQ-Z2: it takes 282 block RAMs of 280\. Take a sma",
    ):
        build_overlay(small_plan().network, PYNQ, tmp_path, config=HardwareConfig(lanes=1))
    assert [path.name for path in tmp_path.iterdir()] == [WORK]


def test_a_multiplier_block_in_an_overlay_is_a_defect(tools: Tools, tmp_path: Path) -> None:
    tools.cells = [XILINX | {"DSP48E1": 3}]
    with pytest.raises(ToolError, match="has 3 multiplier blocks, and should have none: this is a"):
        build_overlay(small_plan().network, PYNQ, tmp_path, config=HardwareConfig(lanes=1))
    assert [path.name for path in tmp_path.iterdir()] == [WORK]


def test_an_overlay_is_the_same_bytes_wherever_it_is_made(tools: Tools, tmp_path: Path) -> None:
    tools.cells = [XILINX]
    config = HardwareConfig(lanes=1)
    for name in ("a", "b/c"):
        build_overlay(small_plan().network, PYNQ, tmp_path / name, config=config, name="net")
    for name in ("net.json", "work/spikeloom.v", "work/overlay.tcl", "work/top.ys"):
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("a", "b/c"))
        assert first == second
        assert str(tmp_path).encode() not in first


@pytest.mark.parametrize(
    ("board", "options", "message"),
    [
        ("arty-a7-100t", {}, "^Arty A7-100T has no processor that an overlay could serve: leave"),
        ("pynq-z2", {"clock": 300.0}, "^the Zynq-7000 of PYNQ-Z2 gives its logic 250 MHz at most"),
        ("pynq-z2", {"config": HardwareConfig(debug=True)}, "^AXI has no ports for taps"),
    ],
)
def test_an_overlay_that_cannot_be(
    tools: Tools, tmp_path: Path, board: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_overlay(two_layers(), Board.find(board), tmp_path / "new", **options)
    assert tools.names == []
    assert not (tmp_path / "new").exists()
