from __future__ import annotations

import pytest
from support.networks.examples import everything

from spikeloom.hw.boards import Board, Resources
from spikeloom.hw.build import sizing
from spikeloom.hw.build.family import Family
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import plan
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.network import Network, load

ECP5 = Family.find("ecp5")


@pytest.fixture(scope="module")
def network() -> Network:
    return load(FOLDER / "digits-conv.safetensors")


#: Look-up tables that Yosys counted on an ECP5 (python -m benchmarks.sizing ecp5).
COUNTED = [
    (HardwareConfig(lanes=1), 5290),
    (HardwareConfig(lanes=4, counters=True), 6731),
    (HardwareConfig(budget=256, counters=True), 10663),
    (HardwareConfig(lanes=4, events={"conv2": 2, "conv3": 4}), 7453),
]


@pytest.mark.parametrize(("config", "luts"), COUNTED)
def test_the_estimate_is_near_what_yosys_counted(
    network: Network, config: HardwareConfig, luts: int
) -> None:
    assert sizing.luts(plan(network, config), ECP5) == pytest.approx(luts, rel=0.05)


#: Look-up tables that Yosys counted for single unrolled engines on an ECP5, by network and planes.
UNROLLED = [
    ("digits-conv", 1, 1602),
    ("digits-conv", 5, 4592),
    ("mnist-lenet5", 1, 1749),
    ("mnist-lenet5", 2, 2323),
    ("mnist-lenet5", 4, 3734),
    ("mnist-lenet5", 8, 6487),
]


@pytest.mark.parametrize(("name", "planes", "luts"), UNROLLED)
def test_the_estimate_of_an_unrolled_engine(name: str, planes: int, luts: int) -> None:
    network = load(FOLDER / f"{name}.safetensors")
    planned = plan(network, HardwareConfig(planes={"conv1": planes}))
    assert sizing.engine_luts(planned["conv1"], ECP5) == pytest.approx(luts, rel=0.1)


#: Look-up tables that Yosys counted for accelerators of compact engines, by family, lanes and units
#: of the first layer.
COMPACT = [("ice40", 1, 1, 910), ("ice40", 2, 1, 972), ("ecp5", 2, None, 1263)]


@pytest.mark.parametrize(("family", "first", "units", "luts"), COMPACT)
def test_the_estimate_of_compact_engines(
    family: str, first: int, units: int | None, luts: int
) -> None:
    lanes = {"conv1": first, "conv2": 4, "fc": 1}
    shared = None if units is None else {"conv1": units, "conv2": 1}
    config = HardwareConfig(lanes, slots=1, units=shared, compact=True)
    planned = plan(load(FOLDER / "mnist-small-4bit.safetensors"), config)
    found = sum(sizing.engine_luts(layer, Family.find(family)) for layer in planned.layers)
    assert found == pytest.approx(luts, rel=0.1)


def test_more_lanes_and_events_take_more(network: Network) -> None:
    luts = [
        sizing.luts(plan(network, config), ECP5)
        for config in (
            HardwareConfig(lanes=2),
            HardwareConfig(lanes=4),
            HardwareConfig(lanes=4, events={"conv2": 2}),
            HardwareConfig(lanes=8, events={"conv2": 4}),
        )
    ]
    assert luts == sorted(set(luts))


def test_candidates_shrink(network: Network) -> None:
    board = Board.find("ulx3s-85f")
    plans = list(
        sizing.candidates(network, HardwareConfig(), Family.find(board.family), board.resources)
    )
    lanes = [sum(layer.lanes for layer in planned.layers) for planned in plans]
    assert lanes == sorted(lanes, reverse=True)
    assert len(set(lanes)) > 3


def test_a_larger_board_gets_more_lanes(network: Network) -> None:
    first = {}
    for name in ("tang-nano-9k", "ulx3s-85f"):
        board = Board.find(name)
        planned = next(
            sizing.candidates(network, HardwareConfig(), Family.find(board.family), board.resources)
        )
        first[name] = sum(layer.lanes for layer in planned.layers)
    assert first["tang-nano-9k"] < first["ulx3s-85f"]


def test_with_the_fewest_lanes_come_fewer_slots(network: Network) -> None:
    board = Board.find("ulx3s-85f")
    plans = list(
        sizing.candidates(network, HardwareConfig(), Family.find(board.family), board.resources)
    )
    fewest = [planned for planned in plans if all(layer.lanes == 1 for layer in planned.layers)]
    assert [planned.config.slots for planned in fewest] == [8, 4, 2, 1, 1]
    assert [planned.config.compact for planned in fewest] == [False] * 4 + [True]
    sizes = [sizing.luts(planned, ECP5) for planned in fewest]
    assert sizes == sorted(set(sizes), reverse=True)


def test_lanes_that_are_given_are_the_only_candidate() -> None:
    network, board = everything(), Board.find("icebreaker")
    for config in (
        HardwareConfig(lanes=1),
        HardwareConfig(lanes={layer.name: 1 for layer in network.layers}),
    ):
        (planned,) = sizing.candidates(network, config, Family.find(board.family), board.resources)
        assert planned.config == config


def test_all_other_lanes_that_are_given_are_enough(network: Network) -> None:
    board = Board.find("ulx3s-85f")
    config = HardwareConfig(lanes=2, planes={"conv1": 1})
    family = Family.find(board.family)
    (planned,) = sizing.candidates(network, config, family, board.resources)
    assert planned.config == config


def test_a_hopeless_board_is_tried_with_the_fewest_lanes(network: Network) -> None:
    (planned,) = sizing.candidates(
        network, HardwareConfig(), Family.find("ecp5"), Resources(100, 100, 1, 0)
    )
    assert [layer.lanes for layer in planned.layers] == [1, 1, 1, 1]
    assert planned.config.slots == 1
    assert planned.config.compact
