"""Tables of boards: what they hold, and one line that says what is wrong with them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io

from spikeloom.hw.boards import Board, Light, Link, Processor, Resources
from spikeloom.sw.errors import ConfigError, FileFormatError, UnsupportedError

pytest.importorskip("amaranth_boards")

TEMPLATE = Board.template()
#: A table that names a platform.
NAMED = """
name = "own"
family = "ecp5"
device = "LFE5U-85F-6BG381C"
platform = "amaranth_boards.ulx3s:ULX3S_85F_Platform"
[clock]
mhz = 25.0
[link]
rx = "M1"
tx = "L4"
[lights]
passed = { resource = "led", label = "D0" }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


class Blink(Elaboratable):
    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lit = Signal()
        m.d.sync += lit.eq(~lit)
        m.submodules.led = led = io.Buffer("o", platform.request("led", 0, dir="-"))
        m.d.comb += led.o.eq(lit)
        return m


def files(board: Board) -> dict[str, str]:
    """Return the files for the tools of a board that blinks."""
    made = board.platform().prepare(Blink(), "top", emit_src=False, debug_verilog=False)
    return {name: x if isinstance(x, str) else x.decode() for name, x in made.files.items()}


def test_the_template_is_a_board(tmp_path: Path) -> None:
    board = Board.load(written(tmp_path, TEMPLATE))
    assert (board.name, board.family, board.clock) == ("my-board", "ecp5", 25.0)
    assert board.link == Link("M13", "P12", "serial adapter", 115_200)
    assert board.lights == {"passed": Light("led", 0, None, label="DATA LED")}
    assert board.resources == Board.find("orangecrab-25f").resources
    assert 'LOCATE COMP "led_0__io" SITE "P11"' in files(board)["top.lpf"]


def test_the_template_with_every_key_is_a_board(tmp_path: Path) -> None:
    lines = [
        line.removeprefix("# ") if " = " in line or line.startswith("# [") else line
        for line in TEMPLATE.splitlines()
    ]
    board = Board.load(written(tmp_path, "\n".join(lines)))
    assert list(board.lights) == ["passed", "failed", "alive"]
    made = files(board)
    assert "--compress" in made["build_top.sh"]
    assert 'LOCATE COMP "rst_0__io" SITE "R7"' in made["top.lpf"]
    # `processor` and `platform` are not for the template's reader: docs/boards has them.
    keys = set(tomllib.loads("\n".join(lines)))
    assert {"reset", "options", "resources", "attributes", "version", "loader"} <= keys


def test_the_table_of_a_known_board_begins_another_one(tmp_path: Path) -> None:
    text = Board.template("ULX3S 85F").replace('"ulx3s-85f"', '"own"')
    board = Board.load(written(tmp_path, text))
    assert board.lights == Board.find("ulx3s-85f").lights
    with pytest.raises(ConfigError, match="no board 'de10'"):
        Board.template("de10")


def test_a_described_board_is_the_named_one(tmp_path: Path) -> None:
    text = """
        name = "own"
        family = "ecp5"
        device = "LFE5U-85F-6BG381C"
        attributes = { IO_TYPE = "LVCMOS33" }
        options = { ecppack_opts = "--compress" }
        [clock]
        mhz = 25.0
        pin = "G2"
        [link]
        rx = "M1"
        tx = "L4"
        [lights]
        passed = { pin = "B2", attributes = { DRIVE = "4" } }
    """
    made, known = files(Board.load(written(tmp_path, text))), files(Board.find("ulx3s-85f"))
    for name in ("top.il", "top.lpf", "top.ys", "build_top.json"):
        assert made[name] == known[name]


def test_levels_attributes_and_a_clock_with_a_fraction(tmp_path: Path) -> None:
    text = TEMPLATE.replace("25.0", "33.333").replace("# attributes = {}", 'attributes={A="b"}', 1)
    board = Board.load(written(tmp_path, text))
    platform = board.platform()
    assert platform.request("led", 0, dir="-").invert == (True,)
    assert platform.default_clk_frequency == 33_333_000
    assert 'IOBUF PORT "clk33_333_0__io" IO_TYPE=LVCMOS33 A=b' in files(board)["top.lpf"]


def test_a_processor_and_resources_that_the_table_says(tmp_path: Path) -> None:
    text = """
        name = "own"
        family = "xilinx"
        device = "xc7z045ffg676-1"
        [clock]
        mhz = 100
        pin = "E3"
        [link]
        rx = "A9"
        tx = "D10"
        [lights]
        passed = { pin = "H5" }
    """
    with pytest.raises(ConfigError, match=r"own.toml: device 'xc7z045ffg676-1' is not one whose"):
        Board.load(written(tmp_path, text))
    text += """
        [resources]
        luts = 218600
        flipflops = 437200
        block_ram = 1090
        dsp = 900
        [processor]
        name = "Zynq-7000"
        fastest = 250
    """
    board = Board.load(written(tmp_path, text))
    assert board.resources == Resources(218600, 437200, 1090, 900)
    assert board.processor == Processor("Zynq-7000", 250.0)
    assert board.lights["passed"].label == "pin H5"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "my-board"', "", "board must say 'name'"),
        ('"my-board"', '"../x"', "board: name must be of letters, digits and dashes, as in 'my-bo"),
        ('"my-board"', '"ULX3S_85F"', "name 'ULX3S_85F' is a known board's: take another name"),
        ('"ecp5"', '"ecp6"', r"family: there is no 'ecp6': did you mean 'ecp5'\?"),
        ('"ecp5"', "5", "board.family must be a text, not 5"),
        ("6BG256C", "6BG999C", "device 'LFE5U-25F-6BG999C': the tools know no package 'BG999' of"),
        ("LFE5U-25F-6BG256C", "iCE40UP5K-SG48", "device 'iCE40UP5K-SG48' is no part number of e"),
        ("25.0", '"25 MHz"', "clock.mhz must be a number, not '25 MHz'"),
        ("25.0", "nan", "clock: mhz must be above 0, not nan: write 25.0 for 25 MHz"),
        ("mhz", "mzh", r"clock has no key 'mzh': did you mean 'mhz'\? There are mhz, pin, attrib"),
        ('pin = "P6"', "", "clock must say 'pin', where the oscillator reaches the FPGA"),
        ('"P6"', "6", "clock.pin must be a text, not 6"),
        ('"P6"', '"j_1:6"', "clock: pin must name one pin of the FPGA, as in 'A9' or '35', not "),
        ('"M13"', '["M13"]', r"link.rx must be a text, not \['M13'\]"),
        ('"M13"', '"M 13"', "link: rx must name one pin of the FPGA, as in 'A9' or '35', not 'M 1"),
        ('"M13"', '"P12"', "link: rx and tx are both pin 'P12': name two pins"),
        ('"M13"', '"P11"', "lights.passed and link.rx are both pin 'P11': each needs its own"),
        ("# baud = 115_200", "baud = 0", "link: baud must be at least 1, not 0: 115200 suits any"),
        ("[clock]", "[clok]", r"board has no key 'clok': did you mean 'clock'\? There are name, "),
        ("[clock]", "[[clock]]", r"clock must be a table, \[clock\], not \[\{"),
        ("passed =", "pased =", r"lights has no key 'pased': did you mean 'passed'\? There are p"),
        ("passed =", "alive =", "lights must say 'passed', the LED that shines if the self test"),
        ("inverted = true,", 'inverted = "yes",', "inverted must be true or false, not 'yes'"),
        ('"LVCMOS33"', "3.3", "attributes.IO_TYPE must be a text or an integer or true or false, "),
        ("[attributes]", "[options]", r"options has no key 'IO_TYPE': there are nextpnr_opts, ecp"),
        ("# memories", "memories = []#", "board: memories must name one of sram, flash, or be"),
        ("# memories", 'memories = ["rom"]#', "memories: there is no 'rom': there are sram, flash"),
        ("# version", 'platform = "a:B"#', "'attributes' is for a board without a platform"),
        ("[attributes]", "[resources]\nluts = 0\nflipflops = 1\nblock_ram = 1\ndsp = 0\n[reset]",
         "reset has no key 'IO_TYPE'"),
        ("[attributes]", "[[attributes]]", r"attributes must be a table, \[attributes\], not"),
        ("[attributes]\nIO_TYPE = ", "[link2]\nx = ", "board has no key 'link2': did you mean"),
    ],
)  # fmt: skip
def test_a_bad_table_is_told_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEMPLATE
    path = written(tmp_path, TEMPLATE.replace(old, new, 1))
    with pytest.raises(ConfigError, match=f"^{path}: .*{message}") as caught:
        Board.load(path)
    assert str(caught.value).endswith(". `spikeloom boards --template` explains every key")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("section", ["clock", "link", "lights"])
def test_a_section_that_is_missing(tmp_path: Path, section: str) -> None:
    head, _, rest = TEMPLATE.partition(f"[{section}]")
    left = rest[rest.index("\n[") :]
    with pytest.raises(ConfigError, match=rf"board must have a section \[{section}\]"):
        Board.load(written(tmp_path, head + left))


def test_no_table() -> None:
    with pytest.raises(FileFormatError, match=r"^board's table nowhere.toml does not exist: check"):
        Board.find("nowhere.toml")
    with pytest.raises(FileFormatError, match=r"^board's table .* cannot be read: Is a directory$"):
        Board.find(Path.cwd())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not toml", "is no TOML file: Expected '='"),
        (bytes(range(256)), "is no TOML file: 'utf-8' codec"),
        (b"a = " + b"[" * 9999, "is no TOML file: its lists are nested too deep"),
        (b"#" * (1 << 21), "has more than 1,048,576 bytes, which no board's table has: check the"),
    ],
)
def test_a_file_that_is_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "own.toml").write_bytes(content)
    with pytest.raises(FileFormatError, match=message):
        Board.load(tmp_path / "own.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ULX3S_85F_Platform", "Nope", "amaranth_boards.ulx3s has no 'Nope': check the name"),
        (
            ".ulx3s:",
            ".nope:",
            r"No module named 'amaranth_boards.nope': check the name, or",
        ),
        ("amaranth_boards.ulx3s:", "", "platform must be 'module:NAME' or 'FILE.py:NAME', not "),
        ("amaranth_boards.ulx3s:ULX3S_85F_Platform", "no.py:A", "no.py does not exist: check the"),
        ("amaranth_boards.ulx3s:ULX3S_85F_Platform", "builtins:dict", "is dict, not an amaranth."),
        ("mhz = 25.0", "mhz = 24.0", "own: clock.mhz is 24.0, but its platform has 25.0: change"),
        ('"M1"', '"M2"', "board own: link.rx is 'M2', but its platform has 'M1': change the table"),
        ("85F-6", "45F-6", "board own: device is 'LFE5U-45F-6BG381C', but its platform has 'LFE5U"),
        ('"led"', '"lamp"', "^platform ULX3S_85F_Platform: Resource lamp#0 does not exist$"),
        ('"led"', '"led", part = "r"', "^lights.passed: platform .* has no LED led 0 r$"),
    ],
)
def test_a_platform_that_is_not_the_table_s(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in NAMED
    board = Board.load(written(tmp_path, NAMED.replace(old, new)))
    with pytest.raises(ConfigError, match=message):
        board.platform()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mhz = 25.0", 'mhz = 25.0\npin = "G2"', "clock.pin and clock.attributes are the platform"),
        ('resource = "led"', 'pin = "B2"', "lights.passed has no key 'pin': there are resource, "),
        ("[clock]", "options = {}\n[clock]", "'options' is for a board without a platform: leave"),
    ],
)
def test_keys_that_a_platform_answers(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Board.load(written(tmp_path, NAMED.replace(old, new)))


OWN = """
from amaranth_boards.ulx3s import ULX3S_85F_Platform

class MinePlatform(ULX3S_85F_Platform):
    pass

class NeedsPlatform(ULX3S_85F_Platform):
    def __init__(self, x):
        pass
"""


class TestAPlatformInAFile:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "mine.py"
        path.write_text(OWN)
        return path

    def test_is_a_board(self, file: Path) -> None:
        board = Board.find(f"{file}:MinePlatform")
        assert (board.name, board.title) == ("mine", "MinePlatform")
        known = Board.find("ulx3s-85f")
        assert (board.device, board.clock) == (known.device, known.clock)
        assert (board.link.rx, board.link.tx) == ("M1", "L4")
        assert [light.number for light in board.lights.values()] == [0, 1, 2]
        assert board.resources == known.resources
        assert files(board) == files(known)

    def test_lies_beside_its_table(self, file: Path, tmp_path: Path) -> None:
        text = NAMED.replace("amaranth_boards.ulx3s:ULX3S_85F_Platform", "mine.py:MinePlatform")
        board = Board.load(written(tmp_path, text))
        assert type(board.platform()).__name__ == "MinePlatform"

    def test_that_needs_arguments(self, file: Path) -> None:
        with pytest.raises(UnsupportedError, match="cannot be made without arguments: TypeError"):
            Board.load(f"{file}:NeedsPlatform")

    def test_that_fails(self, file: Path) -> None:
        file.write_text("raise ValueError('no')")
        with pytest.raises(UnsupportedError, match=f"^{file} fails: ValueError: no$"):
            Board.load(f"{file}:MinePlatform")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("kcu105:KCU105Platform", "has no resource 'uart': add one, or write a table that names"),
        ("de0:DE0Platform", "is of no family that Spikeloom builds for: ecp5, ice40, nexus, gowin"),
        ("tang_primer_20k:TangPrimer20kPlatform", "has neither a resource 'led' nor 'rgb_led': wr"),
        ("colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform", "uses physical pin P11, but it is"),
    ],
)
def test_a_platform_that_lacks_something(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Board.find(f"amaranth_boards.{spec}")


def test_a_platform_of_amaranth_s_collection() -> None:
    board = Board.find("amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform")
    assert (board.device, board.resources.dsp) == ("iCE40HX8K-CT256", 0)
    assert (board.link.rx, board.link.tx) == ("B10", "B12")


@pytest.mark.parametrize(("name", "number"), [("luts", 0), ("dsp", -1)])
def test_figures_that_no_device_has(name: str, number: int) -> None:
    figures = {"luts": 5280, "flipflops": 5280, "block_ram": 30, "dsp": 8} | {name: number}
    with pytest.raises(ConfigError, match=f"resources: {name} must not be {number}: take the fig"):
        Resources.of_device(figures)
