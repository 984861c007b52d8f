"""Start-up: commands import what their work needs, and help texts nothing that takes long."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from spikeloom.sw.cli import COMMANDS, main
from spikeloom.sw.diagnostics import LayerHealth

#: Packages that take a noticeable part of a second, or several seconds, to import.
HEAVY = (
    *("torch", "amaranth", "amaranth_boards", "cocotb", "matplotlib", "scipy", "sklearn"),
    *("lightning_fabric", "tensorboardX", "numpy", "safetensors", "rich", "PIL", "serial"),
)
#: Of these, what a command may import before it knows its work.
LIGHT = {"numpy", "rich", "safetensors"}

_CODE = """
import contextlib, io, json, sys
from spikeloom.sw.cli import COMMANDS, main

def imported(*arguments):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(arguments)
    return [name for name in {heavy} if name in sys.modules]

print(json.dumps([imported(*arguments) for arguments in {calls}]))
"""


def imports(calls: list[list[str]]) -> list[set[str]]:
    """Return the heavy packages that are imported after each of some commands, one by one."""
    code = _CODE.format(heavy=HEAVY, calls=calls)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [set(names) for names in json.loads(done.stdout)]


def test_help_imports_nothing_that_takes_long() -> None:
    whole, *each = imports([["--help"], *([name, "--help"] for name in COMMANDS)])
    assert whole == set()
    assert {name: names - LIGHT for name, names in zip(COMMANDS, each, strict=True)} == {
        name: set() for name in COMMANDS
    }


@pytest.mark.parametrize(
    ("arguments", "also"),
    [
        (["inspect", "digits-conv"], set()),
        (["boards"], set()),
        (["boards", "--template", "ulx3s-85f"], set()),
        (["data", "digits"], {"PIL"}),
        (["train", "--recipes"], set()),
        (["generate", "no-such-network", "--out", "never.v"], set()),
        (["check", "digits-con"], set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_work_without_torch_does_not_import_it(arguments: list[str], also: set[str]) -> None:
    assert imports([arguments])[0] - LIGHT <= also


def test_a_log_is_diagnosed_without_torch(tmp_path: Path) -> None:
    known = {"name": "fc1", "timesteps": 4, "largest": 1, "steps": 1}
    health = {field.name: 0.1 for field in fields(LayerHealth)} | known
    record = {"phase": 0, "kind": "quantized", "epoch": 1, "health": [health]}
    (tmp_path / "log.jsonl").write_text(json.dumps(record) + "\n")
    found = json.loads(CliRunner().invoke(main, ["diagnose", str(tmp_path), "--json"]).stdout)
    assert found[0]["epochs"][0][0]["name"] == "fc1"
    assert imports([["diagnose", str(tmp_path)]])[0] <= LIGHT
