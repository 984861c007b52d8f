"""The host's own driver sends images to a simulated device; every answer must be golden's."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from support.hw.pysim import pixels

from netlist import cells
from netlist.simulator import FOLDER, MismatchError, NetlistBoard, compiled
from netlist.subject import Subject
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw.golden import Golden
from spikeloom.sw.inference import BoardDriver
from spikeloom.sw.link import Client, Line, Result, pack
from spikeloom.sw.network.record import IntArray

#: Seconds after configuration: longer than an iCE40's platform holds the device in reset.
POWER_UP = 50e-6
#: Seconds that the self test's image and another one may take: several times the longest.
IMAGE_TIMEOUT = 0.05


class Board(Line, Protocol):
    """A line with a clock of its own, such as that of a simulation."""

    def time(self) -> float:
        """Return the time in seconds."""


@dataclass(frozen=True)
class Comparison:
    """The number of values that were compared and found equal.

    Parameters
    ----------
    images : int
    logits : int
    values : int
        All of them: logits, labels and CRCs of the images, and event counts of the layers.
    cycles : int
        Clock cycles that were simulated.
    """

    images: int
    logits: int
    values: int
    cycles: int


class RecordingClient(Client):
    """A client that keeps its results, with the label and the CRC that the board itself sent."""

    def infer(self, images: Iterable[bytes]) -> Iterator[Result]:
        self.results: list[Result] = []
        for result in super().infer(images):
            self.results.append(result)
            yield result


def program(subject: Subject, verilog: Path) -> Path:
    """Compile a netlist with models of its cells and the testbench."""
    family = subject.family.name
    # The Verilog of a bitstream needs models for its block RAM only.
    files = [FOLDER / "tb.v", verilog, *cells.sources(family, subject.folder)]
    (top,) = cells.modules(verilog.read_text("utf-8"))
    defines = {"TOP": top, "PORTS": subject.pins.connected(), **cells.DEFINES[family]}
    return compiled(files, subject.folder / f"{verilog.stem}.vvp", defines)


def compare(subject: Subject, verilog: Path, images: IntArray) -> Comparison:
    """Send images to a netlist, and compare its answers with golden.

    Raises
    ------
    MismatchError
        If a value differs from golden, a pin is X, the self test does not pass, or anything had to
        be sent again.
    LinkError
        If the host's own driver refuses the board, or the board does not answer.
    """
    link = subject.link
    with NetlistBoard(program(subject, verilog), link.clock, link.baud, subject.pins.dark) as board:
        board.step(round(POWER_UP * link.clock))
        values = conversation(board, subject, images)
        if not board.passed or board.failed:
            raise MismatchError(f"the self test: passed {board.passed}, failed {board.failed}")
        logits = len(images) * subject.plan.network.classes
        return Comparison(len(images), logits, values, board.now)


def conversation(board: Board, subject: Subject, images: IntArray) -> int:
    """Send images to a board; return the number of values that came back, all equal to golden's.

    Raises
    ------
    MismatchError
        If a value differs from golden, or anything had to be sent again.
    LinkError
        If the host's own driver refuses the board, or the board does not answer.
    """
    network, link = subject.plan.network, subject.link
    golden = Golden(network).run(images)
    # Longer than two messages take that carry a full piece.
    timeout = 40 * link.chunk / link.baud
    client = RecordingClient(board, timeout=timeout, clock=board.time, image_timeout=IMAGE_TIMEOUT)
    found = BoardDriver(subject.contents, client).infer(images)
    values = 0
    for index, image in enumerate(images):
        stream = pixels(network, image[None])
        packed = pack(stream, link.value_bits, network.input.pixels().signed)
        result = client.results[index]
        got = [*found.logits[index].tolist(), result.label, result.crc]
        wanted = [*golden.logits[index].tolist(), int(golden.labels[index]), zlib.crc32(packed)]
        if got != wanted:
            raise MismatchError(f"image {index}: logits, label and CRC are {got}, not {wanted}")
        values += len(wanted)
    if found.counters is not None:
        for layer in predict(subject.plan, activity(network, images)).layers:
            events, due = found.counters[layer.name]["events"], int(layer.events.sum())
            if events != due:
                raise MismatchError(f"layer {layer.name} has counted {events} events, not {due}")
            values += 1
    traffic, damaged = client.traffic, client.decoder.damaged
    if traffic.resent or traffic.stray or traffic.repeated or damaged:
        raise MismatchError(f"the link lost something: {traffic}, {damaged} damaged")
    return values
