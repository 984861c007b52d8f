"""Stand-ins for synthesis and place-and-route, and a network that is quick to build."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.build.tools import Toolset
from spikeloom.sw.network import (
    Connection,
    DirectInput,
    If,
    Layer,
    Linear,
    Logits,
    Network,
)

REPORT: dict[str, Any] = {
    "fmax": {"clk": {"achieved": 33.333}},
    "utilization": {
        "ICESTORM_LC": {"used": 1234, "available": 5280},
        "ICESTORM_RAM": {"used": 7, "available": 30},
        "ICESTORM_DSP": {"used": 0, "available": 8},
    },
}


def two_layers() -> Network:
    """Return a small network whose layers have 8 channels, for 1, 2, 4 or 8 lanes."""
    rng = np.random.default_rng(0)
    return Network(
        DirectInput((1, 2, 2), bits=3),
        (
            Layer(
                "hidden",
                2,
                If(np.full(8, 9), np.full(8, 4), np.full(8, 1), fraction_bits=0),
                (Connection("input", "count", Linear(rng.integers(-3, 4, (8, 4)))),),
            ),
            Layer(
                "out",
                1,
                Logits(np.zeros(8, np.int64), fraction_bits=0),
                (Connection("hidden", "count", Linear(rng.integers(-3, 4, (8, 8)))),),
            ),
        ),
        name="two layers",
    )


class Tools:
    """Stand-in for the tools of an iCE40: writes given results, and records its calls.

    Attributes
    ----------
    commands : list of list of str
        The commands that were run.
    cells : list of dict or Exception
        Yosys' cells by type, one entry per call; an exception is raised. The last entry stays.
    reports : list of dict
        nextpnr's reports, one entry per call. The last entry stays.
    """

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.cells: list[Any] = [{"SB_LUT4": 1000, "SB_DFFSR": 300, "SB_RAM40_4K": 7}]
        self.reports: list[dict[str, Any]] = [REPORT]

    def run(self, command: Sequence[str], folder: Path, log: str) -> None:
        self.commands.append(list(command))
        assert not any(word.startswith("/") for word in command[1:])
        if command[0] == "yosys":
            found = self.cells.pop(0) if len(self.cells) > 1 else self.cells[0]
            if isinstance(found, Exception):
                raise found
            counted = {"design": {"num_cells_by_type": found}}
            (folder / "cells.json").write_text(json.dumps(counted))
        elif command[0].startswith("nextpnr"):
            report = self.reports.pop(0) if len(self.reports) > 1 else self.reports[0]
            (folder / "report.json").write_text(json.dumps(report))
        else:
            (folder / "top.bin").write_bytes(b"bits")

    @property
    def names(self) -> list[str]:
        return [command[0] for command in self.commands]

    @classmethod
    def installed(cls, monkeypatch: pytest.MonkeyPatch) -> Tools:
        """Return stand-ins, installed in place of the real tools for one test."""
        tools = cls()
        versions = {"yosys": "1", "nextpnr-ice40": "2", "icepack": "3"}
        found = Toolset({name: name for name in versions}, versions)
        monkeypatch.setattr(Toolset, "find", lambda *_: found)
        monkeypatch.setattr(Toolset, "run", lambda _, *arguments: tools.run(*arguments))
        return tools
