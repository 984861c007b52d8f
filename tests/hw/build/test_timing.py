from __future__ import annotations

from typing import Any

import pytest

from spikeloom.hw.build import timing
from spikeloom.sw.errors import ToolError


def step(kind: str, delay: float, source: str, target: str) -> dict[str, Any]:
    return {"type": kind, "delay": delay, "from": {"cell": source}, "to": {"cell": target}}


REPORT = {
    "fmax": {"clk": {"achieved": 80.0, "constraint": 25}, "other": {"achieved": 40.5}},
    "critical_paths": [
        {"from": "posedge clk", "to": "<async>", "path": [step("logic", 99.0, "a", "b")]},
        {
            "from": "posedge clk",
            "to": "posedge clk",
            "path": [
                step("clk-to-q", 5.5, "layer_fc.pes.bank0.0.1", "layer_fc.pes.bank0.0.1"),
                step("routing", 1.0, "layer_fc.pes.bank0.0.1", "layer_fc.pes.bank0.0.0_DOA_LUT4_Z"),
                step("logic", 0.5, "layer_fc.pes.bank0.0.0_DOA_LUT4_Z", "layer_fc.pes.sum_LUT4_Z"),
                step("routing", 2.0, "layer_fc.pes.sum_LUT4_Z", "layer_fc.pes.total_TRELLIS_FF_Q"),
                step("setup", 0.0, "layer_fc.pes.total_TRELLIS_FF_Q", "layer_fc.pes.total$1"),
            ],
        },
    ],
}


def test_the_slowest_clock_counts() -> None:
    assert timing.fmax(REPORT) == 40.5
    assert timing.require_closed(REPORT, 40.5, "board") == 40.5


def test_a_clock_that_is_too_fast_is_refused_with_the_path_in_words() -> None:
    with pytest.raises(ToolError) as error:
        timing.require_closed(REPORT, 48, "OrangeCrab 25F")
    assert str(error.value) == (
        "the design reaches 40.5 MHz, but OrangeCrab 25F runs at 48 MHz: take fewer lanes or "
        "events (--lanes, --events), or try more placements (--placements). The longest path takes "
        "9.0 ns, 3.0 ns of it in wires, through 1 cells: from layer_fc.pes.bank0 by way of "
        "layer_fc.pes.bank0, layer_fc.pes.sum to layer_fc.pes.total"
    )


def test_a_report_without_paths() -> None:
    assert timing.critical_path({"fmax": {}}) == "The report names no critical path."
