"""``docs/axi.md`` shows the output of its command for an overlay."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from spikeloom.sw.cli import main
from spikeloom.sw.link.manifest import Manifest

PAGE = (Path(__file__).parents[2] / "docs/axi.md").read_text(encoding="utf-8")


def blocks() -> list[list[str]]:
    """Return two blocks of lines: the command for the overlay, and its output."""
    section = PAGE[PAGE.index("## PYNQ-Z2: an overlay") :]
    return [block.splitlines() for block in re.findall(r"^```\n(.*?)^```", section, re.M | re.S)][
        :2
    ]


def test_the_page_has_a_command_and_its_last_lines() -> None:
    command, lines = blocks()
    assert len(command) == 1
    assert "--overlay" in command[0]
    assert len(lines) == 9
    assert lines[-2].startswith("Vivado was not run: ")
    assert lines[-1].startswith("see it in the browser: spikeloom report ")


@pytest.mark.boards
def test_the_command_prints_the_output_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, lines = blocks()
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command[0])[1:]
    done = CliRunner().invoke(main, [*words, "--tools", "yowasp"])
    assert done.exit_code == 0, done.output
    printed = [line.split() for line in done.output.splitlines()]
    assert [line for line in lines if line.split() not in printed] == []
    assert done.output.splitlines()[-1] == lines[-1]
    name = re.search(r"""json\.load\(open\("(\S+)"\)\)\["hardware"\]""", PAGE)
    assert name
    manifest = Manifest.load(Path(words[-1]) / name[1])
    assert manifest.content["resources"]["dsp"]["used"] == 0
    assert manifest.overlay
