"""The README's Python runs as printed, and its tour has all commands and no others."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from spikeloom.sw.cli import COMMANDS

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_python_runs_in_ten_lines_or_less(tmp_path: Path) -> None:
    ten_lines, verilog, own_loop, in_time = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in ten_lines.splitlines() if line.strip()]) <= 10
    code = (
        f"{ten_lines}\n{verilog}\n{own_loop}\nprint(network.layers[0].timesteps)\n"
        f"{in_time}\nprint(network.layers[0].neuron.kind)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
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
    loop_timesteps, neuron_in_time = done.stdout.splitlines()[-2:]
    assert (loop_timesteps, neuron_in_time) == ("4", "burst")


def test_the_tour_has_every_command_and_no_other() -> None:
    listed = set(re.findall(r"^spikeloom (\w+)", README, re.MULTILINE))
    assert listed == set(COMMANDS)
