"""Budgets: estimates of whole designs, beside those that the tools have placed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikeloom.hw.boards import Board
from spikeloom.hw.planning import plan
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.search import Budget
from spikeloom.hw.search.budget import Amounts
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.network import load

BITSTREAMS = Path(__file__).parents[3] / "bitstreams"


@pytest.mark.parametrize("name", ["mnist-small", "fashion-small", "digits-conv-2bit"])
def test_cells_of_an_ice40_hold_flip_flops_without_a_look_up_table(name: str) -> None:
    """nextpnr has packed 4,755, 4,735 and 4,385; look-up tables alone were some 1,100 fewer."""
    manifest = json.loads((BITSTREAMS / f"{name}-icebreaker.json").read_text())
    network = load(FOLDER / f"{name}.safetensors")
    planned = plan(network, HardwareConfig(**manifest["config"]))
    counters = bool(manifest["link"]["counters"])
    assert counters == (name != "digits-conv-2bit")
    budget = Budget.of_board(Board.find("icebreaker"), counters=counters)
    amounts = budget.amounts(planned)
    resources = manifest["resources"]
    assert amounts.luts == pytest.approx(resources["luts"]["used"], rel=0.05)
    assert amounts.block_ram == resources["block_ram"]["used"]
    assert budget.fits(amounts)


def test_counters_take_room_in_a_design() -> None:
    planned = plan(load(FOLDER / "digits-conv.safetensors"), HardwareConfig())
    board = Board.find("ulx3s-85f")
    with_them = Budget.of_board(board).amounts(planned)
    without = Budget.of_board(board, counters=False).amounts(planned)
    # Four of each of the four layers.
    assert with_them.luts - without.luts == pytest.approx(16 * 81.1)
    assert with_them.flipflops - without.flipflops == 16 * 64
    assert with_them.block_ram == without.block_ram


def test_what_a_design_has_too_much_of() -> None:
    budget = Budget(luts=1000, flipflops=2000, block_ram=3)
    assert budget.short_of(Amounts(1000, 2000, 3)) == []
    assert budget.short_of(Amounts(1234.5, 2345.6, 4)) == [
        "about 1,234 look-up tables of 1,000",
        "about 2,346 flip-flops of 2,000",
        "4 block RAMs of 3",
    ]
