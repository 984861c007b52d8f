"""``spikeloom board``: simulate a board behind a serial port."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import data_options
from spikeloom.sw.cli.device import DeviceOptions, board_option, device_options
from spikeloom.sw.cli.hardware import HardwareOptions, hardware_options
from spikeloom.sw.cli.networks import network_argument
from spikeloom.sw.cli.output import say, working
from spikeloom.sw.cli.outputs import Output
from spikeloom.sw.cli.signals import INTERRUPT, REQUESTS, answered
from spikeloom.sw.cli.simulation import build_dir_option
from spikeloom.sw.errors import ConfigError, FileFormatError, ToolError

if TYPE_CHECKING:
    from spikeloom.sim.board import LightChange
    from spikeloom.sw.network.record import IntArray

#: Seconds between two looks at whether the board still runs.
_LOOK = 0.5


@click.command()
@network_argument
@click.option(
    "--simulate",
    is_flag=True,
    help="Needed: this command has no other board than a simulated one.",
)
@board_option(
    "The board whose clock, UART and LEDs are simulated.", default="ulx3s-85f", show_default=True
)
@hardware_options
@data_options(default=None)
@click.option(
    "--self-test",
    "tested",
    type=click.IntRange(1, 16),
    metavar="N",
    help="Images that the board computes at power-up, and shows the result on LEDs: the first of "
    "the test split of --data, or random pixels.",
)
@device_options
@click.option(
    "--manifest",
    type=Output(),
    metavar="FILE",
    help="Write what the board holds to this file, for `spikeloom run`.",
)
@click.option(
    "--link",
    type=Output(folder=True),
    metavar="PATH",
    help="A name for the port that is always the same: a symbolic link.",
)
@build_dir_option()
def command(
    network: contract.Network,
    simulate: bool,
    board: str,
    hardware: HardwareOptions,
    data: str | None,
    data_root: Path | None,
    tested: int | None,
    device: DeviceOptions,
    manifest: Path | None,
    link: Path | None,
    build_dir: Path,
) -> None:
    """Simulate a board that holds NETWORK, until Ctrl-C.

    NETWORK is {network}.

    The design that `spikeloom build` would make a bitstream of runs in Verilator, with its UART at
    a pseudo-terminal: `spikeloom run`, or any program for serial ports, talks to it as to a board.
    A simulated clock cycle takes longer than a real one; while nothing happens, time stands still.

    \b
        spikeloom board digits-conv --simulate --manifest build/board.json --link build/port
        spikeloom run build/board.json --port build/port --data digits
        spikeloom board digits-conv --simulate --data digits --self-test 4 --records all
    """
    if not simulate:
        raise ConfigError(
            "only simulated boards can be switched on here: add --simulate; to a real one, "
            "`spikeloom run` talks"
        )
    if data is not None and tested is None:
        raise ConfigError(f"--data {data} is for a self test: add --self-test N")
    from spikeloom.sim.board import SimulatedBoard

    with _stopped() as stop, ExitStack() as stack:
        described = threading.Event()

        def poll() -> None:
            if stop.is_set():
                raise KeyboardInterrupt

        def changed(change: LightChange) -> None:
            # The first LEDs light up at once, but the list of LEDs is printed first.
            described.wait()
            _print_change(change)

        simulated = SimulatedBoard(
            network,
            board,
            config=hardware.config(network, counters=device.counters),
            clock=device.clock,
            baud=device.baud,
            records=device.layers(network),
            tested=None if tested is None else _images(network, data, data_root, tested),
            build_dir=build_dir,
            poll=poll,
            changed=changed,
        )
        labels = {name: light.label for name, light in simulated.board.lights.items()}
        with working("building the simulated board"):
            stack.enter_context(simulated)
        stack.callback(described.set)
        if manifest is not None:
            simulated.manifest(manifest)
            say(f"wrote {manifest}")
        port = simulated.port
        if link is not None:
            stack.enter_context(_linked(link, port))
        say(f"{simulated.board.title}, simulated, holds {network.name}: port {link or port}")
        say(f"LEDs: {', '.join(f'{name}: {label}' for name, label in labels.items())}")
        described.set()
        while not stop.wait(_LOOK):
            if not simulated.running:
                raise ToolError("the simulated board has ended by itself: please report this")
    say("switched off")


def _images(
    network: contract.Network, data: str | None, root: Path | None, number: int
) -> IntArray:
    if data is not None:
        from spikeloom.sw.datasets import first_images

        return first_images(data, network.input, number, root)
    from spikeloom.hw.build import Images

    return Images.random(network, number).pixels


def _print_change(change: LightChange) -> None:
    on = "on" if change.on else "off"
    say(f"cycle {change.cycle:,}: LED {change.name} {on}")


@contextmanager
def _stopped() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C or a request to end sets, in place of ending the process."""
    stop = threading.Event()
    with answered(lambda _: stop.set(), INTERRUPT + REQUESTS):
        yield stop


@contextmanager
def _linked(link: Path, port: str) -> Iterator[None]:
    """Make ``link`` a symbolic link to ``port`` for as long as the block runs.

    Raises
    ------
    FileFormatError
        If something else lies there, or nothing can be written there.
    """
    # A link that a killed board has left behind is taken over.
    ours = link.is_symlink() and Path(os.readlink(link)).parent == Path(port).parent
    if os.path.lexists(link) and not ours:
        raise FileFormatError(
            f"{link} is there already, and no link to a terminal: give --link another path"
        )
    beside = link.with_name(f".{link.name}.{os.getpid()}")
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        beside.symlink_to(port)
        beside.replace(link)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise FileFormatError(f"cannot write {link}: {error.strerror or error}") from None
    try:
        yield
    finally:
        # Another board may have taken the name over.
        if link.is_symlink() and os.readlink(link) == port:
            link.unlink()
