from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from spikeloom.sw.cli import main
from spikeloom.sw.cli.networks import FOLDER, committed
from spikeloom.sw.network import load


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, arguments)
    return done.exit_code, done.output


@pytest.mark.parametrize("name", committed())
def test_every_network_of_ours_is_found_by_its_name(name: str) -> None:
    code, output = run("inspect", name)
    assert code == 0
    assert load(FOLDER / f"{name}.safetensors").layers[0].name in output


def test_the_help_names_our_networks() -> None:
    assert "digits-conv" in committed()
    for command in ("inspect", "generate", "cosim"):
        code, output = run(command, "--help")
        assert code == 0
        # A narrow screen breaks lines behind hyphens.
        read = "".join(output.split())
        assert f"orthenameofatrainednetworkthatwebring:{','.join(committed())}." in read


def test_a_file_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits-conv").write_bytes(b"no network")
    code, output = run("inspect", "digits-conv")
    assert code == 2
    assert output.startswith("error: digits-conv")


def test_an_unknown_name_is_told_ours() -> None:
    code, output = run("inspect", "speech")
    assert code == 2
    assert "network speech does not exist: check the path, or take one of ours: " in output
    assert "digits-conv" in output


def test_a_mistyped_name_is_told_the_nearest() -> None:
    assert (
        "digits-konv does not exist: did you mean digits-conv? Check the path"
        in run("inspect", "digits-konv")[1]
    )
