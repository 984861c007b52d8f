"""Look-up tables and block RAMs of whole designs, and rates for hw/build/sizing.py from them.

    PYTHONPATH=tests python -m benchmarks.sizing [FAMILY ...]

This synthesises networks that come with Spikeloom, with several numbers of lanes and without place
and route. For each, it prints Yosys' counts and the estimates. Then it prints the rates that fit
all designs best: none is negative, and the sum of squared relative errors is least. The first ones
are of each family, for what is beside its engines.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from benchmarks.bitstreams import KEPT
from spikeloom.hw.boards import Board, Resources
from spikeloom.hw.build import Images, flow, sizing
from spikeloom.hw.build.counts import read_cells
from spikeloom.hw.build.family import CELLS, YOSYS, Family
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.build.top import Top
from spikeloom.hw.device import Device
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import Plan, plan
from spikeloom.hw.search import Budget
from spikeloom.hw.selftest import SelfTest
from spikeloom.sw import network as contract
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.errors import ToolError
from spikeloom.sw.golden import Golden
from spikeloom.sw.link.manifest import Manifest

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
#: Committed builds for the ECP5's board: the largest, and one with an unrolled layer and copies.
BUILDS = ("cifar10-resnet20-public-4bit", "mnist-lenet5-4bit")


def designs(family: str) -> Iterator[tuple[str, HardwareConfig]]:
    """Yield the networks and configurations to synthesise for a family."""
    # No iCE40 has room for the larger networks.
    yield from (one for one in DESIGNS if family != "ice40" or one[0] == "digits-conv")
    if family == "ecp5":
        for network in BUILDS:
            manifest = Manifest.load(KEPT / f"{network}-{BOARDS[family]}.json")
            yield network, HardwareConfig(**manifest.content["config"])


def synthesised(planned: Plan, board: Board, folder: Path) -> Resources:
    """Return the resources of a whole design, as Yosys counts them."""
    family = Family.find(board.family)
    images = Images.random(planned.network, 1).pixels
    logits = Golden(planned.network).run(images).logits.numpy().astype(np.int64)
    link = LinkPlan.of(planned, round(board.clock * 1e6), board.link.baud)
    device = Device(planned, link, SelfTest(planned, images, logits))
    flow.write_sources(Top(board, device), board, family, folder)
    Toolset.find([YOSYS], "yowasp").run(["yosys", f"{flow.TOP}.ys"], folder, "yosys.log")
    return family.synthesised(read_cells(folder / CELLS))


def main(families: list[str]) -> None:
    """Synthesise all designs, compare them with the estimates, and fit the rates."""
    rows, counted, rest = [], [], []
    names = families or list(BOARDS)
    for name in names:
        board = Board.find(BOARDS[name])
        family = Family.find(board.family)
        for network, config in designs(name):
            planned = plan(contract.load(FOLDER / f"{network}.safetensors"), config)
            counted_too = "with" if config.counters else "without"
            try:
                with tempfile.TemporaryDirectory() as folder:
                    found = synthesised(planned, board, Path(folder))
            except ToolError as error:
                print(f"{name} {network} {config}: {error}", flush=True)
                continue
            lanes = [layer.lanes * layer.events for layer in planned.layers]
            estimated = sizing.luts(planned, family)
            foreseen = Budget(name, device=True).amounts(planned).block_ram
            print(
                f"{name:6} {network:12} {lanes!s:20} {counted_too:7} counters "
                f"LUTs {found.luts:6} estimated {estimated:6} ({estimated / found.luts - 1:+.1%}), "
                f"block RAMs {found.block_ram:4} estimated {foreseen:4}",
                flush=True,
            )
            # Each family has a number of its own for what is beside the engines.
            amounts = sizing.features(planned, family)
            rows.append([*(float(name == other) for other in names), *amounts[1:]])
            rest.append(sizing.given(planned, family) / found.luts)
            counted.append(found.luts)
    relative = np.array(rows) / np.array(counted)[:, None]
    lacking = 1 - np.array(rest)
    rates, _ = nnls(relative, lacking)
    print("rates", rates.round(2), "relative errors", (relative @ rates - lacking).round(2))


if __name__ == "__main__":
    main(sys.argv[1:])
