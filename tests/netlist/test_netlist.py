"""Netlists equal golden, and a proof reports anything that differs."""

from __future__ import annotations

import dataclasses
import gzip
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.datasets import load_digits
from support.hw.networks import showcase, showcase_images
from support.link.network_board import NetworkBoard, manifest_of, planned

from netlist import __main__ as command
from netlist.__main__ import main
from netlist.comparison import Comparison, compare, conversation
from netlist.design import Synthesised, netlist, synthesise
from netlist.network import own_images
from netlist.proofs import PROOFS, Fresh, Line, Proof
from netlist.simulator import MismatchError, Pins
from netlist.subject import Subject, Verilog
from spikeloom.hw.boards import Board
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw.cli.networks import FOLDER as PRETRAINED
from spikeloom.sw.errors import LinkError
from spikeloom.sw.golden import Golden
from spikeloom.sw.inference import Contents
from spikeloom.sw.network import load


def fresh(family: str) -> Fresh:
    """Return the proof of a family's design."""
    (proof,) = PROOFS[family]
    assert isinstance(proof, Fresh)
    return proof


@pytest.fixture(scope="module")
def gowin(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """The fastest of the designs, after synthesis."""
    design = fresh("gowin").design
    folder = tmp_path_factory.mktemp("netlist") / "gowin"
    return synthesise(design, own_images(design.network(), 1, None).pixels, folder)


# Amaranth warns, since the UART of the ULX3S has pins that are not requested.
@pytest.mark.filterwarnings("ignore:Using platform.request:DeprecationWarning")
@pytest.mark.boards
@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_the_input_of_place_and_route_is_golden(family: str, tmp_path: Path) -> None:
    proof = fresh(family)
    found = {line.name: line.compared for line in proof.lines(tmp_path, 1, None)}
    assert list(found) == [stage.__name__ for stage in proof.stages]
    for comparison in found.values():
        assert (comparison.images, comparison.logits, comparison.values) == (1, 10, 12)


@pytest.mark.boards
def test_a_netlist_with_signed_pixels_and_zero_points_is_golden(tmp_path: Path) -> None:
    (proof,) = (proof for proof in PROOFS["signed"] if proof.family == "gowin")
    ((name, found),) = [(line.name, line.compared) for line in proof.lines(tmp_path, 1, None)]
    assert (name, found.logits, found.values) == ("signed netlist", 5, 7)


@pytest.mark.boards
def test_a_netlist_of_gowin_is_golden(gowin: Synthesised) -> None:
    found = compare(gowin, netlist(gowin).path, own_images(gowin.plan.network, 1, None).pixels)
    assert (found.images, found.logits, found.values) == (1, 10, 12)


@pytest.mark.boards
def test_a_wrong_row_of_a_memory_is_found(gowin: Synthesised) -> None:
    # This zeroes the weights of pixels in the middle of the image.
    text, changed = re.subn(
        r"(\.INIT_RAM_1A\(288'h)\w*[1-9a-f]\w*", r"\g<1>0", netlist(gowin).path.read_text()
    )
    assert changed == 1
    wrong = gowin.folder / "wrong.v"
    wrong.write_text(text)
    with pytest.raises(MismatchError, match=r"image 0: logits|the self test: passed False"):
        compare(gowin, wrong, own_images(gowin.plan.network, 1, None).pixels)


@pytest.mark.parametrize(
    ("board", "pins"),
    [
        ("ulx3s-85f", ("clk25_0__io", "led_0__io", "led_1__io", "0")),
        ("tang-nano-9k", ("clk27_0__io", "led_0__io", "led_1__io", "1")),
        ("icebreaker", ("clk12_0__io", "led_g_0__io", "led_r_0__io", "1")),
    ],
)
def test_pins_of_boards(board: str, pins: tuple[str, str, str, str]) -> None:
    found = Board.find(board)
    none: Any = None
    clk, passed, failed, dark = pins
    wanted = Pins(clk, "uart_0__rx__io", "uart_0__tx__io", passed, failed, dark)
    pins_of = Subject(found, none, none, none, Path()).pins
    assert dataclasses.replace(pins_of, pads={}) == wanted


def test_places_of_icebreakers_pins() -> None:
    none: Any = None
    pins = Subject(Board.find("icebreaker"), none, none, none, Path()).pins
    assert pins.pads == {"clk": "35", "passed": "37", "failed": "11", "rx": "6", "tx": "9"}


class Lying(NetworkBoard):
    """A board whose smallest logit is wrong, which leaves the label as it is."""

    def logits(self, image: bytes) -> list[int]:  # type: ignore[override]
        logits = super().logits(image)
        wrong = logits.index(min(logits))
        return [value - (k == wrong) for k, value in enumerate(logits)]


class Deaf(NetworkBoard):
    """A board that loses the first message."""

    heard = False

    def write(self, data: bytes) -> None:
        if self.heard:
            super().write(data)
        self.heard = True


class Counting(NetworkBoard):
    """A board that counts events."""

    seen: Sequence[bytes] = ()
    more = 0

    def reset(self) -> None:
        super().reset()
        self.seen = []

    def run(self, bank: int, crc: int) -> None:
        super().run(bank, crc)
        self.seen = [*self.seen, bytes(self.images[bank])]

    def counters(self) -> list[int]:
        network = self.plan.network
        sent = activity(network, np.concatenate([self.image(packed) for packed in self.seen]))
        events = {layer.name: layer.events.sum() for layer in predict(self.plan, sent).layers}
        named = [name.split(".") for name in self.link.counters]
        found = [int(events[layer]) if kind == "events" else 7 for layer, kind in named]
        found[named.index([network.output.name, "events"])] += self.more
        return found


class Miscounting(Counting):
    """A board that counts one event too many."""

    more = 1


def conversed(
    kind: type[NetworkBoard], folder: Path | None = None
) -> tuple[Subject, list[list[int]], int]:
    """Send two images to a board; return the subject, golden's logits, and the values compared.

    If a folder is given, the host reads the board's manifest there.
    """
    network = showcase()
    found, link = planned(network)
    contents = Contents.of(network if folder is None else manifest_of(found, link, folder))
    subject = Subject(Board.find("icebreaker"), found, link, contents, Path())
    pixels = showcase_images(2)
    logits = Golden(network).run(pixels).logits.tolist()
    return subject, logits, conversation(kind(found, link), subject, pixels)


def test_a_conversation_compares_every_answer() -> None:
    _, logits, compared = conversed(NetworkBoard)
    assert compared == 2 * (len(logits[0]) + 2)


def test_a_conversation_compares_events(tmp_path: Path) -> None:
    subject, logits, compared = conversed(Counting, tmp_path)
    assert compared == 2 * (len(logits[0]) + 2) + len(subject.plan.layers)


def test_a_wrong_count_of_events_ends_a_conversation(tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match=r"layer \w+ has counted \d+ events, not \d+$"):
        conversed(Miscounting, tmp_path)


def test_a_wrong_logit_ends_a_conversation() -> None:
    with pytest.raises(MismatchError, match=r"image 0: logits, label and CRC are \[.*\], not \["):
        conversed(Lying)


def test_a_message_that_is_sent_again_ends_a_conversation() -> None:
    with pytest.raises(MismatchError, match=r"the link lost something: Traffic\(.*resent=1,"):
        conversed(Deaf)


@dataclass(frozen=True)
class Fake:
    """A proof with a given outcome."""

    name: str
    family: str
    error: Exception | None = None

    usual: ClassVar[int] = 5

    def lines(self, folder: Path, number: int | None, data: Path | None) -> Iterator[Line]:
        verilog = Verilog(Path("netlist.v"), 4126)
        yield Line("netlist", "digits", verilog, Comparison(5, 50, 60, 41000))
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("kind", [MismatchError, LinkError])
def test_the_table(kind: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.report(Fake("ecp5", "ecp5"))
    assert not command.report(Fake("net-tang", "gowin", kind("image 3: ...")))
    row = " netlist          digits         4,126      5     50     60   41,000  EQUAL\n"
    said = f"ecp5  {row}gowin {row}net-tang DIFFERS: image 3: ...\n"
    assert capsys.readouterr().out.replace("  ", " ") == said.replace("  ", " ")


def test_images_of_the_digits_are_real() -> None:
    found = own_images(load(PRETRAINED / "digits-conv-2bit.safetensors"), 2, None)
    # Every fifth image is of the test split.
    expected = load_digits().images[[0, 5]].reshape(2, 1, 8, 8)
    assert (found.source, found.pixels.tolist()) == ("digits", expected.tolist())


def test_images_of_other_data_sets_are_random_where_there_is_no_folder() -> None:
    network = load(PRETRAINED / "mnist-small.safetensors")
    found = own_images(network, 2, None)
    assert (found.source, found.pixels.shape) == ("random pixels", (2, 1, 28, 28))
    assert (found.pixels.min(), found.pixels.max()) == (0, 255)
    assert np.array_equal(found.pixels, own_images(network, 2, None).pixels)


@pytest.mark.data
def test_images_of_other_data_sets_are_those_of_a_folder(data_root: Path) -> None:
    network = load(PRETRAINED / "mnist-small.safetensors")
    found = own_images(network, 2, data_root)
    raw = next((data_root / "mnist").glob("t10k-images*")).read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    # A header of 16 bytes is before the pixels.
    assert (found.source, found.pixels.tobytes()) == (
        "mnist",
        np.frombuffer(raw, np.uint8, 2 * 784, 16).astype(np.int64).tobytes(),
    )


@pytest.mark.parametrize(("equal", "status"), [(True, 0), (False, 1)])
def test_the_exit_status(equal: bool, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "require", lambda *programs: None)
    monkeypatch.setattr(command, "digits", lambda: None)
    monkeypatch.setattr(command, "report", lambda proof, data: equal or proof.name != "ecp5")
    assert main([]) == status


def test_names_choose_proofs_and_data_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, Path]] = []
    monkeypatch.setattr(command, "require", lambda *programs: None)
    monkeypatch.setattr(command, "digits", lambda: None)

    def report(proof: Proof, data: Path) -> bool:
        seen.append((proof.name, data))
        return True

    monkeypatch.setattr(command, "report", report)
    assert main(["committed", "gowin", "--data", "folder", "--jobs", "1"]) == 0
    names = [proof.name for name in ("committed", "gowin") for proof in PROOFS[name]]
    assert seen == [(name, Path("folder")) for name in names]


def test_without_icarus_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main([]) == 2
    assert "apt install fpga-icestorm iverilog" in capsys.readouterr().err


def test_an_unknown_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xilinx"]) == 2
    names = "ice40, committed, signed, ecp5, gowin"
    assert capsys.readouterr().err == f"there is no xilinx, only {names}\n"


def test_designs_are_of_their_families() -> None:
    families = ("ice40", "ecp5", "gowin")
    assert [Board.find(fresh(family).design.board).family for family in families] == [*families]
    signed = [proof for proof in PROOFS["signed"] if isinstance(proof, Fresh)]
    assert [Board.find(proof.design.board).family for proof in signed] == [*families]
    assert [proof.name for proof in signed] == [f"signed-{family}" for family in families]
    assert {proof.family for proof in PROOFS["committed"]} == {"ice40"}
