"""The committed bitstreams are complete, and their page is up to date."""

from __future__ import annotations

import json

import pytest

from benchmarks import page
from benchmarks.bitstreams import BUILDS, KEPT, PAGE, Build, accuracy, committed, table
from benchmarks.results import RECORDS
from spikeloom.hw.boards import Board
from spikeloom.hw.build.family import Family
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import load

MANIFESTS = {one.name: Manifest.load(KEPT / f"{one.name}.json") for one in BUILDS}


def test_nothing_else_lies_there() -> None:
    named = {path.name for one in MANIFESTS.values() for path in (one.path, one.bitstream) if path}
    assert {path.name for path in KEPT.iterdir()} == named


@pytest.mark.parametrize("one", BUILDS, ids=lambda one: one.name)
def test_a_build(one: Build) -> None:
    manifest = MANIFESTS[one.name]
    content = manifest.content
    board = Board.find(one.board)
    network = load(FOLDER / f"{one.network}.safetensors")
    assert content["network"]["digest"] == network.digest
    assert (content["board"], content["device"]) == (board.name, board.device)
    assert content["clock_mhz"] == (one.clock or board.clock)
    assert content["resources"]["dsp"]["used"] == 0
    for entry in content["resources"].values():
        assert entry["used"] <= entry["available"]
    assert content["routed"] == (Family.find(board.family).nextpnr is not None)
    if content["routed"]:
        assert content["fmax_mhz"] >= content["clock_mhz"]
        assert manifest.require_bitstream().stat().st_size < 5_000_000
    else:
        assert (content["fmax_mhz"], manifest.bitstream) == (None, None)


@pytest.mark.parametrize("board", Board.names())
def test_each_board_has_figures_of_three_data_sets(board: str) -> None:
    found = {
        manifest.content["network"]["dataset"]
        for one, manifest in committed().items()
        if one.board == board
    }
    assert found >= {"digits", "mnist", "fashion-mnist"}


@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_three_families_run_it(dataset: str) -> None:
    found = {
        Board.find(manifest.content["board"]).family
        for manifest in committed().values()
        if manifest.content["routed"] and manifest.content["network"]["dataset"] == dataset
    }
    assert len(found) >= 3


def test_the_page_is_that_of_the_manifests() -> None:
    assert page.parts(PAGE.read_text(encoding="utf-8"), "builds")[1] == table()


def test_accuracy_is_that_of_the_network_that_was_built() -> None:
    for one, manifest in committed().items():
        result = json.loads((RECORDS / f"{one.network}-0" / "result.json").read_text("utf-8"))
        assert result["network"] == manifest.content["network"]["digest"], one.name
        assert accuracy(one.network) == result["integer_accuracy"]
    # It runs for other timesteps than its model was trained for.
    content = json.loads((KEPT / "cifar10-resnet20-public-t15-ulx3s-85f.json").read_text("utf-8"))
    trained = content["network"]["accuracy"]["quantized"]
    assert accuracy("cifar10-resnet20-public-t15") > trained + 0.015
