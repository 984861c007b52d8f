"""The README's Python runs as printed, and the README tells no other commands than there are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from spikeloom.sw.cli import COMMANDS

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_python_runs_in_ten_lines_or_less(tmp_path: Path) -> None:
    code, own_loop, in_time = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    ran = (
        f"{code}\n{own_loop}\nprint(network.layers[0].timesteps)\n"
        f"{in_time}\nprint(network.layers[0].neuron.kind)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ran],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    match = re.search(r"(\d+) values compared, (\d+) differ", done.stdout)
    assert match is not None, done.stdout
    assert int(match[1]) > 100_000
    assert int(match[2]) == 0
    assert (tmp_path / "build" / "net.v").exists()
    assert done.stdout.splitlines()[-2:] == ["4", "burst"], "one's own loop, and in time"


def test_every_command_is_in_the_tour() -> None:
    told = set(re.findall(r"^spikeloom (\w+)", README, re.MULTILINE))
    assert told == set(COMMANDS)
