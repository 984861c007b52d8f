"""``spikeloom board``: a simulated board in one process, its host in another one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.cosim.tiny import tiny_network

from spikeloom.hw.boards import Board
from spikeloom.sim.board import LightChange
from spikeloom.sw import network as contract
from spikeloom.sw.cli import board, main
from spikeloom.sw.golden import Golden

pytestmark = pytest.mark.xdist_group("board-cli")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network, and in it all simulators of this module."""
    found = tmp_path_factory.mktemp("board")
    contract.save(tiny_network(), found / "net.safetensors")
    return found


def options(folder: Path) -> list[str | Path]:
    return [
        *("board", folder / "net.safetensors", "--simulate", "--board", "tang-nano-9k"),
        *("--self-test", "3", "--records", "all", "--build-dir", folder / "sim"),
        *("--manifest", folder / "board.json", "--link", folder / "ports" / "board"),
    ]


@contextmanager
def switched_on(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "spikeloom.sw.cli", *map(str, options(folder))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_board_in_one_shell_and_its_host_in_another(folder: Path) -> None:
    network = tiny_network()
    highest = network.input.values().high
    images = np.random.default_rng(0).integers(0, highest + 1, (20, *network.input.image_shape))
    np.save(folder / "images.npy", images)
    port = folder / "ports" / "board"
    lights = Board.find("tang-nano-9k").lights
    labels = ", ".join(f"{name}: {light.label}" for name, light in lights.items())
    with switched_on(folder) as process:
        assert process.stdout is not None
        told = [next(process.stdout) for _ in range(4)]
        assert told[:3] == [
            f"wrote {folder / 'board.json'}\n",
            f"Tang Nano 9K, simulated, holds {network.name}: port {port}\n",
            f"LEDs: {labels}\n",
        ]
        assert re.fullmatch(r"cycle [\d,]+: LED passed on\n", told[3])
        out = folder / "out.npz"
        result = run(
            *("run", folder / "board.json", "--port", port),
            *("--images", folder / "images.npy", "--counts", "hidden", "--out", out),
        )
        assert result.exit_code == 0, result.output
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "switched off\n"
        assert process.wait(10) == 0
    assert not port.is_symlink()
    expected = Golden(network).run(images)
    with np.load(out) as found:
        assert found["logits"].tolist() == expected.logits.tolist()
        assert found["labels"].tolist() == expected.labels.tolist()


def test_ctrl_c(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(change: LightChange) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(board, "_print_change", interrupt)
    # As a board that was killed leaves it.
    (folder / "ports").mkdir(exist_ok=True)
    (folder / "ports" / "board").symlink_to("/dev/pts/99999")
    before = signal.getsignal(signal.SIGINT)
    result = run(*options(folder))
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("switched off\n")
    assert signal.getsignal(signal.SIGINT) is before


class TestErrors:
    def refused(self, *arguments: str | Path) -> str:
        result = run("board", *arguments)
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.stderr
        return result.stderr.splitlines()[-1]

    def test_of_options(self) -> None:
        assert self.refused("digits-conv") == (
            "error: only simulated boards can be switched on here: add --simulate; to a real one, "
            "`spikeloom run` talks"
        )
        assert self.refused("digits-conv", "--simulate", "--data", "digits") == (
            "error: --data digits is for a self test: add --self-test N"
        )
        assert self.refused("digits-conv", "--simulate", "--clock", "999").startswith(
            "error: 25 MHz cannot be made into 999 MHz: the next is --clock "
        )
        assert self.refused("digits-conv", "--simulate", "--records", "fc,x") == (
            "error: records: there is no layer 'x', only conv1, conv2, conv3, fc"
        )

    def test_of_the_link(self, folder: Path) -> None:
        file, other = folder / "file", folder / "other"
        file.touch()
        other.symlink_to(file)
        for taken in (file, other):
            assert self.refused(*options(folder)[1:], "--link", taken) == (
                f"error: {taken} is there already, and no link to a terminal: give --link another "
                f"path"
            )
        assert other.readlink() == file
        below = file / "port"
        assert self.refused(*options(folder)[1:], "--link", below) == (
            f"error: cannot write {below}: File exists"
        )
        assert sorted(path.name for path in folder.glob("*other*")) == ["other"]

    def test_of_a_program_that_fails(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "spikeloom.sim.board.process.BoardProcess.running", property(lambda board: False)
        )
        monkeypatch.setattr("spikeloom.sw.cli.board._LOOK", 0.01)
        assert self.refused(*options(folder)[1:]) == (
            "error: the simulated board has ended by itself: please report this"
        )
