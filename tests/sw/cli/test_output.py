"""``--verbose``, ``--quiet`` and ``--json``: for every command, before and behind its name."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from spikeloom.sw.cli import COMMANDS, main
from spikeloom.sw.cli.output import LOGGER, say, silent

PAGE = Path(__file__).parents[3] / "docs" / "json.md"
#: Commands that report, and so have ``--json``; `board` runs until it is switched off.
REPORTING = [name for name in COMMANDS if name != "board"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def documented(name: str) -> set[str]:
    """Return the keys that the page lists for a command."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## `{name}`", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return {key.strip(" `") for row in rows for key in row.split("|")[1].split(",")}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_both_options_once(name: str) -> None:
    for _ in range(2):  # a command that was found before is not given them again
        flags = [flag for option in command(name).params for flag in option.opts]
        assert flags.count("--verbose") == flags.count("-v") == 1
        assert flags.count("--quiet") == flags.count("-q") == 1


@pytest.mark.parametrize("name", REPORTING)
def test_every_command_that_reports_has_json_and_its_keys_are_documented(name: str) -> None:
    assert "--json" in [flag for option in command(name).params for flag in option.opts]
    assert documented(name)


@pytest.mark.parametrize("arguments", [("-q", "boards"), ("boards", "-q"), ("boards", "--quiet")])
def test_quiet_prints_nothing_but_the_exit_status(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.output) == (0, "")


def test_quiet_keeps_errors_and_the_json_that_is_asked_for() -> None:
    assert run("-q", "inspect", "speech").stderr.startswith("error: network speech does not exist")
    assert json.loads(run("-q", "inspect", "digits-conv", "--json").output)["name"] == "digits-conv"


@pytest.mark.parametrize("before", [True, False])
def test_verbose_tells_files_and_time_on_stderr(before: bool) -> None:
    arguments = ["-v", "inspect"] if before else ["inspect", "-v"]
    result = run(*arguments, "digits-conv", "--json")
    assert json.loads(result.stdout)["name"] == "digits-conv"
    assert "digits-conv.safetensors" in result.stderr
    assert result.stderr.splitlines()[-1].endswith(" s")
    assert logging.getLogger(LOGGER).handlers == []


def test_verbose_shows_where_an_error_comes_from() -> None:
    message = run("-v", "inspect", "speech").stderr
    assert "Traceback" in message
    assert "error: network speech does not exist" in message


def test_verbose_and_quiet_together_are_refused() -> None:
    for arguments in (("-v", "-q", "boards"), ("-v", "boards", "-q")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "--verbose and --quiet: give one of them" in result.stderr


def test_outside_of_a_command_everything_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert not silent()
    say("hello")
    assert capsys.readouterr().out == "hello\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "digits-conv"),
        ("data", "digits"),
        ("inspect", "digits-conv"),
        ("run", "digits-conv", "--target", "golden", "--data", "digits", "--limit", "3"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_json_has_the_documented_keys_and_nothing_else(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    assert set(json.loads(result.stdout)) == documented(arguments[0])


def test_json_of_boards_is_a_list_of_documented_entries() -> None:
    for entry in json.loads(run("boards", "--json").stdout):
        assert set(entry) == documented("boards")


def test_json_of_files_that_are_written(tmp_path: Path) -> None:
    verilog = tmp_path / "net.v"
    result = run("generate", "digits-conv", "--out", verilog, "--json")
    content = json.loads(result.stdout)
    assert set(content) == documented("generate")
    assert content["verilog"] == str(verilog)
    assert Path(content["sidecar"]).exists()
    assert content["memories"] == []
    result = run("generate", "digits-conv", "--out", verilog, "--json", "--memories", "files")
    files = json.loads(result.stdout)["memories"]
    assert files
    assert {Path(file) for file in files} == set(tmp_path.glob("*.mem"))
