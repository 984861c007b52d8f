"""Images through the host's own client into a simulated device, each answer against golden."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pysim import pixels

from netlist import cells
from netlist.design import Made
from netlist.simulator import FOLDER, MismatchError, NetlistBoard, compiled
from spikeloom.hw.link.plan import LinkPlan
from spikeloom.sw.golden import Golden
from spikeloom.sw.link import Client, Transport, pack
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray

#: Seconds that an iCE40's platform holds the device in reset after configuration, and more.
POWER_UP = 50e-6


class Board(Transport, Protocol):
    """A transport with a time of its own."""

    time: Callable[[], float]


@dataclass(frozen=True)
class Comparison:
    """What was compared and found equal.

    Parameters
    ----------
    images : int
    logits, values : int
        Logits; and with labels and CRCs of images.
    cycles : int
        Clock cycles that were simulated.
    """

    images: int
    logits: int
    values: int
    cycles: int


def program(design: Made, verilog: Path) -> Path:
    """Compile a netlist with its cells and the testbench."""
    family = design.family.name
    # What a bitstream holds is plain logic but for the block RAM.
    files = [FOLDER / "tb.v", verilog, *cells.sources(family, design.folder)]
    (top,) = cells.modules(verilog.read_text("utf-8"))
    defines = {"TOP": top, "PORTS": design.pins.connected(), **cells.DEFINES[family]}
    return compiled(files, design.folder / f"{verilog.stem}.vvp", defines)


def compare(design: Made, verilog: Path, images: IntArray) -> Comparison:
    """Send images to a netlist and compare what comes back.

    Raises
    ------
    MismatchError
        If a value differs from golden, a pin is X, the self test does not pass, or the link needed
        to send anything again.
    """
    network, link = design.plan.network, design.link
    with NetlistBoard(program(design, verilog), link.clock, link.baud, design.pins.dark) as board:
        board.step(round(POWER_UP * link.clock))
        values = conversation(board, network, link, images)
        if not board.passed or board.failed:
            raise MismatchError(f"the self test: passed {board.passed}, failed {board.failed}")
        return Comparison(len(images), len(images) * network.classes, values, board.now)


def conversation(board: Board, network: Network, link: LinkPlan, images: IntArray) -> int:
    """Send images to a board, and return how many values came back, each golden's.

    Raises
    ------
    MismatchError
        If one differs, or anything had to be sent again.
    """
    golden = Golden(network).run(images)
    packed = [pack(pixels(network, image[None]), link.value_bits) for image in images]
    # A message of a full piece takes less than this, twice.
    timeout = 40 * link.chunk / link.baud
    client = Client(board, timeout=timeout, clock=board.time, patience=1)
    client.require(network.digest)
    values = 0
    expected = zip(golden.logits.tolist(), golden.labels.tolist(), packed, strict=True)
    answered = zip(expected, client.infer(packed), strict=True)
    for index, ((logits, label, image), result) in enumerate(answered):
        got = [*result.logits(link.logit_bytes), result.label, result.crc]
        wanted = [*logits, label, zlib.crc32(image)]
        if got != wanted:
            raise MismatchError(f"image {index}: logits, label and CRC are {got}, not {wanted}")
        values += len(wanted)
    traffic, damaged = client.traffic, client.decoder.damaged
    if traffic.resent or traffic.stray or traffic.repeated or damaged:
        raise MismatchError(f"the link lost something: {traffic}, {damaged} damaged")
    return values
