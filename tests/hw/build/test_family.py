from __future__ import annotations

import pytest

from spikeloom.hw.boards import Board
from spikeloom.hw.build.blocks import Memory
from spikeloom.hw.build.family import Family

#: Bits of constants for a cost of 1, and the cost of a port, in Yosys' sums.
_PER_COST, _PORT = 16, 2
FAMILIES = sorted({Board.find(name).family for name in Board.names()})


@pytest.mark.parametrize("name", FAMILIES)
class TestEveryFamily:
    def test_every_shape_of_a_block_is_one_block(self, name: str) -> None:
        family = Family.find(name)
        for depth, width in family.block.shapes:
            assert family.blocks(Memory(depth, width)) == 1
            assert family.blocks(Memory(2 * depth, width)) == 2
            assert family.blocks(Memory(depth, 2 * width, parts=1)) == 2

    def test_a_small_memory_takes_no_block(self, name: str) -> None:
        family = Family.find(name)
        # Logic holds 16 bits of constants for a cost of 1, and a block has a port besides.
        bits = _PER_COST * (family.block.cost + _PORT)
        assert family.blocks(Memory(bits // 4, 4)) == 0
        assert family.blocks(Memory(bits // 4 + 4, 4)) == 1
        assert family.blocks(Memory(family.shallow, 1000)) == 0

    def test_memories_are_counted_in_the_text_of_a_design(self, name: str) -> None:
        family = Family.find(name)
        depth, width = family.block.shapes[-1]
        text = (
            f"module \\a\n  memory width {width} size {depth} \\bank0\nend\n"
            f"module \\b\n  memory width {2 * width} size {depth} \\ring$3\n"
            f"  memory width 30 size 1 \\storage\n  wire width 3 \\x\nend\n"
        )
        assert family.memory_blocks(text) == 3
        mapped = family.mapped(text)
        assert mapped.count('  attribute \\ram_style "logic"\n  memory width 30 ') == bool(
            family.shallow
        )
        file = (
            f"  cell \\spikeloom_rom \\bank1\n    parameter \\WIDTH {2 * width}\n"
            f"    parameter \\DEPTH {depth}\n    parameter \\BITS 9\n  end\n"
        )
        assert family.memory_blocks(text + file) == 5
        assert mapped.replace('  attribute \\ram_style "logic"\n', "") == text

    def test_multipliers_are_told_from_other_cells(self, name: str) -> None:
        family = Family.find(name)
        cells = {family.multipliers[0] + "18": 3, next(iter(family.luts)): 5, "UNKNOWN": 7}
        found = family.synthesised(cells)
        assert (found.dsp, found.luts) == (3, 5 * next(iter(family.luts.values())))


def test_nextpnr_counts_a_lattice_design() -> None:
    report = {
        "utilization": {
            "TRELLIS_COMB": {"used": 5, "available": 83640},
            "TRELLIS_FF": {"used": 3, "available": 83640},
            "DP16KD": {"used": 1, "available": 208},
            "MULT18X18D": {"used": 2, "available": 156},
        }
    }
    family = Family.find("ecp5")
    assert family.routed(report)["luts"] == {"used": 5, "available": 83640}
    assert family.multiplied(report) == 2


def test_a_nexus_design_has_no_carry_cells_and_the_router_that_finds_its_clock() -> None:
    family = Family.find("nexus")
    rendered = [
        ["yosys", "-l", "top.rpt", "top.ys"],
        ["nextpnr-nexus", "--device", "LIFCL-40-9BG400C", "--fasm", "top.fasm"],
        ["prjoxide", "pack", "top.fasm", "top.bit"],
    ]
    place, pack = family.commands(rendered, 12.0)
    assert place[:7] == [*rendered[1], "--router", "router1"]
    assert place[7:9] == ["--freq", "12"]
    assert pack == rendered[2]
    assert family.synthesis == "-noccu2"


def test_a_nexus_table_of_five_inputs_is_two_and_a_small_memory_six() -> None:
    found = Family.find("nexus").synthesised(
        {"LUT4": 10, "WIDEFN9": 3, "DPR16X4": 2, "FD1P3IX": 5, "FD1P3JX": 1, "PDPSC16K": 4}
    )
    # A five-input table is two of four inputs; 16 words of 4 bits are four, and two that write.
    assert (found.luts, found.flipflops, found.block_ram) == (10 + 3 * 2 + 2 * 6, 6, 4)


def test_a_gowin_adder_takes_the_place_of_a_table() -> None:
    used = {"LUT4": (50, 8640), "ALU": (20, 6480), "DFF": (1, 6480), "BSRAM": (2, 26)}
    report = {
        "utilization": {k: {"used": u, "available": a} for k, (u, a) in used.items()},
    }
    assert Family.find("gowin").routed(report)["luts"] == {"used": 70, "available": 8640}


def test_commands_are_those_of_the_tools_of_today() -> None:
    rendered = [
        ["yosys", "-q", "top.ys"],
        ["nextpnr-gowin", "--device", "GW1N", "--family", "GW1N-9C", "--cst", "top.cst"],
        ["gowin_pack", "-o", "top.fs", "top.pnr.json"],
        ["dfu-suffix", "top.bit"],
    ]
    place, pack = Family.find("gowin").commands(rendered, 27.0)
    assert place[:7] == [
        *("nextpnr-himbaechel-gowin", "--device", "GW1N"),
        *("--vopt", "family=GW1N-9C", "--vopt", "cst=top.cst"),
    ]
    assert place[7:9] == ["--freq", "27"]
    assert "--timing-allow-fail" in place
    assert pack == rendered[2]


@pytest.mark.parametrize(
    ("device", "database"),
    [
        ("GW1N-9", "GW1N-9"),
        ("GW1NR-9C", "GW1N-9C"),
        ("GW1NZ-1", "GW1NZ-1"),
        ("GW1NSR-4C", "GW1NS-4"),
        ("GW2AR-18C", "GW2A-18C"),
    ],
)
def test_gowin_devices_with_memory_beside_them_have_the_database_of_those_without(
    device: str, database: str
) -> None:
    rendered = [
        ["yosys", "-q", "top.ys"],
        ["nextpnr-gowin", "--family", device],
        ["gowin_pack", "-d", device, "top.pnr.json"],
    ]
    place, pack = Family.find("gowin").commands(rendered, 27.0)
    assert place[1:3] == ["--vopt", f"family={database}"]
    assert pack == ["gowin_pack", "-d", database, "top.pnr.json"]


def test_xilinx_counts_large_blocks_twice_and_runs_nothing_but_yosys() -> None:
    family = Family.find("xilinx")
    assert family.synthesised({"RAMB18E1": 1, "RAMB36E1": 2}).block_ram == 5
    assert family.synthesised({"LUT6": 7, "INV": 1, "RAM128X1D": 1, "CARRY4": 9}).luts == 12
    assert [tool.name for tool in family.tools] == ["yosys"]
    assert family.commands([["vivado", "-mode", "batch"]], 100.0) == []
