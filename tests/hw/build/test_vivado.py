"""Projects for Vivado: what can be known of them without it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io
from support.hw.components import plan_of, small_plan

from spikeloom.hw.boards import Board
from spikeloom.hw.build.family import Family
from spikeloom.hw.build.flow import write_sources
from spikeloom.hw.build.top import Top
from spikeloom.hw.build.vivado import Overlay, Pins
from spikeloom.hw.device import Device
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning import plan
from spikeloom.sw.errors import ConfigError, FileFormatError, UnsupportedError
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import Linear

pytest.importorskip("amaranth_boards")


class Echo(Elaboratable):
    """Asks a board for the pins that a device needs."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        held = Signal()
        m.d.sync += held.eq(rx.i)
        m.d.comb += tx.o.eq(held)
        return m


@pytest.mark.parametrize("name", ["arty-a7-100t", "pynq-z2"])
def test_pins(name: str, tmp_path: Path) -> None:
    board = Board.find(name)
    written = Pins(board, Echo(board)).write(tmp_path)
    assert [path.name for path in written] == ["top.tcl", "top.v", "top.xdc"]
    script, verilog, constraints = (path.read_text() for path in written)
    assert "VIVADO WAS NOT RUN" in script
    part = re.search(r"-part (\S+)", script)
    assert part
    assert part[1] == board.device
    assert "-max_dsp 0" in script
    assert "write_bitstream" in script.partition("the clock is too fast")[2]
    for pin, port in ((board.link.rx, "rx"), (board.link.tx, "tx")):
        assert f'set_property LOC {pin} [get_ports "uart_0__{port}__io"]' in constraints
        assert re.search(rf"^  (in|out)put uart_0__{port}__io;", verilog, re.MULTILINE)
    period = re.search(r"create_clock .*-period (\S+)", constraints)
    assert period
    assert float(period[1]) == 1000 / board.clock


def test_overlay() -> None:
    plan = small_plan()
    files = Overlay(Board.find("pynq-z2"), plan, clock=80).files()
    assert set(files) == {"overlay.tcl", "spikeloom.v"}
    script = files["overlay.tcl"]
    assert "VIVADO WAS NOT RUN" in script
    assert "@" not in script
    assert "set part xc7z020clg400-1\nset clock 80\n" in script
    assert f"set_property top {plan.config.top} " in script
    assert f"module {plan.config.top}(" in files["spikeloom.v"]
    assert "CONFIG.c_m_axis_mm2s_tdata_width 8 " in script
    assert "ARGS.MAX_DSP 0" in script
    # Not a character of Tcl's quoting is left open.
    for opening, closing in ("{}", "[]"):
        assert script.count(opening) == script.count(closing)
    assert script.count('"') % 2 == 0


def test_an_overlay_takes_the_files_of_memories_along() -> None:
    plain = small_plan()
    planned = plan(plain.network, dataclasses.replace(plain.config, memories="files"))
    files = Overlay(Board.find("pynq-z2"), planned).files()
    memories = [name for name in files if name.endswith(".mem")]
    assert memories
    script = files["overlay.tcl"]
    before = Overlay(Board.find("pynq-z2"), plain).files()["overlay.tcl"]
    # Vivado's message of a file that it does not find is an error, or it would go on with zeros.
    added = script.replace("set_msg_config -id {Synth 8-4445} -new_severity ERROR\n", "").replace(
        f"add_files -norecurse {{{' '.join(memories)}}}\n", ""
    )
    assert added == before
    assert len(script) > len(before) + 50
    assert script.index(memories[0]) < script.index("ipx::package_project")


def test_pins_take_the_files_of_memories_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.hw.engine.rom.INLINE_BITS", 0)
    planned, board = small_plan(), Board.find("arty-a7-100t")
    device = Device(planned, LinkPlan.of(planned, 100_000_000, 1_000_000))
    write_sources(Top(board, device), board, Family.find("xilinx"), tmp_path)
    memories = [path.name for path in tmp_path.glob("*.mem")]
    assert memories
    script = (tmp_path / "top.tcl").read_text()
    (added,) = re.findall(r"^add_files -norecurse {(.*)}$", script, re.MULTILINE)
    assert set(added.split()) == set(memories)
    assert 'add_files "spikeloom_rom.v"\nadd_files top.v\nset_msg_config -id {Synth' in script
    assert "module spikeloom_rom #(" in (tmp_path / "spikeloom_rom.v").read_text()
    assert (tmp_path / "top.ys").read_text().startswith("read_verilog spikeloom_rom.v top.v\n")


def test_the_overlay_connects_what_there_is() -> None:
    """Each bus of the accelerator once, clock and reset too, and no cell that was not made."""
    files = Overlay(Board.find("pynq-z2"), small_plan()).files()
    script = files["overlay.tcl"]
    cells = set(re.findall(r"\bcell (\w+) \w+\.?\w*:\w+:\w+", script))
    used = re.findall(r"\b(\w+)/([A-Za-z]\w*)", script.partition("foreach pin")[2])
    used = [(cell, pin) for cell, pin in used if cell in cells]
    assert {cell for cell, _ in used} == cells
    assert len(cells) == 6
    own = sorted(pin for cell, pin in used if cell == "spikeloom")
    assert own == sorted(["S_AXIS", "M_AXIS", "S_AXI", "aclk", "aresetn"])
    ports = set(re.findall(r"X_INTERFACE_INFO = \"\S+ (\w+) ", files["spikeloom.v"]))
    assert set(own) == ports
    assert len(used) == len(set(used)), "each pin once"


def test_an_overlay_serves_a_processor() -> None:
    with pytest.raises(ConfigError, match=r"^Arty A7-100T has no processor that an overlay could"):
        Overlay(Board.find("arty-a7-100t"), small_plan())
    for clock in (0.0, 251.0):
        with pytest.raises(ConfigError, match=rf"gives its logic 250 MHz at most, not {clock:g}: "):
            Overlay(Board.find("pynq-z2"), small_plan(), clock)


def test_manifests_name_the_scripts() -> None:
    pins = Manifest({"hardware": {}}, Path("m"))
    overlay = Manifest({"hardware": {"axi": {}}}, Path("m"))
    assert f"-source {Pins.script}`" in pins.project
    assert f"-source {Overlay.script}`" in overlay.project


def test_what_dma_cannot_carry_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of((1,), Linear(np.array([[1]])), bits=4)
    monkeypatch.setattr("spikeloom.hw.axi.plan.AxiPlan.data_bits", 24)
    with pytest.raises(UnsupportedError, match=r"^values of 3 bytes, and AXI DMA carries those"):
        Overlay(Board.find("pynq-z2"), plan)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    project = Overlay(Board.find("pynq-z2"), small_plan())
    with pytest.raises(FileFormatError, match=r"^cannot write "):
        project.write(tmp_path / "file")
