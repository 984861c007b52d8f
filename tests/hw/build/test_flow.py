"""From a network to a manifest: with stand-ins for the tools, and, where asked for, with them."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.build.stub_tools import REPORT, Tools, two_layers
from support.networks.examples import everything

from spikeloom.hw.boards import Board
from spikeloom.hw.build import Images, Options, build, rtlil
from spikeloom.hw.build.family import Family, Ice40
from spikeloom.hw.build.flow import write_sources
from spikeloom.hw.build.folder import WORK
from spikeloom.hw.build.top import Top
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.errors import ConfigError, FileFormatError, ToolError
from spikeloom.sw.golden import Golden
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import load

pytest.importorskip("amaranth_boards")

ICEBREAKER = Board.find("icebreaker")


class Sources:
    """Stands in for what writes sources: the same design is converted once, and then copied."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.made: dict[str, tuple[Path, list[list[str]]]] = {}

    def write(self, top: Top, board: Board, family: Family, work: Path) -> list[list[str]]:
        plan, test = top.device.plan, top.device.test
        assert test is not None
        lanes = [layer.lanes for layer in plan.layers]
        parts = (board.name, plan.config, lanes, top.device.link, test.pixels, test.expected)
        if repr(parts) not in self.made:
            folder = self.root / str(len(self.made))
            folder.mkdir()
            self.made[repr(parts)] = folder, write_sources(top, board, family, folder)
        # Amaranth warns of designs of which nothing is made.
        for part in (top, top.device, test):
            part.__dict__["_MustUse__used"] = True
        folder, commands = self.made[repr(parts)]
        shutil.copytree(folder, work, dirs_exist_ok=True)
        return commands


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return Sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, sources: Sources) -> Tools:
    monkeypatch.setattr("spikeloom.hw.build.flow.write_sources", sources.write)
    return Tools.installed(monkeypatch)


def test_the_manifest_says_what_was_built(tools: Tools, tmp_path: Path) -> None:
    network = two_layers()
    images = Images(Images.random(network, 4).pixels, "four images", real=True)
    manifest = build(network, ICEBREAKER, tmp_path, images=images, tested=2)
    assert tools.names == ["yosys", "nextpnr-ice40", "icepack"]
    content = json.loads(manifest.path.read_text())
    assert len(content.pop("sha256")) == 64
    assert content == manifest.content
    assert content["network"]["digest"] == network.digest
    assert content["resources"]["luts"] == {"used": 1234, "available": 5280}
    assert content["resources"]["flipflops"] == {"used": 300, "available": 5280}
    assert content["resources"]["dsp"] == {"used": 0, "available": 8}
    assert (content["clock_mhz"], content["fmax_mhz"]) == (12.0, 33.33)
    assert content["tools"] == {"yosys": "1", "nextpnr-ice40": "2", "icepack": "3"}
    assert set(content["config"]["lanes"]) == {layer.name for layer in network.layers}
    assert content["self_test"]["labels"] == Golden(network).run(images.pixels[:2]).labels.tolist()
    cycles = content["prediction"]["cycles_per_image"]
    assert content["prediction"]["images_per_second"] == pytest.approx(12e6 / cycles, rel=1e-2)
    assert manifest.require_bitstream().read_bytes() == b"bits"


def test_sources_are_the_same_bytes_wherever_they_are_made(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.hw.build.flow.write_sources", write_sources)
    manifests = [
        build(two_layers(), ICEBREAKER, tmp_path / name).path.read_bytes() for name in ("a", "b/c")
    ]
    assert manifests[0] == manifests[1]
    for name in ("top.il", "top.ys", "top.pcf"):
        first, second = ((tmp_path / f / WORK / name).read_bytes() for f in ("a", "b/c"))
        assert first == second
        assert str(tmp_path).encode() not in first
    assert b"set_io light" not in first
    pins = {line.split()[-1] for line in first.decode().splitlines() if "set_io" in line}
    assert pins == {"35", "11", "37", ICEBREAKER.link.rx, ICEBREAKER.link.tx}


def test_yosys_gets_the_files_of_large_memories(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.hw.build.flow.write_sources", write_sources)
    monkeypatch.setattr("spikeloom.hw.engine.rom.INLINE_BITS", 0)
    build(two_layers(), ICEBREAKER, tmp_path, config=HardwareConfig(lanes=1))
    work = tmp_path / WORK
    memories = [path.name for path in work.glob("*.mem")]
    labels = {name.rpartition("_")[0] for name in memories}
    assert {"hidden_bank0", "out_bank0"} <= labels
    script, design = (work / "top.ys").read_text(), (work / "top.il").read_text()
    assert script.index("read_verilog  spikeloom_rom.v") < script.index("read_rtlil top.il")
    for name in memories:
        assert f'parameter \\FILE "{name}"' in design
    # They are counted before synthesis, too.
    found = [memory for memory in rtlil.memories(design) if not memory.parts]
    assert len(found) >= len(memories)


def test_the_manifest_describes_the_link(tools: Tools, tmp_path: Path) -> None:
    content = build(two_layers(), ICEBREAKER, tmp_path, records=["hidden"], baud=115200).content
    assert content["link"] == {
        "protocol": 1,
        "baud": 115200,
        "counters": [
            f"{layer}.{counter}"
            for layer in ("hidden", "out")
            for counter in ("cycles", "events", "starved", "blocked")
        ],
        "records": [
            {
                "layer": "hidden",
                "lanes": content["config"]["lanes"]["hidden"],
                "width": 2,
                "signed": False,
                "bytes": -(-content["config"]["lanes"]["hidden"] * 2 // 8),
                "transfers": 8 // content["config"]["lanes"]["hidden"],
            }
        ],
    }
    assert content["hardware"]["input"]["shape"] == [1, 2, 2]
    assert content["hardware"]["input"]["timesteps"] is None
    assert content["hardware"]["input"]["value_bits"] == 4


def test_the_link_has_the_board_s_rate_and_what_the_configuration_says(
    tools: Tools, tmp_path: Path
) -> None:
    plain = HardwareConfig(lanes=1)
    link = build(two_layers(), ICEBREAKER, tmp_path, config=plain).content["link"]
    assert link == {"protocol": 1, "baud": 3_000_000, "counters": [], "records": []}


def test_a_rate_that_the_clock_cannot_have(tools: Tools, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="3000001"):
        build(two_layers(), ICEBREAKER, tmp_path, baud=3_000_001)
    assert tools.names == []


def test_a_record_of_no_layer(tools: Tools, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no layer 'conv9', only hidden, out"):
        build(two_layers(), ICEBREAKER, tmp_path, records=["conv9"])
    assert tools.names == []


@pytest.fixture
def slow_report() -> Callable[[float], dict[str, Any]]:
    """Return what makes a report of a path whose cells take so many ns, and its wires 9."""
    ends = {"from": {"cell": "a"}, "to": {"cell": "b"}}

    def made(cells: float) -> dict[str, Any]:
        path = [{"type": "logic", "delay": cells, **ends}, {"type": "routing", "delay": 9, **ends}]
        return REPORT | {
            "fmax": {"clk": {"achieved": 1000 / (cells + 9)}},
            "critical_paths": [{"from": "posedge clk", "to": "posedge clk", "path": path}],
        }

    return made


def test_long_wires_may_be_shorter_with_fewer_lanes(
    tools: Tools, tmp_path: Path, slow_report: Callable[[float], dict[str, Any]]
) -> None:
    # 12 MHz are 83.3 ns.
    tools.reports = [slow_report(80.0), REPORT]
    said: list[str] = []
    build(two_layers(), ICEBREAKER, tmp_path, say=said.append)
    assert tools.names.count("nextpnr-ice40") == 2
    assert sum("reaches 11.2 MHz, but iCEBreaker runs at 12 MHz" in line for line in said) == 1


def test_cells_that_are_too_slow_are_so_with_fewer_lanes(
    tools: Tools, tmp_path: Path, slow_report: Callable[[float], dict[str, Any]]
) -> None:
    tools.reports = [slow_report(84.0), REPORT]
    with pytest.raises(ToolError, match=r"The longest path takes 93\.0 ns, 9\.0 ns of it in wires"):
        build(two_layers(), ICEBREAKER, tmp_path)


def test_without_data_nothing_is_predicted(tools: Tools, tmp_path: Path) -> None:
    content = build(two_layers(), ICEBREAKER, tmp_path).content
    assert content["prediction"] is None
    assert content["self_test"]["source"] == "random pixels"


def test_fewer_lanes_are_tried_until_it_fits(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.hw.build.sizing.luts", lambda planned, family: 0)
    network = two_layers()
    good = tools.cells[0]
    tools.cells = [
        {"SB_LUT4": 6000},
        {"SB_RAM40_4K": 31},
        ToolError("yosys failed"),
        good,
    ]
    said: list[str] = []
    manifest = build(network, ICEBREAKER, tmp_path, say=said.append)
    assert tools.names.count("yosys") == 4
    refused = [line for line in said if "does not fit" in line]
    assert "6,000 look-up tables of 5,280" in refused[0]
    assert "31 block RAMs of 30" in refused[1]
    assert "yosys failed" in said
    lanes = ", ".join(f"{n}={m}" for n, m in manifest.content["config"]["lanes"].items())
    tried = [line for line in said if line.startswith("lanes ")]
    assert len(set(tried)) == 4
    assert tried[-1] == f"lanes {lanes}; slots 8"


def test_memory_that_cannot_fit_is_not_synthesised(tools: Tools, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"it takes about \d+ block RAMs of 30"):
        build(
            load(FOLDER / "digits-conv.safetensors"),
            ICEBREAKER,
            tmp_path,
            config=HardwareConfig(lanes=1),
        )
    assert tools.names == []


def test_two_builds_at_once_keep_out_of_each_other_s_way(tools: Tools, tmp_path: Path) -> None:
    def say(text: str) -> None:
        if text.startswith("yosys"):
            with pytest.raises(FileFormatError, match=r"^another build is at work in .*: take an"):
                build(two_layers(), ICEBREAKER, tmp_path)
            said.append(text)

    said: list[str] = []
    manifest = build(two_layers(), ICEBREAKER, tmp_path, say=say)
    assert said
    assert manifest.require_bitstream().read_bytes() == b"bits"
    build(two_layers(), ICEBREAKER, tmp_path)


def test_what_does_not_fit_when_packed(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verdicts of nextpnr on a design that Yosys found small enough."""
    log = (
        "Info: Device utilisation:\n"
        "Info: \t         ICESTORM_LC:    5509/   5280   104%\n"
        "Info: \t        ICESTORM_RAM:      29/     30    96%\n"
        "Info: \t               SB_GB:       9/      8   112%\n"
    )
    ordinary = tools.run

    def run(command: Sequence[str], folder: Path, name: str) -> None:
        ordinary(command, folder, name)
        if command[0] == "nextpnr-ice40":
            (folder / "top.tim").write_text(log)
            raise ToolError("nextpnr-ice40 failed")

    monkeypatch.setattr(tools, "run", run)
    with pytest.raises(
        ConfigError, match=r"it takes 5,509 look-up tables of 5,280, 9 SB_GB of 8\. Take a smaller"
    ):
        build(two_layers(), ICEBREAKER, tmp_path, config=HardwareConfig(lanes=1))
    log = "ERROR: something else\n"
    with pytest.raises(ToolError, match=r"^nextpnr-ice40 failed$"):
        build(two_layers(), ICEBREAKER, tmp_path, config=HardwareConfig(lanes=1))


def test_what_never_fits_is_refused(tools: Tools, tmp_path: Path) -> None:
    tools.cells = [{"SB_LUT4": 6000, "SB_RAM40_4K": 31}]
    with pytest.raises(
        ConfigError,
        match=r"'two layers' does not fit on iCEBreaker: it takes 6,000 look-up "
        r"tables of 5,280, 31 block RAMs of 30. Take a smaller network",
    ):
        build(two_layers(), ICEBREAKER, tmp_path, config=HardwareConfig(lanes=1))
    assert tools.names == ["yosys"]


def test_yosys_failing_on_the_last_design_is_told(tools: Tools, tmp_path: Path) -> None:
    tools.cells = [ToolError("yosys failed")]
    with pytest.raises(ToolError, match="yosys failed"):
        build(two_layers(), ICEBREAKER, tmp_path, config=HardwareConfig(lanes=1))


def test_a_clock_that_is_too_fast_leaves_no_bitstream(tools: Tools, tmp_path: Path) -> None:
    tools.reports[0] = REPORT | {"fmax": {"clk": {"achieved": 11.9}}, "critical_paths": []}
    with pytest.raises(ToolError, match=r"reaches 11.9 MHz, but iCEBreaker runs at 12 MHz"):
        build(two_layers(), ICEBREAKER, tmp_path, config=HardwareConfig(lanes=1))
    assert [path.name for path in tmp_path.iterdir()] == [WORK]


@pytest.mark.parametrize(
    ("seed", "expected"), [(None, [None, 1, 2]), (0, [0, 1, 2]), (7, [7, 8, 9])]
)
def test_placements_until_the_clock_is_reached(
    tools: Tools, tmp_path: Path, seed: int | None, expected: list[int | None]
) -> None:
    slow = REPORT | {"fmax": {"clk": {"achieved": 11.94}}, "critical_paths": []}
    tools.reports = [slow, slow, REPORT]
    said: list[str] = []
    options = Options(config=HardwareConfig(lanes=1), seed=seed, placements=5, say=said.append)
    manifest = build(two_layers(), ICEBREAKER, tmp_path, **options)
    assert tools.names == ["yosys", *["nextpnr-ice40"] * 3, "icepack"]
    placed = tools.commands[1:4]
    assert [int(c[-1]) if "--seed" in c else None for c in placed] == expected
    assert [c[:-2] if "--seed" in c else c for c in placed] == [
        placed[0][: -2 if seed is not None else None]
    ] * 3
    assert manifest.content["seed"] == expected[-1]
    assert manifest.content["fmax_mhz"] == 33.33
    assert said.count("11.9 MHz: placed again with another seed") == 2
    tools.reports, options["placements"] = [slow], 2
    with pytest.raises(ToolError, match=r"reaches 11.9 MHz, but iCEBreaker runs at 12 MHz"):
        build(two_layers(), ICEBREAKER, tmp_path, **options)
    assert tools.names[5:] == ["yosys", "nextpnr-ice40", "nextpnr-ice40"]


def test_a_placement_by_nextpnr_s_own_seed_is_not_in_the_manifest(
    tools: Tools, tmp_path: Path
) -> None:
    manifest = build(two_layers(), ICEBREAKER, tmp_path, config=HardwareConfig(lanes=1))
    assert "seed" not in manifest.content
    assert not any("--seed" in command for command in tools.commands)


@pytest.mark.parametrize("options", [Options(seed=-1), Options(nextpnr=("--seed", "3"))])
def test_nothing_is_begun_with_choices_that_nextpnr_cannot_be_given(
    tools: Tools, tmp_path: Path, options: Options
) -> None:
    with pytest.raises(ConfigError, match=r"^seeds must be from|^nextpnr's --seed is set"):
        build(two_layers(), ICEBREAKER, tmp_path, **options)
    assert tools.names == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cell", ["SB_MAC16", "ICESTORM_DSP"])
def test_a_multiplier_block_is_a_defect(tools: Tools, tmp_path: Path, cell: str) -> None:
    if cell == "SB_MAC16":
        tools.cells = [tools.cells[0] | {cell: 1}]
    else:
        used = {**REPORT["utilization"], cell: {"used": 1, "available": 8}}
        tools.reports[0] = {**REPORT, "utilization": used}
    with pytest.raises(ToolError, match="1 multiplier blocks, and should have none"):
        build(two_layers(), ICEBREAKER, tmp_path)


def test_xilinx_gets_a_project(tools: Tools, tmp_path: Path) -> None:
    tools.cells = [{"LUT6": 900, "FDRE": 500, "RAMB36E1": 2}]
    manifest = build(two_layers(), Board.find("arty-a7-100t"), tmp_path)
    assert tools.names == ["yosys"]
    assert manifest.bitstream is None
    assert manifest.content["routed"] is False
    assert manifest.content["resources"]["block_ram"]["used"] == 4
    work = tmp_path / WORK
    assert "synth_design -top top" in (work / "top.tcl").read_text()
    assert 'LOC E3 [get_ports "clk100_0__io"]' in (work / "top.xdc").read_text()
    assert (work / "top.v").read_text().count("module top(") == 1


@pytest.mark.boards
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-85f", "tang-nano-9k", "crosslink-nx-evn"])
def test_a_bitstream_built_twice_is_the_same(name: str, tmp_path: Path) -> None:
    made = []
    for folder in (tmp_path / "first", tmp_path / "second" / "deeper"):
        manifest = build(
            everything(),
            Board.find(name),
            folder,
            config=HardwareConfig(budget=8),
            source="yowasp",
        )
        made.append((manifest.path.read_bytes(), manifest.require_bitstream().read_bytes()))
        assert manifest.content["resources"]["dsp"]["used"] == 0
        assert manifest.content["fmax_mhz"] >= manifest.content["clock_mhz"]
        shutil.rmtree(folder / WORK)
    assert made[0] == made[1]


@pytest.mark.boards
def test_yosys_counts_a_vivado_project(tmp_path: Path) -> None:
    content = build(everything(), Board.find("pynq-z2"), tmp_path, source="yowasp").content
    assert content["resources"]["luts"]["used"] > 500
    assert content["resources"]["dsp"]["used"] == 0


def test_a_full_disk_ends_a_build_at_once_and_leaves_nothing(tools: Tools, tmp_path: Path) -> None:
    tools.cells = [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))]
    with pytest.raises(FileFormatError, match=r"^cannot write .*/work: No space left on device$"):
        build(two_layers(), ICEBREAKER, tmp_path)
    assert tools.names == ["yosys"], "a smaller design would not fit either"
    assert [path for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


def test_other_errors_of_a_build_keep_their_traceback_and_files(
    tools: Tools, tmp_path: Path
) -> None:
    tools.cells = [OSError(errno.EIO, os.strerror(errno.EIO))]
    with pytest.raises(OSError, match="Input/output error"):
        build(two_layers(), ICEBREAKER, tmp_path)
    assert (tmp_path / WORK).is_dir()


def test_more_arguments_for_nextpnr(tools: Tools, tmp_path: Path) -> None:
    given = ("--placer", "static", "--router", "router2")
    options = Options(config=HardwareConfig(lanes=1), seed=3, nextpnr=given)
    manifest = build(two_layers(), ICEBREAKER, tmp_path, **options)
    assert tools.commands[1][-6:] == [*given, "--seed", "3"]
    assert manifest.content["nextpnr"] == list(given)
    assert Manifest.load(manifest.path).content == manifest.content


def test_the_manifest_has_what_a_large_design_was_placed_with(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ice40, "placing", lambda _, luts: ("--router", f"for {luts}"))
    manifest = build(two_layers(), ICEBREAKER, tmp_path, config=HardwareConfig(lanes=1))
    assert tools.commands[1][-2:] == ["--router", f"for {tools.cells[0]['SB_LUT4']}"]
    assert manifest.content["nextpnr"] == tools.commands[1][-2:]
