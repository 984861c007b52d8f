"""``spikeloom run``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.hw.networks import showcase
from support.link.network_board import NetworkBoard, behind_pty, manifest_of, planned
from support.networks.examples import everything

from spikeloom.hw.verilog import describe
from spikeloom.sw import network as contract
from spikeloom.sw.cli import main, run
from spikeloom.sw.golden import Golden
from spikeloom.sw.inference import Target
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.report import Run, add_figures

COUNT = 6


def invoke(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["run", *(str(argument) for argument in arguments)])
    return done.exit_code, done.output


@pytest.fixture
def board() -> NetworkBoard:
    return NetworkBoard(*planned(showcase()))


@pytest.fixture
def manifest(board: NetworkBoard, tmp_path: Path) -> Manifest:
    return manifest_of(board.plan, board.link, tmp_path)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 8, (COUNT, 2, 4, 5)))
    return path


@pytest.fixture
def labels(images: Path, tmp_path: Path) -> Path:
    """Golden's labels, but for one image."""
    found = Golden(showcase()).run(np.load(images)).labels.numpy()
    found[0] = (found[0] + 1) % 5
    path = tmp_path / "labels.npy"
    np.save(path, found)
    return path


def test_images_through_a_board(
    board: NetworkBoard, manifest: Manifest, images: Path, labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.npz"
    with behind_pty(board) as port:
        code, output = invoke(
            *(manifest.path, "--port", port, "--images", images, "--labels", labels),
            *("--counters", "--counts", "conv", "--counts", "spiking", "--out", out),
        )
    assert code == 0, output
    assert re.search(rf"^6 images on {port}: [\d,.]+ per second, 77\.0 clock cycles", output, re.M)
    assert re.search(
        r"^link: \d+ requests, \d+ sent again, \d+ stray answers, 0 images", output, re.M
    )
    assert "accuracy: 83.33 %" in output
    rows = {words[0]: words[1:] for words in map(str.split, output.splitlines()) if words}
    names = [name.split(".")[1] for name in board.link.counters[:4]]
    assert rows["layer"] == names
    # Read image by image, after one each.
    assert rows["steps"] == [f"{COUNT * (100 * k + 1):,}" for k in range(4, 8)]
    expected = Golden(showcase()).run(np.load(images))
    with np.load(out) as found:
        assert set(found) == {"labels", "logits", "cycles", "counts_conv", "counts_spiking"}
        assert found["labels"].tolist() == expected.labels.tolist()
        assert found["logits"].tolist() == expected.logits.tolist()
        assert found["cycles"].tolist() == [77] * COUNT
        assert found["counts_conv"].tolist() == expected.counts["conv"].tolist()
        assert found["counts_spiking"].tolist() == expected.counts["spiking"].tolist()


def test_labels_are_printed_where_it_is_not_known_which_are_right(
    board: NetworkBoard, images: Path, tmp_path: Path
) -> None:
    path = tmp_path / "net.safetensors"
    contract.save(showcase(), path)
    expected = Golden(showcase()).run(np.load(images)).labels.tolist()
    with behind_pty(board) as port:
        for limit in (3, 100):
            code, output = invoke(path, "--port", port, "--images", images, "--limit", limit)
            assert code == 0, output
            assert f"labels: {' '.join(map(str, expected[:limit]))}\n" in output


def test_more_labels_than_fit_a_line(images: Path, tmp_path: Path) -> None:
    network = tmp_path / "net.safetensors"
    contract.save(showcase(), network)
    np.save(images, np.zeros((23, 2, 4, 5), np.int64))
    code, output = invoke(network, "--target", "golden", "--images", images)
    assert code == 0, output
    assert "23 images on the golden model: " in output
    *_, labels, last = output.splitlines()
    assert labels.endswith(" and 3 more (--out)")
    assert last == f"see it in the browser: spikeloom report {network} --images {images}"
    printed = invoke(network, "--target", "golden", "--images", images, "--json")[1]
    (tmp_path / "run.json").write_text(printed)
    shown = Run("some")
    add_figures(tmp_path / "run.json", shown, required=True)
    assert shown.inference["run.json"]["labels"] == json.loads(printed)["labels"]


def test_a_board_with_another_network_is_refused(manifest: Manifest, images: Path) -> None:
    with behind_pty(NetworkBoard(*planned(everything()))) as port:
        code, output = invoke(manifest.path, "--port", port, "--images", images)
    assert code == 2
    expected = f"error: the board holds the network {everything().digest[:12]}, not "
    assert expected + showcase().digest[:12] + ": program it with the bitstream" in output


def test_a_board_that_takes_too_long(images: Path, tmp_path: Path) -> None:
    board = NetworkBoard(*planned(showcase()), delay=10**9)
    manifest = manifest_of(board.plan, board.link, tmp_path)
    with behind_pty(board) as port:
        code, output = invoke(manifest.path, "--port", port, "--images", images, "--patience", 0.25)
    assert code == 2
    assert "error: the board has not computed an image in 0.25 seconds: give it more" in output


def test_a_board_that_is_not_there(
    manifest: Manifest, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    none = "this computer has no serial port: plug in the board"
    assert invoke() == (0, f"{none}\n")
    code, output = invoke(manifest.path, "--images", images)
    assert (code, output) == (2, f"error: which port is the board on? Give --port: {none}\n")
    code, output = invoke(manifest.path, "--images", images, "--port", "/dev/no")
    assert code == 2
    assert output.endswith(f"error: cannot open port /dev/no: it does not exist: {none}\n")


def test_ports_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Port:
        device, description = "/dev/ttyUSB3", "FT231X"

    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [Port()])
    code, output = invoke()
    assert code == 0
    assert re.search(r"^ */dev/ttyUSB3 +FT231X *$", output, re.M)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "x"], "what should the board hold? Name its manifest, or its network"),
        (["N", "--target", "golden", "--port", "x"], "--port, --baud and --patience are of"),
        (["N", "--target", "sim", "--baud", 9600], "--port, --baud and --patience are of"),
        (["N", "--target", "sim", "--patience", 1], "--port, --baud and --patience are of boards"),
        (["N", "--target", "golden", "--counters"], "the golden model has no counters"),
        (["N", "--target", "golden"], "which images? Give either --data or --images"),
        (["N", "--port", "x", "--counters"], "which counters a board has is in its manifest"),
        (
            ["N", "--target", "golden", "--counts", "fc"],
            "there are no counts of 'fc', but",
        ),
        (["M", "--target", "golden"], "target 'golden' needs a network file: manifest "),
        (["no.json", "--target", "golden"], "manifest no.json does not exist"),
    ],
)
def test_wrong_choices(
    arguments: list[object], message: str, manifest: Manifest, images: Path, tmp_path: Path
) -> None:
    network = tmp_path / "net.safetensors"
    contract.save(showcase(), network)
    given = [{"N": network, "M": manifest.path}.get(str(part), part) for part in arguments]
    wants_images = given[:1] != ["--port"] and "Give either" not in message
    code, output = invoke(*given, *(["--images", images] if wants_images else []))
    assert code == 2
    assert f"error: {message}" in output


def test_targets_are_those_of_the_library() -> None:
    assert list(Target.kinds) == list(run.TARGETS)


@pytest.mark.parametrize("options", [(), ("--port", "/dev/null"), ("--target", "sim")])
def test_an_overlay_is_told_how_it_is_run(
    board: NetworkBoard, tmp_path: Path, options: tuple[str, ...]
) -> None:
    hardware = describe(board.plan) | {"axi": {}}
    made = manifest_of(board.plan, board.link, tmp_path, {"link": None, "hardware": hardware})
    code, output = invoke(made.path, *options)
    assert code == 2
    assert " ".join(output.split()) == (
        f"error: manifest {made.path} is of an overlay, which has no link to a host: PYNQ runs it "
        f"on the board itself, as docs/axi.md shows"
    )
