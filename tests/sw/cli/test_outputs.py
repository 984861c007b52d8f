"""Outputs of one command are different files."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from spikeloom.sw.cli.outputs import Output
from spikeloom.sw.errors import ConfigError


@click.command()
@click.option("--one", type=Output())
@click.option("--two", type=Output(folder=True))
def command(one: Path | None, two: Path | None) -> None:
    click.echo(f"{one} {two}")


def call(*words: str | Path) -> str:
    result = CliRunner().invoke(command, list(map(str, words)), catch_exceptions=False)
    return result.output


def test_different_files_are_taken(tmp_path: Path) -> None:
    assert call("--one", "a", "--two", "b") == "a b\n"
    assert call("--two", tmp_path) == f"None {tmp_path}\n"
    # The next call of a command knows nothing of the last one.
    assert call("--two", "a") == "None a\n"


@pytest.mark.parametrize("other", ["a", "./a", "x/../a", "{}/a", "link"])
def test_the_same_file_is_refused(
    other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to("a")
    name = other.format(tmp_path)
    message = rf"^--one and --two are the same file, .*{Path(name).name}: give each its own$"
    with pytest.raises(ConfigError, match=message):
        call("--one", "a", "--two", name)
