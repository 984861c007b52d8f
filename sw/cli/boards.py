"""``spikeloom boards``: list boards, check a table, print one to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw.cli.common import table
from spikeloom.sw.cli.device import board_option
from spikeloom.sw.cli.output import console, json_option, print_json, say
from spikeloom.sw.errors import ConfigError

if TYPE_CHECKING:
    from spikeloom.hw.boards import Board

#: Value of ``--template`` without a name.
_COMMENTED = "commented"


@click.command()
@json_option
@board_option("List this one alone, and check its pins against its platform.")
@click.option(
    "--template",
    is_flag=False,
    flag_value=_COMMENTED,
    metavar="[NAME]",
    help="Print a table to begin a board of your own with, all keys explained; or that of a known "
    "board.",
)
def command(as_json: bool, board: str | None, template: str | None) -> None:
    """List the boards that `spikeloom build` knows, or begin one of your own.

    For each: what its device has, the clock that the design runs at, how a host reaches it, what
    its LEDs tell, how it is loaded, and whether somebody has tried it with one of our bitstreams on
    real hardware. docs/boards has a page on each, and how to write a table for another board.

    \b
        spikeloom boards
        spikeloom boards --json | jq '.[].name'
        spikeloom boards --template > mine.toml
        spikeloom boards --board mine.toml
    """
    from spikeloom.hw.boards import Board

    if template is not None:
        if as_json or board is not None:
            raise ConfigError(
                "--template prints a table and nothing else: leave out --json, --board"
            )
        click.echo(Board.template(None if template == _COMMENTED else template), nl=False)
        return
    if board is None:
        boards = [Board.find(name) for name in Board.names()]
    else:
        boards = [Board.find(board)]
        boards[0].platform()
    if as_json:
        print_json([_entry(one) for one in boards])
    else:
        _print(boards)


def _entry(board: Board) -> dict[str, Any]:
    """Return the JSON of a board."""
    return {
        "name": board.name,
        "title": board.title,
        "device": board.device,
        "family": board.family,
        "resources": asdict(board.resources),
        "clock_mhz": board.clock,
        "link": asdict(board.link),
        "lights": {name: light.label for name, light in board.lights.items()},
        "loader": board.loader,
        "memories": list(board.memories),
        "bitstream": _routed(board),
        "tried": board.tried or None,
    }


def _print(boards: Sequence[Board]) -> None:
    """Print boards as two tables: devices, and the ways in and out."""
    devices = table(
        "board",
        "device",
        *("#LUTs", "#flip-flops", "#block RAMs", "#multipliers", "#MHz"),
        "makes",
        "tried",
    )
    links = table("board", "rx, tx", "#baud", "over", "LEDs", "loader", "loads into")
    for board in boards:
        has = board.resources
        devices.add_row(
            board.name,
            board.device,
            *(f"{number:,}" for number in (has.luts, has.flipflops, has.block_ram, has.dsp)),
            f"{board.clock:g}",
            "bitstream" if _routed(board) else "Vivado project",
            board.tried or "no",
        )
        links.add_row(
            board.name,
            f"{board.link.rx}, {board.link.tx}",
            f"{board.link.baud:,}",
            board.link.over,
            "; ".join(f"{name}: {light.label}" for name, light in board.lights.items()),
            board.loader or "-",
            ", ".join(board.memories),
        )
    screen = console()
    screen.print(devices)
    screen.print(links)
    tried = [board.name for board in boards if board.tried]
    say(f"Tried on real hardware: {', '.join(tried) or 'none so far'}.")


def _routed(board: Board) -> bool:
    """Return whether there is open place and route for a board."""
    from spikeloom.hw.build.family import Family

    return Family.find(board.family).nextpnr is not None
