"""Pages of the documentation, whose commands tests run as they are printed."""

from __future__ import annotations

import re
import shlex

from click.testing import CliRunner

from spikeloom.sw.cli import main


def run_commands(page: str) -> list[str]:
    """Run the block of ``spikeloom`` commands on a page, and return the output of each."""
    (text,) = re.findall(r"^```\n(spikeloom.*?)```", page, re.DOTALL | re.MULTILINE)
    printed = []
    for line in text.splitlines():
        program, *arguments = shlex.split(line)
        done = CliRunner().invoke(main, arguments)
        assert (program, done.exit_code) == ("spikeloom", 0), done.output
        printed.append(done.output)
    return printed
