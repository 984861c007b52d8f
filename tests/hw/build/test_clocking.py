"""Clocks made of oscillators: by the equations of the data sheets."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io

from spikeloom.hw.boards import Board
from spikeloom.hw.build.clocking import Clocking, Pll
from spikeloom.sw.errors import ConfigError

PLLS = {"ecp5": (25.0, 48.0), "ice40": (12.0,), "gowin": (27.0,), "xilinx": (100.0, 125.0)}


@pytest.mark.parametrize(
    ("family", "oscillator", "wanted", "dividers"),
    [
        # What ecppll and icepll print for these.
        ("ecp5", 25.0, 75.0, (1, 3, 8)),
        ("ice40", 12.0, 24.0, (1, 64, 32)),
        # 27 MHz times 2, and the loop's own oscillator nearest to the middle of 400 to 1200.
        ("gowin", 27.0, 54.0, (1, 2, 16)),
        # 1200 is the middle of 800 to 1600; of 125 MHz, 1250 comes nearest to it.
        ("xilinx", 100.0, 50.0, (1, 12, 24)),
        ("xilinx", 125.0, 50.0, (1, 10, 25)),
    ],
)
def test_known_divisions(
    family: str, oscillator: float, wanted: float, dividers: tuple[int, int, int]
) -> None:
    found = Pll.find(family).division(oscillator, wanted)
    assert (found.before, found.feedback, found.after) == dividers
    assert found.clock == wanted


@pytest.mark.parametrize(("family", "oscillator"), [(f, o) for f in PLLS for o in PLLS[f]])
def test_every_division_keeps_the_limits(family: str, oscillator: float) -> None:
    pll = Pll.find(family)
    # Which frequency of the loop is fed back: the output's, but of these the inner one.
    inner_is_fed_back = family in ("ice40", "xilinx")
    found = list(pll.divisions(oscillator))
    assert len(found) > 50
    for division in found:
        compared = oscillator / division.before
        fed = division.clock * (division.after if inner_is_fed_back else 1)
        assert fed == pytest.approx(compared * division.feedback, rel=1e-12)
        assert pll.compared[0] <= compared <= pll.compared[1]
        assert pll.inner[0] <= division.clock * division.after <= pll.inner[1]


def test_what_cannot_be_made() -> None:
    with pytest.raises(
        ConfigError, match=r"^12 MHz cannot be made into 25 MHz: the next is --clock 25.125$"
    ):
        Pll.find("ice40").division(12.0, 25.0)
    assert Pll.find("ice40").division(12.0, 25.125).clock == 25.125
    with pytest.raises(ConfigError, match=r"^there is no other clock .* for nexus: leave out"):
        Pll.find("nexus")


def test_a_loop_is_that_of_the_device_alone() -> None:
    board = Board.find("tang-nano-9k")
    assert Pll.of(board).family == "gowin"
    other = replace(board, device="GW2A-LV18PG256C8/I7")
    with pytest.raises(ConfigError, match=r"^there is no other clock .* for GW2A-LV18PG256C8/I7: "):
        Pll.of(other)


class Blink(Elaboratable):
    def __init__(self, board: Board, clock: float) -> None:
        self.clocking = Clocking(board, clock)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = self.clocking.domain
        m.submodules.clocking = self.clocking
        ticks = Signal(20)
        m.d.sync += ticks.eq(ticks + 1)
        m.submodules.led = led = io.Buffer("o", platform.request("led", 0, dir="-"))
        m.d.comb += led.o.eq(ticks[-1])
        return m


@pytest.mark.parametrize(
    ("board", "clock", "cell", "settings"),
    [
        ("ulx3s-85f", 75.0, "EHXPLLL", {"CLKI_DIV": 1, "CLKFB_DIV": 3, "CLKOP_DIV": 8}),
        ("icebreaker", 24.0, "SB_PLL40_PAD", {"DIVR": 0, "DIVF": 63, "DIVQ": 5}),
        ("tang-nano-9k", 54.0, "rPLL", {"IDIV_SEL": 0, "FBDIV_SEL": 1, "ODIV_SEL": 16}),
    ],
)
def test_the_design_has_the_loop(
    board: str, clock: float, cell: str, settings: dict[str, int]
) -> None:
    found = Board.find(board)
    made = found.platform().prepare(Blink(found, clock), "top", emit_src=False, debug_verilog=False)
    design = next(text for name, text in made.files.items() if name == "top.il")
    text = design if isinstance(design, str) else design.decode()
    begin = text.index(f"cell \\{cell} ")
    instance = text[begin : text.index("  end\n", begin)]
    for name, value in settings.items():
        assert f"parameter \\{name} " in instance
        line = next(x for x in instance.splitlines() if f"parameter \\{name} " in x)
        word = line.split()[-1]
        assert (int(word.split("'")[1], 2) if "'" in word else int(word)) == value


def test_the_clock_of_an_ecp5_is_held_back_in_place_of_a_reset() -> None:
    """Registers of ``sync`` are behind the gate, and have no reset; those of an iCE40 have one."""
    texts = {}
    for board, clock in (("ulx3s-85f", 75.0), ("icebreaker", 24.0)):
        found = Board.find(board)
        design = Blink(found, clock)
        made = found.platform().prepare(design, "top", emit_src=False, debug_verilog=False)
        text = made.files["top.il"]
        texts[board] = text if isinstance(text, str) else text.decode()
    ends = dict(
        re.findall(r"connect \\(CLKI|CE|CLKO) (\S+)", texts["ulx3s-85f"].split("cell \\DCCA ")[1])
    )
    loop = dict(re.findall(r"connect \\(CLKOP) (\S+)", texts["ulx3s-85f"]))
    assert ends["CLKI"] == loop["CLKOP"] != ends["CLKO"]
    assert ends["CE"] == "\\ready"
    assert "\\rst" not in texts["ulx3s-85f"]
    assert "DCCA" not in texts["icebreaker"]
    assert "\\rst" in texts["icebreaker"]


@pytest.mark.parametrize(("board", "multiplied"), [("arty-a7-100t", 12), ("pynq-z2", 10)])
def test_vivado_finds_the_clock_behind_the_loop_by_itself(board: str, multiplied: int) -> None:
    found = Board.find(board)
    made = found.platform().prepare(Blink(found, 50.0), "top", emit_src=False, debug_verilog=False)
    texts = {n: t if isinstance(t, str) else t.decode() for n, t in made.files.items()}
    loop = re.search(r"PLLE2_BASE #\((.*?)\n  \) pll \((.*?)\n  \);", texts["top.v"], re.S)
    assert loop
    assert f".CLKFBOUT_MULT(32'd{multiplied})" in loop[1]
    assert f".CLKIN1_PERIOD({1000 / found.clock:.1f})" in loop[1]
    ends = dict(re.findall(r"\.(\w+)\((.*?)\)", loop[2]))
    assert ends["CLKFBIN"] == ends["CLKFBOUT"] != ends["CLKOUT0"]
    assert re.search(rf"BUFG network \(\s*\.I\({re.escape(ends['CLKOUT0'])}\)", texts["top.v"])
    clocks = re.findall(r"^create_clock .*", texts["top.xdc"], re.M)
    assert len(clocks) == 1
    assert f"-period {1000 / found.clock} " in clocks[0]
