"""A user's own defaults: the command line wins, then the environment, then the file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from spikeloom.sw.cli import COMMANDS, main
from spikeloom.sw.cli.settings import NAMES, load_settings, settings_file
from spikeloom.sw.errors import ConfigError

ALL = """
data_root = "~/data"
build_dir = "sim"
cache_dir = "~/kept"
jobs = 2
threads = 3
seed = 5
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, by its usual path."""
    path = tmp_path / "spikeloom" / "config.toml"
    path.parent.mkdir()
    path.write_text(ALL)
    monkeypatch.delenv("SPIKELOOM_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "usual"))
    monkeypatch.chdir(tmp_path)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def seed(*arguments: str) -> str:
    """Return the default of `--seed` that the help of `cosim` shows."""
    help_text = run("cosim", *arguments, "--help").output
    return help_text.split("Seed of the stalls.  [default: ")[1].split("]")[0]


def test_the_environment_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seed() == "5"
    monkeypatch.setenv("SPIKELOOM_SEED", "x")
    told = run("cosim", "digits-conv", "--data", "digits")
    assert told.exit_code == 2
    assert "Invalid value for '--seed'" in told.stderr
    assert "'x' is not a valid integer" in told.stderr
    # The command line is looked at first.
    told = run("cosim", "no-such-network", "--seed", "3")
    assert "no-such-network" in told.stderr
    assert "seed" not in told.stderr


def test_paths_begin_at_home(file: Path) -> None:
    told = run("data", "mnist")
    assert str(file.parents[1] / "data") in told.stderr
    assert load_settings(file).options["build_dir"] == "sim"


def notes(*arguments: object) -> list[str]:
    """Return the files with notes on data sets that `cache` lists."""
    told = run("cache", "--json", "--only", "notes", *arguments)
    assert told.exit_code == 0, told.output
    return [entry["path"] for entry in json.loads(told.stdout)["entries"]]


def test_of_the_folders_for_caches_the_option_wins_then_the_variable_then_the_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {x: tmp_path / x / "published.json" for x in ("option", "variable", "kept")}
    places["usual"] = tmp_path / "usual" / "spikeloom" / "published.json"
    for place in places.values():
        place.parent.mkdir(parents=True)
        place.write_text("{}")
    assert notes() == [str(places["kept"])]
    monkeypatch.setenv("SPIKELOOM_CACHE_DIR", str(tmp_path / "variable"))
    assert notes() == [str(places["variable"])]
    assert notes("--cache-dir", tmp_path / "option") == [str(places["option"])]
    monkeypatch.setenv("SPIKELOOM_CACHE_DIR", "")
    assert notes() == [str(places["kept"])]
    file.write_text("seed = 5")
    assert notes() == [str(places["usual"])]


def test_commands_without_the_option_keep_their_notes_in_the_folder_of_the_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    inspected = main.get_command(click.Context(main), "inspect")
    assert inspected is not None
    # What a process that the command starts would inherit.
    monkeypatch.setattr(
        inspected, "callback", lambda **_: seen.append(os.environ.get("SPIKELOOM_CACHE_DIR"))
    )
    monkeypatch.delenv("SPIKELOOM_CACHE_DIR", raising=False)
    assert run("inspect", "digits-conv").exit_code == 0
    assert seen == [str(tmp_path / "kept")]
    assert "SPIKELOOM_CACHE_DIR" not in os.environ


def test_a_data_root_alone_asks_for_nothing(file: Path) -> None:
    assert run("inspect", "digits-conv").exit_code == 0
    told = run("inspect", "digits-conv", "--data-root", "here")
    assert "cycles depend on the images: give --data, or leave out --data-root" in told.stderr


def test_a_placement_has_a_seed_of_its_own() -> None:
    """That of the file is for trainings, and would give other bitstreams to other users."""
    command = main.get_command(click.Context(main), "build")
    assert command is not None
    (seed,) = (x for x in command.params if "--seed" in x.opts)
    assert seed.name not in NAMES


def test_each_key_is_an_option_of_a_command(file: Path) -> None:
    commands = [main.get_command(click.Context(main), name) for name in COMMANDS]
    options = {option.name for command in commands if command for option in command.params}
    assert set(NAMES) <= options
    page = (Path(__file__).parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"| `{name}` | `SPIKELOOM_{name.upper()}` | `--{name.replace('_', '-')}`" in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed = 5", "has the unknown key 'sed': did you mean seed? The keys are data_root, "),
        ("xyz = 5", "has the unknown key 'xyz': the keys are data_root, build_dir, cache_dir, "),
        ("[train]\nepochs = 5", "has the unknown key 'train': the keys are"),
        ("seed = '5'", ".seed must be an integer, not '5'"),
        ("seed = true", ".seed must be an integer, not True"),
        ("jobs = 0", ": jobs must be at least 1, not 0"),
        ("threads = 0", ": threads must be at least 1, not 0"),
        ("seed = -1", ": seed must be at least 0, not -1"),
        ('data_root = ""', ": data_root must be the path of a folder, not ''"),
        ('cache_dir = ""', ": cache_dir must be the path of a folder, not ''"),
        ("seed = ", "is no TOML file: Invalid value"),
    ],
)
def test_what_the_file_may_not_say(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    told = run("inspect", "digits-conv")
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith("error: ")
    assert str(file) in told.stderr
    assert message in told.stderr
    assert told.stderr.count("\n") == 1


def test_the_file_may_be_another_or_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_file() == file
    other = file.with_name("other.toml")
    other.write_text("seed = 9")
    monkeypatch.setenv("SPIKELOOM_CONFIG", str(other))
    assert seed() == "9"
    other.unlink()
    assert "config file" in run("inspect", "digits-conv").stderr
    monkeypatch.setenv("SPIKELOOM_CONFIG", "")
    assert seed() == "0"
    monkeypatch.delenv("SPIKELOOM_CONFIG")
    file.unlink()
    assert settings_file() is None


def test_settings_are_refused_before_they_are_used(file: Path) -> None:
    file.write_text("jobs = -3")
    with pytest.raises(ConfigError, match="jobs must be at least 1, not -3"):
        load_settings(file)
