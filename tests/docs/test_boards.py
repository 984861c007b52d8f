"""The pages of boards agree with the code on pins, rates, LEDs and commands."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from support.pages import parsed

from spikeloom.hw.boards import Board
from spikeloom.hw.build.family import Family
from spikeloom.sw import network
from spikeloom.sw.cli import main
from spikeloom.sw.cli.networks import FOLDER

pytest.importorskip("amaranth_boards")

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "boards"
NAMES = Board.names()
#: Pages with commands for a shell.
WITH_COMMANDS = [
    "axi.md",
    "build.md",
    "driver.md",
    *(f"boards/{name}.md" for name in ["README", *NAMES]),
]


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def commands(page: str) -> list[str]:
    """Return each ``spikeloom`` command in the page's blocks."""
    blocks = re.findall(r"^```\n(.*?)^```", page, re.M | re.S)
    lines = [re.split("  #| > ", line)[0] for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("spikeloom ")]


def pins(board: Board) -> dict[str, str]:
    """Return the pins of the clock and of each LED, as the board's platform has them."""
    platform = board.platform()
    places = {(light.resource, light.number) for light in board.lights.values()}
    ports = {place: platform.request(*place, dir="-") for place in places}
    found = {"clock": platform.request(platform.default_clk, dir="-")}
    for name, light in board.lights.items():
        port = ports[light.resource, light.number]
        found[name] = port if light.part is None else getattr(port, light.part)
    return {name: port.io.metadata[0].name for name, port in found.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_the_board_s_pins_and_rates(name: str) -> None:
    board, lines = Board.find(name), text(f"boards/{name}.md").splitlines()
    at = pins(board)
    link = f"{board.link.over}; {board.link.baud:,} baud, 8 data bits, no parity, 1 stop bit"
    expected = [
        f"# {board.title}",
        f"| FPGA | {board.device} |",
        f"| clock | {board.clock:g} MHz, pin {at['clock']} |",
        f"| FPGA receives | pin {board.link.rx} |",
        f"| FPGA sends | pin {board.link.tx} |",
        f"| link | {link} |",
        f"| openFPGALoader's name | `{board.loader}` |",
        f"| loads into | {', '.join(board.memories)} |",
    ]
    assert [line for line in expected if line not in lines] == []
    lights = [line.split(" | ")[:3] for line in lines if re.match(r"\| `\w+` \| ", line)]
    on_page = {words[0].strip("| `"): words[1:] for words in lights}
    assert {lit: on_page[lit] for lit in board.lights} == {
        lit: [light.label, at[lit]] for lit, light in board.lights.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_page_leads_from_a_build_to_images(name: str) -> None:
    board = Board.find(name)
    found = [parsed(line) for line in commands(text(f"boards/{name}.md"))]
    build = next(values for command, values in found if command == "build")
    assert build["board"] == name
    stem = network.load(FOLDER / f"{build['network']}.safetensors").name
    manifest = f"{build['out']}/{stem}-{name}.json"
    loads = [values for command, values in found if command == "program"]
    routed = Family.find(board.family).nextpnr is not None
    assert bool(loads) == routed
    assert all(values["manifest"] == manifest for values in loads)
    assert all(bool(values.get("flash")) == ("sram" not in board.memories) for values in loads)
    runs = [values for command, values in found if command == "run"]
    assert manifest in [values.get("source") for values in runs if values.get("port")]
    if not routed:
        page = text(f"boards/{name}.md")
        assert f"-b {board.loader} {build['out']}/work/top.bit" in page
        assert "**Vivado was not run**" in page
    if board.ready:
        assert "hold" in board.ready
        assert "boot loader waits if you hold" in text(f"boards/{name}.md")


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_every_command_and_option_exists(page: str) -> None:
    content = text(page)
    given = commands(content)
    assert given
    for line in given:
        name, values = parsed(line)
        if name == "build" and not re.search(r"\.toml$|:", str(values["board"])):
            assert Board.find(str(values["board"])).name == values["board"]
    context = click.Context(main)
    every = [main.get_command(context, name) for name in main.list_commands(context)]
    options = {
        option
        for command in every
        if command is not None
        for parameter in command.params
        for option in [*parameter.opts, *parameter.secondary_opts]
    }
    foreign = {"--Version", "--reload-rules", "--list-boards"}
    assert set(re.findall(r"(?<![\w-])--[A-Za-z][\w-]*", content)) - options - foreign == set()
    assert set(re.findall(r"`spikeloom (\w+)", content)) <= set(main.list_commands(context))


def test_the_index_lists_every_board_and_says_that_none_was_tried() -> None:
    index = text("boards/README.md")
    for name in NAMES:
        board = Board.find(name)
        row = f"| {board.title} | {board.device} | {board.link.over} | [{name}]({name}.md) |"
        assert row in index.splitlines()
    pages = {path.stem for path in PAGES.glob("*.md")} - {"README", "results"}
    assert pages == set(NAMES)
    assert not any(Board.find(name).tried for name in NAMES), "then the index must say so"
    assert "nothing on these pages was tried on hardware" in index


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / "docs" / page).parent
    targets = re.findall(r"\]\(([^)#]+\.md)(?:#[^)]*)?\)", text(page))
    # `make bitstreams` writes results.md, which need not exist yet.
    missing = [t for t in targets if not (folder / t).exists() and not t.endswith("results.md")]
    assert missing == []
