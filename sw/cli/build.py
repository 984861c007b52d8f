"""``spikeloom build``: make a bitstream."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import data_options, table
from spikeloom.sw.cli.device import DeviceOptions, board_option, device_options
from spikeloom.sw.cli.hardware import HardwareOptions, hardware_options
from spikeloom.sw.cli.images import ImageOptions
from spikeloom.sw.cli.networks import given_network, network_argument
from spikeloom.sw.cli.output import console, json_option, print_json, say, say_report
from spikeloom.sw.cli.settings import was_given
from spikeloom.sw.cli.work import show_work
from spikeloom.sw.errors import ConfigError

if TYPE_CHECKING:
    from spikeloom.hw.boards import Board
    from spikeloom.hw.build import Images
    from spikeloom.sw.link.manifest import Manifest

#: As in spikeloom.hw.build.tools; repeated, so that ``--help`` need not import it.
SOURCES = ("auto", "native", "yowasp")
#: Options that an overlay has no use for: their names as parameters, and as they are typed.
_NOT_OVERLAY = {"baud": "--baud", "records": "--records", "tested": "--self-test"}


@click.command()
@network_argument
@board_option("The board that the bitstream is for.", required=True)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Gets the bitstream, its manifest, and a folder work with all that the tools wrote.",
)
@click.option(
    "--overlay",
    is_flag=True,
    help="For a board whose FPGA has a processor (PYNQ-Z2): a Vivado project of the accelerator "
    "behind AXI DMA, which the board's own Linux drives (docs/axi.md). --clock is then of its "
    "logic, and 100 MHz by default; there is no link and no self test.",
)
@hardware_options
@data_options(default=None)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    metavar="N",
    help="Images of the data set that images per second are predicted from.",
)
@click.option(
    "--self-test",
    "tested",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    metavar="N",
    help="Images inside the bitstream, which runs them at power-up and shows the result on LEDs.",
)
@device_options
@click.option(
    "--placements",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Place and route up to N times, each time with another seed, until the design reaches its "
    "clock: wires, and so the highest clock, differ by a tenth.",
)
@click.option(
    "--seed",
    # Not "seed": that of a user's config file is for trainings, and must not move a placement.
    "first_seed",
    type=click.IntRange(0),
    metavar="N",
    help="Seed of the first placement; the manifest names that of the last.  [default: nextpnr's]",
)
@click.option(
    "--nextpnr",
    "arguments",
    default="",
    metavar="ARGUMENTS",
    help="More arguments for nextpnr, in quotes, as '--placer static --router router2': a large "
    "design may be routed by one router and not by another. The manifest names them.",
)
@click.option(
    "--tools",
    type=click.Choice(SOURCES),
    default="auto",
    show_default=True,
    help="Programs to take: native ones on PATH if all are there and new enough, or those from "
    "PyPI. The same ones give the same bytes.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    network: contract.Network,
    board: str,
    out: Path,
    overlay: bool,
    hardware: HardwareOptions,
    data: str | None,
    data_root: Path | None,
    limit: int,
    tested: int,
    device: DeviceOptions,
    placements: int,
    first_seed: int | None,
    arguments: str,
    tools: str,
    as_json: bool,
) -> None:
    """Make a bitstream of NETWORK for a board, with open tools.

    NETWORK is {network}.

    Lanes that are not given are as many as fit. The build fails if the design does not fit, if it
    cannot run at its clock, or if it has a multiplier block. For boards without open place
    and route (Xilinx), a Vivado project is written instead, with Yosys' figures: Vivado is not
    run. With --overlay, it is that of an overlay for PYNQ, and there are no pins.

    The bitstream answers a host on the board's serial line (docs/protocol.md), and tests itself at
    power-up: LEDs show whether every logit of some images is that of the golden model. With --data
    these are the first images of a data set's test split, and images per second are predicted;
    without, they are random pixels.

    \b
        spikeloom build digits-conv --board ulx3s-85f --data digits --out build/board
        spikeloom build digits-conv --board orangecrab-25f --records all --out build/board
        spikeloom build net.safetensors --board tang-nano-9k --lanes 1 --out build/board
        spikeloom build digits-conv --board mine.toml --out build/mine
        spikeloom build digits-conv --board pynq-z2 --overlay --data digits --out build/overlay
    """
    from spikeloom.hw.boards import Board
    from spikeloom.hw.build import Options, build, build_overlay

    if overlay:
        _require_overlay_options()
    target = Board.find(board)
    images = None if data is None else _images(network, data, data_root, max(limit, tested))
    config = hardware.config(network, counters=device.counters)
    with _stages() as tell:
        shared = Options(
            config=config,
            images=images,
            clock=device.clock,
            seed=first_seed,
            placements=placements,
            nextpnr=_words(arguments),
            source=tools,
            say=tell,
        )
        if overlay:
            manifest = build_overlay(network, target, out, **shared)
        else:
            manifest = build(
                network,
                target,
                out,
                tested=tested,
                baud=device.baud,
                records=device.layers(network),
                **shared,
            )
    if as_json:
        print_json({"manifest": str(manifest.path), **manifest.content})
    _show(manifest)
    _show_next(manifest, target, board)
    chosen = ImageOptions(data, data_root).arguments()
    say_report(given_network(), *chosen, "--add", manifest.path)


def _words(text: str) -> list[str]:
    """Return arguments that were typed in one piece."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"--nextpnr {text!r} cannot be split into arguments: {error}") from None


def _require_overlay_options() -> None:
    """Raise ConfigError if an option was given that an overlay has no use for."""
    for name, option in _NOT_OVERLAY.items():
        if was_given(name):
            raise ConfigError(
                f"an overlay has no serial line and no self test: leave out {option}, or --overlay"
            )


@contextmanager
def _stages() -> Iterator[Callable[[str], None]]:
    """Give a function that prints the name of a stage; on a screen, with a running clock."""
    begun = time.monotonic()
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console(stderr=True),
        transient=True,
    ) as shown:
        task = shown.add_task("")

        def tell(text: str) -> None:
            say(f"{time.monotonic() - begun:5.0f} s  {text}")
            shown.reset(task, description=text)

        yield tell


def _images(network: contract.Network, data: str, root: Path | None, limit: int) -> Images:
    from spikeloom.hw.build import Images
    from spikeloom.sw.datasets import first_images
    from spikeloom.sw.tasks import name_of_network

    pixels = first_images(data, network.input, limit, root, name_of_network(network.about))
    return Images(pixels, f"{data}, the first {len(pixels)} test images", real=True)


def _show(manifest: Manifest) -> None:
    """Print resources, clock, link and pace."""
    from spikeloom.hw.build import FIELDS

    content: Mapping[str, Any] = manifest.content
    made = table("resource", "#used", "#available", "#share")
    for name, what in FIELDS.items():
        used, available = (content["resources"][name][part] for part in ("used", "available"))
        share = f"{used / available:.1%}" if available else "-"
        made.add_row(what, f"{used:,}", f"{available:,}", share)
    console().print(made)
    if content["fmax_mhz"] is not None:
        say(
            f"highest clock {content['fmax_mhz']:g} MHz, the design's is "
            f"{content['clock_mhz']:g} MHz"
        )
    link = content["link"]
    if link is not None:
        say(
            f"host link at {link['baud']:,} baud, {len(link['counters'])} counters, counts of "
            f"{', '.join(record['layer'] for record in link['records']) or 'no layer'}"
        )
    if manifest.overlay:
        axi = content["hardware"]["axi"]
        say(
            f"AXI at {content['clock_mhz']:g} MHz: {len(axi['registers'])} registers, "
            f"{8 * axi['input_bytes']} bits a value, {8 * axi['output_bytes']} a logit. AXI DMA "
            f"and its interconnect come on top of what is counted here"
        )
    prediction = content["prediction"]
    if prediction is not None:
        text = (
            f"{prediction['images_per_second']:,.0f} images per second predicted, "
            f"{prediction['cycles_per_image']:,.1f} clock cycles each, from "
            f"{prediction['source']}; the slowest layer is {prediction['slowest']}"
        )
        if link is not None:
            most = prediction["link_images_per_second"]
            text += f". The serial line carries {most:,.0f} at most"
        say(text)
    show_work(content)


def _show_next(manifest: Manifest, board: Board, given: str) -> None:
    """Print where the files are and how to go on; ``given`` is the value of ``--board``."""
    say(f"wrote {manifest.path.parent}")
    if manifest.bitstream is None:
        say(f"Vivado was not run: {manifest.project}")
        return
    lights = ", ".join(f"{name}: {light.label}" for name, light in board.lights.items())
    own = "" if board.name in board.names() else f" --board {shlex.quote(given)}"
    say(f"load it with: spikeloom program {manifest.path}{own}")
    say(f"LEDs: {lights}")
