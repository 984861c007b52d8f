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

    For each: what its device has, the clock that the design runs at, how a host reaches it, and
    whether somebody has tried it with one of our bitstreams on real hardware.

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
                "bitstream": Family.find(board.family).nextpnr is not None,
                "tried": board.tried or None,
            }
            for board in boards
        ]
        click.echo(json.dumps(entries, indent=2))
        return
    made = table(
        *(
            "board",
            "device",
            "#LUTs",
            "#block RAMs",
            "#MHz",
            "rx, tx",
            "link",
            "#baud",
            "makes",
            "tried",
        ),
    )
    for board in boards:
        routed = Family.find(board.family).nextpnr is not None
        made.add_row(
            board.name,
            board.device,
            f"{board.resources.luts:,}",
            str(board.resources.block_ram),
            f"{board.clock:g}",
            f"{board.link.rx}, {board.link.tx}",
            board.link.over,
            f"{board.link.baud:,}",
            "bitstream" if routed else "Vivado project",
            board.tried or "no",
        )
    console().print(made)
    if not any(board.tried for board in boards):
        click.echo(
            "None of them has been tried on real hardware yet: bitstreams are proved in simulation."
        )
