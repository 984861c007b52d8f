"""Images through the host's own driver into a simulated device, each answer against golden."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
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
from spikeloom.sw.link import Client, Result, Transport, pack
from spikeloom.sw.network.record import IntArray

#: Seconds that an iCE40's platform holds the device in reset after configuration, and more.
POWER_UP = 50e-6
#: Seconds that the self test's image and another may take: several times what the largest ones do.
PATIENCE = 0.05


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
        Logits; and with labels and CRCs of images, and layers' counts of events.
    cycles : int
        Clock cycles that were simulated.
    """

    images: int
    logits: int
    values: int
    cycles: int


class Noting(Client):
    """A client that keeps its results, where a board itself says what label and CRC are."""

    def infer(self, images: Iterable[bytes]) -> Iterator[Result]:
        self.results: list[Result] = []
        for result in super().infer(images):
            self.results.append(result)
            yield result


def program(subject: Subject, verilog: Path) -> Path:
    """Compile a netlist with its cells and the testbench."""
    family = subject.family.name
    # What a bitstream holds is plain logic but for the block RAM.
    files = [FOLDER / "tb.v", verilog, *cells.sources(family, subject.folder)]
    (top,) = cells.modules(verilog.read_text("utf-8"))
    defines = {"TOP": top, "PORTS": subject.pins.connected(), **cells.DEFINES[family]}
    return compiled(files, subject.folder / f"{verilog.stem}.vvp", defines)


def compare(subject: Subject, verilog: Path, images: IntArray) -> Comparison:
    """Send images to a netlist and compare what comes back.

    Raises
    ------
    MismatchError
        If a value differs from golden, a pin is X, the self test does not pass, or the link needed
        to send anything again.
    LinkError
        If the host's own driver refuses the board, or it does not answer.
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
    """Send images to a board, and return how many values came back, each golden's.

    Raises
    ------
    MismatchError
        If one differs, or anything had to be sent again.
    LinkError
        If the host's own driver refuses the board, or it does not answer.
    """
    network, link = subject.plan.network, subject.link
    golden = Golden(network).run(images)
    # A message of a full piece takes less than this, twice.
    timeout = 40 * link.chunk / link.baud
    client = Noting(board, timeout=timeout, clock=board.time, patience=PATIENCE)
    found = BoardDriver(subject.contents, client).infer(images)
    values = 0
    for index, image in enumerate(images):
        packed = pack(pixels(network, image[None]), link.value_bits)
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
