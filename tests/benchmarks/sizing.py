"""Look-up tables and block RAMs of whole designs, and rates for hw/build/sizing.py from them.

    PYTHONPATH=tests python -m benchmarks.sizing [FAMILY ...]

This synthesises networks that come with Spikeloom, with several numbers of lanes and without place
and route. For each, it prints Yosys' counts and the estimates. Then it prints the rates that fit
all designs best: none is negative, and the sum of squared relative errors is least.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from spikeloom.hw.boards import Board
from spikeloom.hw.build import Images, flow, sizing
from spikeloom.hw.build.counts import read_cells
from spikeloom.hw.build.family import CELLS, YOSYS, Family
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.build.top import Top
from spikeloom.hw.device import Device
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import Plan, plan
from spikeloom.hw.selftest import SelfTest
from spikeloom.sw import network as contract
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.errors import ToolError
from spikeloom.sw.golden import Golden

#: A board of each family.
BOARDS = {"ecp5": "ulx3s-85f", "ice40": "icebreaker", "gowin": "tang-nano-9k"}
DESIGNS = [
    ("digits-conv", HardwareConfig(lanes=1)),
    ("digits-conv", HardwareConfig(lanes=4, counters=True)),
    ("digits-conv", HardwareConfig(budget=64, counters=True)),
    ("digits-conv", HardwareConfig(budget=256, counters=True)),
    ("digits-conv", HardwareConfig(lanes={"conv1": 2, "conv2": 8, "conv3": 16, "fc": 1})),
    ("digits-conv", HardwareConfig(lanes=4, events={"conv2": 2, "conv3": 4})),
    ("mnist-mlp", HardwareConfig(lanes=4)),
    ("mnist-lenet5", HardwareConfig(budget=64, counters=True)),
]


def synthesised(planned: Plan, board: Board, folder: Path) -> tuple[int, int, int]:
    """Return look-up tables and block RAMs as Yosys counts them, and the estimated block RAMs."""
    family = Family.find(board.family)
    images = Images.random(planned.network, 1).pixels
    logits = Golden(planned.network).run(images).logits.numpy().astype(np.int64)
    link = LinkPlan.of(planned, round(board.clock * 1e6), board.link.baud)
    device = Device(planned, link, SelfTest(planned, images, logits))
    flow.write_sources(Top(board, device), board, family, folder)
    Toolset.find([YOSYS], "yowasp").run(["yosys", f"{flow.TOP}.ys"], folder, "yosys.log")
    found = family.synthesised(read_cells(folder / CELLS))
    foreseen = family.memory_blocks((folder / flow.DESIGN).read_text(encoding="utf-8"))
    return found.luts, found.block_ram, foreseen


def main(families: list[str]) -> None:
    """Synthesise all designs, compare them with the estimates, and fit the rates."""
    rows, counted, rest = [], [], []
    for name in families or list(BOARDS):
        board = Board.find(BOARDS[name])
        family = Family.find(board.family)
        for network, config in DESIGNS:
            planned = plan(contract.load(FOLDER / f"{network}.safetensors"), config)
            counted_too = "with" if config.counters else "without"
            try:
                with tempfile.TemporaryDirectory() as folder:
                    luts, blocks, foreseen = synthesised(planned, board, Path(folder))
            except ToolError as error:
                print(f"{name} {network} {config}: {error}", flush=True)
                continue
            lanes = [layer.lanes * layer.events for layer in planned.layers]
            estimated = sizing.luts(planned, family)
            print(
                f"{name:6} {network:12} {lanes!s:20} {counted_too:7} counters LUTs {luts:6} "
                f"estimated {estimated:6}, block RAMs {blocks:4} estimated {foreseen:4}",
                flush=True,
            )
            rows.append(sizing.features(planned, family))
            rest.append(sizing.given(planned, family) / luts)
            counted.append(luts)
    relative = np.array(rows) / np.array(counted)[:, None]
    lacking = 1 - np.array(rest)
    rates, _ = nnls(relative, lacking)
    print("rates", rates.round(2), "relative errors", (relative @ rates - lacking).round(2))


if __name__ == "__main__":
    main(sys.argv[1:])
