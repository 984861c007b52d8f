"""Look-up tables and block RAMs of designs, and rates for hw/build/sizing.py from them.

    PYTHONPATH=tests python -m benchmarks.sizing [FAMILY ...]

This synthesises networks that come with Spikeloom, without place and route: whole designs, with
several numbers of lanes or as ``spikeloom plan`` plans them, and accelerators alone. For each, it
prints Yosys' counts and the estimates. Then it prints the rates that fit all designs best: none is
negative, and the sum of squared relative errors is least. The first ones are of each family, for
what is beside its engines; the last one is of unrolled engines.
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
from spikeloom.hw.build.area import whole
from spikeloom.hw.build.counts import read_cells
from spikeloom.hw.build.family import CELLS, YOSYS, Family
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.build.top import Top
from spikeloom.hw.device import Device
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import Plan, plan
from spikeloom.hw.search import Budget, Search, typical
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
#: Accelerators alone, by family: with compact engines, and with words of several values.
ALONE = [
    *(
        (
            family,
            "mnist-small-4bit",
            HardwareConfig({"conv1": 2, "conv2": 4, "fc": 1}, slots=1, units=1, compact=True),
        )
        for family in BOARDS
    ),
    *(
        (family, network, HardwareConfig(lanes=lanes, slots=slots, compact=True))
        for family in BOARDS
        for network, lanes, slots in (
            ("mnist-small", 1, 4),
            ("fashion-small", 1, 2),
            ("digits-conv", 2, 4),
        )
    ),
    ("ecp5", "mnist-small", HardwareConfig({"conv1": 2, "conv2": 4, "fc": 1}, slots=1)),
    ("ecp5", "mnist-small", HardwareConfig(lanes=1, slots=1, compact=True)),
    ("ecp5", "mnist-small", HardwareConfig(lanes=1, slots=4)),
    ("ecp5", "mnist-small", HardwareConfig(lanes=2, slots=8)),
    ("ecp5", "mnist-mlp", HardwareConfig(lanes=2, slots=4, compact=True)),
    ("ecp5", "mnist-lenet5-4bit", HardwareConfig(lanes=1, slots=2, compact=True)),
    ("ice40", "mnist-small-4bit", HardwareConfig(lanes=2, slots=4)),
    ("gowin", "digits-conv", HardwareConfig(lanes=1, slots=1)),
]
#: Whole designs that are planned, and the look-up tables they may take; None for the board's.
PLANNED = {
    "ecp5": (
        ("mnist-small", 6000),
        ("fashion-small", 8000),
        ("digits-conv-2bit", 6000),
        ("mnist-mlp", 9000),
        ("mnist-lenet5-4bit", 8000),
        ("mnist-lenet5", 12000),
        ("cifar10-resnet20-public", 36000),
    ),
    "ice40": (("mnist-small-4bit", None),),
    "gowin": (("mnist-small", None), ("digits-conv-2bit", 5000)),
}
#: Committed builds: the largest, one with an unrolled layer and copies, and two of few slots.
BUILDS = {
    "ecp5": ("cifar10-resnet20-public-4bit", "mnist-lenet5-4bit"),
    "ice40": ("mnist-small", "digits-conv-2bit"),
}


def designs(family: str) -> Iterator[tuple[str, HardwareConfig]]:
    """Yield the networks and configurations to synthesise for a family."""
    # No iCE40 has room for the larger networks.
    yield from (one for one in DESIGNS if family != "ice40" or one[0] == "digits-conv")
    for network in BUILDS.get(family, ()):
        content = Manifest.load(KEPT / f"{network}-{BOARDS[family]}.json").content
        counters = bool(content["link"]["counters"])
        yield network, HardwareConfig(counters=counters, **content["config"])


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


def planned_for(name: str, family: str, limit: int | None) -> HardwareConfig:
    """Return the configuration of the fastest plan of a network within a limit."""
    board = Board.find(BOARDS[family])
    budget = Budget.of_board(board).within(luts=limit, block_ram=None)
    network = contract.load(FOLDER / f"{name}.safetensors")
    return Search(network, budget, typical(network, 1)).fastest().plan.config


def cases(names: list[str]) -> Iterator[tuple[str, str, HardwareConfig, bool]]:
    """Yield families, networks, configurations, and whether a whole design is meant."""
    for name in names:
        yield from ((name, network, config, True) for network, config in designs(name))
        for network, limit in PLANNED[name]:
            yield name, network, planned_for(network, name, limit), True
    yield from ((*case, False) for case in ALONE if case[0] in names)


def main(families: list[str]) -> None:
    """Synthesise all designs, compare them with the estimates, and fit the rates."""
    rows, counted, rest = [], [], []
    names = families or list(BOARDS)
    for name, network, config, entire in cases(names):
        board, family = Board.find(BOARDS[name]), Family.find(name)
        planned = plan(contract.load(FOLDER / f"{network}.safetensors"), config)
        try:
            with tempfile.TemporaryDirectory() as folder:
                found = (
                    synthesised(planned, board, Path(folder))
                    if entire
                    else whole(planned, family, "yowasp")
                )
        except ToolError as error:
            print(f"{name} {network} {config}: {error}", flush=True)
            continue
        budget = Budget(name, device=entire)
        estimated = sizing.luts(planned, family) - (0 if entire else family.beside)
        print(
            f"{name:5} {network:28} "
            f"lanes {', '.join(str(layer.lanes * layer.events) for layer in planned.layers[:5])} "
            f"{'counters' if config.counters else 'compact' if config.compact else ''}: "
            f"LUTs {found.luts:6} estimated {estimated:6.0f} ({estimated / found.luts - 1:+.1%}), "
            f"block RAMs {found.block_ram:4} "
            f"estimated {budget.amounts(planned).block_ram:4}",
            flush=True,
        )
        # Each family has a number of its own for what is beside the engines.
        amounts = sizing.features(planned, family)
        rows.append([*(float(entire and name == other) for other in names), *amounts])
        rest.append(sizing.given(planned, family) / found.luts)
        counted.append(found.luts)
    relative = np.array(rows) / np.array(counted)[:, None]
    lacking = 1 - np.array(rest)
    rates, _ = nnls(relative, lacking)
    print("rates", rates.round(2), "relative errors", (relative @ rates - lacking).round(2))


if __name__ == "__main__":
    main(sys.argv[1:])
