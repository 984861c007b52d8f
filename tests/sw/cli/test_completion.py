"""Completion in the shell: the script, and the names that it completes."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from spikeloom.sw.cli import COMMANDS, main


def completed(*words: str) -> list[str]:
    """Return what a shell is offered for the last of some words."""
    env = {
        "_SPIKELOOM_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["spikeloom", *words]),
        "COMP_CWORD": str(len(words)),
    }
    result = CliRunner().invoke(main, [], prog_name="spikeloom", env=env)
    assert result.exit_code == 0, result.output
    return [line.partition(",")[2] for line in result.output.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_produced(shell: str) -> None:
    env = {"_SPIKELOOM_COMPLETE": f"{shell}_source"}
    result = CliRunner().invoke(main, [], prog_name="spikeloom", env=env)
    assert result.exit_code == 0
    assert f"_SPIKELOOM_COMPLETE={shell}_complete" in result.output


def test_commands_are_completed() -> None:
    assert completed("ins") == ["inspect"]
    assert completed("bo") == ["boards", "board"]
    assert len(COMMANDS) > 2


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("inspect", "digits-conv-"), ["digits-conv-2bit"]),
        (("run", "fashion-n"), ["fashion-net4"]),
        (("check", "vgg1"), ["vgg11", "vgg16"]),
        (("train", "digits-ecl"), ["digits-ecl"]),
        (("build", "digits-conv", "--board", "ul"), ["ulx3s-85f"]),
        (("cosim", "digits-conv", "--data", "cif"), ["cifar10", "cifar100", "cifar10-dvs"]),
        (("cosim", "digits-conv", "--json", "--verb"), ["--verbose"]),
    ],
)
def test_names_are_completed(words: tuple[str, ...], names: list[str]) -> None:
    assert completed(*words) == names


def test_other_text_is_completed_as_a_path() -> None:
    assert completed("inspect", "runs/net") == ["runs/net"]
