"""``spikeloom boards``: list boards."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from spikeloom.sw.cli.common import console, table


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(as_json: bool) -> None:
    """List the boards that `spikeloom build` knows.

    For each: what its device has, the clock that the design runs at, how a host reaches it, what
    its LEDs tell, how it is loaded, and whether somebody has tried it with one of our bitstreams on
    real hardware. docs/boards has a page on each.

    \b
        spikeloom boards
        spikeloom boards --json | jq '.[].name'
    """
    from spikeloom.hw.boards import Board
    from spikeloom.hw.build.family import Family

    boards = [Board.find(name) for name in Board.names()]
    if as_json:
        entries = [
            {
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
                "bitstream": Family.find(board.family).nextpnr is not None,
                "tried": board.tried or None,
            }
            for board in boards
        ]
        click.echo(json.dumps(entries, indent=2))
        return
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
            "Vivado project" if Family.find(board.family).nextpnr is None else "bitstream",
            board.tried or "no",
        )
        links.add_row(
            board.name,
            f"{board.link.rx}, {board.link.tx}",
            f"{board.link.baud:,}",
            board.link.over,
            "; ".join(f"{name}: {light.label}" for name, light in board.lights.items()),
            board.loader,
            ", ".join(board.memories),
        )
    screen = console()
    screen.print(devices)
    screen.print(links)
    tried = [board.name for board in boards if board.tried]
    click.echo(f"Tried on real hardware: {', '.join(tried) or 'none so far'}.")
