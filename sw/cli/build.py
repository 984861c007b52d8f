"""``spikeloom build``: make a bitstream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import console, data_options, table
from spikeloom.sw.cli.device import DeviceOptions, device_options
from spikeloom.sw.cli.hardware import HardwareOptions, hardware_options
from spikeloom.sw.cli.images import read_images
from spikeloom.sw.cli.networks import network_argument

if TYPE_CHECKING:
    from spikeloom.hw.build import Images

#: Of spikeloom.hw.build.tools; here, so that ``--help`` need not import it.
SOURCES = ("auto", "native", "yowasp")


@click.command()
@network_argument
@click.option(
    "--board",
    required=True,
    metavar="NAME",
    help="A board; `spikeloom boards` lists them.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Gets the bitstream, its manifest, and a folder work with all that the tools wrote.",
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
    "--tools",
    type=click.Choice(SOURCES),
    default="auto",
    show_default=True,
    help="Programs to take: native ones on PATH if all are there and new enough, or those from "
    "PyPI. The same ones give the same bytes.",
)
def command(
    network: contract.Network,
    board: str,
    out: Path,
    hardware: HardwareOptions,
    data: str | None,
    data_root: Path | None,
    limit: int,
    tested: int,
    device: DeviceOptions,
    tools: str,
) -> None:
    """Make a bitstream of NETWORK for a board, with open tools.

    NETWORK is {network}.

    Lanes that are not given are as many as fit. The build fails if the design does not fit, if it
    cannot run at its clock, or if it has a multiplier block. For boards without open place
    and route (Xilinx), a Vivado project is written instead, with Yosys' figures: Vivado is not
    run.

    The bitstream answers a host on the board's serial line (docs/protocol.md), and tests itself at
    power-up: LEDs show whether every logit of some images is that of the golden model. With --data
    these are the first images of a data set's test split, and images per second are predicted;
    without, they are random pixels.

    \b
        spikeloom build digits-conv --board ulx3s-85f --data digits --out build/board
        spikeloom build digits-conv --board orangecrab-25f --records all --out build/board
        spikeloom build net.safetensors --board tang-nano-9k --lanes 1 --out build/board
    """
    from spikeloom.hw.boards import Board
    from spikeloom.hw.build import build

    target = Board.find(board)
    images = None if data is None else _images(network, data, data_root, max(limit, tested))
    with _stages() as say:
        manifest = build(
            network,
            target,
            out,
            config=hardware.config(counters=device.counters),
            images=images,
            tested=tested,
            clock=device.clock,
            baud=device.baud,
            records=device.layers(network),
            source=tools,
            say=say,
        )
    _show(dict(manifest.content))
    click.echo(f"wrote {out}")
    if manifest.bitstream is None:
        click.echo(f"Vivado was not run: `vivado -mode batch -source top.tcl` in {out / 'work'}")
        return
    lights = ", ".join(f"{name}: {light.label}" for name, light in target.lights.items())
    click.echo(f"load it with: spikeloom program {manifest.path}")
    click.echo(f"LEDs: {lights}")


@contextmanager
def _stages() -> Iterator[Callable[[str], None]]:
    """Give a function that prints a stage; on a screen, a clock runs until the next one."""
    begun = time.monotonic()
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console(stderr=True),
        transient=True,
    ) as shown:
        task = shown.add_task("")

        def say(text: str) -> None:
            click.echo(f"{time.monotonic() - begun:5.0f} s  {text}")
            shown.reset(task, description=text)

        yield say


def _images(network: contract.Network, data: str, root: Path | None, limit: int) -> Images:
    import numpy as np

    from spikeloom.hw.build import Images

    found, _ = read_images(network.input, data, root, None, None, limit)
    pixels = np.asarray(found, np.int64)
    return Images(pixels, f"{data}, the first {len(pixels)} test images", real=True)


def _show(content: dict[str, Any]) -> None:
    from spikeloom.hw.build import FIELDS

    made = table("resource", "#used", "#available", "#share")
    for name, what in FIELDS.items():
        used, available = (content["resources"][name][part] for part in ("used", "available"))
        made.add_row(what, f"{used:,}", f"{available:,}", f"{used / available:.1%}")
    console().print(made)
    if content["fmax_mhz"] is not None:
        click.echo(
            f"highest clock {content['fmax_mhz']:g} MHz, the design's is "
            f"{content['clock_mhz']:g} MHz"
        )
    link = content["link"]
    click.echo(
        f"host link at {link['baud']:,} baud, {len(link['counters'])} counters, counts of "
        f"{', '.join(record['layer'] for record in link['records']) or 'no layer'}"
    )
    prediction = content["prediction"]
    if prediction is not None:
        click.echo(
            f"{prediction['images_per_second']:,.0f} images per second predicted, "
            f"{prediction['cycles_per_image']:,.1f} clock cycles each, from "
            f"{prediction['source']}; the slowest layer is {prediction['slowest']}. The serial "
            f"line carries {prediction['link_images_per_second']:,.0f} at most"
        )
