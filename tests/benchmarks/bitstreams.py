"""Build the committed bitstreams anew and compare them: ``make bitstreams``.

Each build has to give the same bytes and the same manifest that lie in ``bitstreams/``. The tables
of docs/boards/results.md are written from the committed manifests.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.results import RECORDS
from spikeloom.hw.boards import Board
from spikeloom.hw.build import FIELDS, Images, build
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.prediction import activity
from spikeloom.hw.search import Budget, Search
from spikeloom.sw.cli.networks import FOLDER as PRETRAINED
from spikeloom.sw.datasets import first_images
from spikeloom.sw.errors import SpikeloomError
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import Network, load
from spikeloom.sw.network.record import IntArray

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "boards" / "results.md"
#: Folder of the committed bitstreams and manifests.
KEPT = ROOT / "bitstreams"
#: Number of images to predict images per second from; the first one is in the bitstream.
IMAGES = 20
#: Number of images whose events a search for a plan knows.
SEARCHED = 4

HEADER = (
    "network",
    "board",
    "lanes",
    "slots",
    *(f"#{name}" for name in FIELDS.values()),
    "#clock, MHz",
    "#highest, MHz",
    "#cycles an image",
    "#images/s computed",
    "#images/s over the line",
    "#accuracy",
)


@dataclass(frozen=True)
class Build:
    """A committed bitstream, or a project for Vivado, of which only the manifest is committed.

    Parameters
    ----------
    network : str
        Name of a network that comes with Spikeloom.
    board : str
    clock : float, optional
        In MHz; by default the oscillator's.
    lanes : int or mapping of layer name to int, optional
        Lanes of each layer; by default as many as fit.
    slots : int
    counters : bool
    cycles : int, optional
        Most clock cycles per image, for which lanes and everything else are searched; then neither
        ``lanes`` nor ``slots`` count.
    seed : int, optional
        Of the placement; nextpnr's own by default.
    """

    network: str
    board: str
    clock: float | None = None
    lanes: int | Mapping[str, int] | None = field(default=None, hash=False)
    slots: int = 8
    counters: bool = True
    cycles: int | None = None
    seed: int | None = None

    @property
    def name(self) -> str:
        """Name of the manifest, without its suffix."""
        return f"{self.network}-{self.board}"

    @property
    def config(self) -> HardwareConfig:
        """Choices for the accelerator, but for those that a search finds."""
        return HardwareConfig(lanes=self.lanes, slots=self.slots, counters=self.counters)

    def searched(self, network: Network, pixels: IntArray) -> HardwareConfig:
        """Return the choices for the accelerator, after a search if ``cycles`` asks for one."""
        if self.cycles is None:
            return self.config
        board = Board.find(self.board)
        budget = Budget.of_board(board, counters=self.counters)
        search = Search(network, budget, activity(network, pixels))
        return replace(search.reaching(self.cycles).plan.config, counters=self.counters)


#: If slots and lanes are given, a search found them; so the search need not be repeated.
BUILDS = (
    Build(
        "digits-conv",
        "ulx3s-85f",
        clock=100.0,
        lanes={"conv1": 4, "conv2": 16, "conv3": 32, "fc": 2},
        seed=2,
    ),
    Build("mnist-lenet5", "ulx3s-85f", clock=50.0),
    Build("mnist-lenet5-4bit", "ulx3s-85f", clock=100.0, cycles=1000, counters=False),
    Build("fashion-small", "ulx3s-85f", clock=50.0),
    Build("cifar10-resnet20-public-4bit", "ulx3s-85f", clock=80.0, cycles=70_000, counters=False),
    Build("cifar10-resnet20-public-t15", "ulx3s-85f", clock=50.0, cycles=250_000, counters=False),
    Build("digits-conv", "orangecrab-25f"),
    Build("mnist-lenet5", "orangecrab-25f"),
    Build("fashion-small", "orangecrab-25f"),
    Build("digits-conv", "crosslink-nx-evn"),
    Build("mnist-lenet5", "crosslink-nx-evn"),
    Build("fashion-small", "crosslink-nx-evn"),
    Build("digits-conv", "tang-nano-9k", lanes=1, slots=2),
    Build("mnist-small", "tang-nano-9k", lanes=1, slots=2),
    Build("fashion-small", "tang-nano-9k", lanes=1, slots=2),
    Build("digits-conv-2bit", "icebreaker", lanes=1, slots=2, counters=False),
    Build("mnist-small", "icebreaker", lanes=1, slots=2),
    Build("fashion-small", "icebreaker", lanes=1, slots=2),
    # Projects for Vivado, with the resources that Yosys counts.
    Build("digits-conv", "arty-a7-100t", clock=50.0),
    Build("mnist-lenet5", "arty-a7-100t", clock=50.0),
    Build("fashion-small", "arty-a7-100t", clock=50.0),
    Build("digits-conv", "pynq-z2", clock=50.0),
    Build("mnist-lenet5", "pynq-z2", clock=50.0),
    Build("fashion-small", "pynq-z2", clock=50.0),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the chosen bitstreams, compare or keep them, and write the page."""
    parser = argparse.ArgumentParser(prog="make bitstreams", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with mnist/, fashion-mnist/ and so on")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="as NETWORK-BOARD")
    parser.add_argument("--keep", action="store_true", help="replace the committed files")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="at once")
    parser.add_argument("--page", action="store_true", help="build nothing, write the page")
    chosen = parser.parse_args(arguments)
    wanted = [one for one in BUILDS if not chosen.only or one.name in chosen.only]
    if chosen.page:
        write_page()
        return 0
    with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("spawn")) as pool:
        same = sum(pool.map(partial(rebuild, data=chosen.data, keep=chosen.keep), wanted))
    write_page()
    print(f"{same} of {len(wanted)} are {'there' if chosen.keep else 'equal to the committed'}")
    return 0 if same == len(wanted) else 1


def rebuild(one: Build, *, data: Path | None, keep: bool) -> bool:
    """Build a bitstream; return whether it equals the committed one, or has replaced it."""
    network = load(PRETRAINED / f"{one.network}.safetensors")
    name = str(network.about["dataset"])
    pixels = first_images(name, network.input, IMAGES, data)
    images = Images(pixels, f"{name}, the first {IMAGES} test images", real=True)

    def say(text: str) -> None:
        print(f"{one.name}: {text}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        try:
            manifest = build(
                network,
                Board.find(one.board),
                folder,
                config=one.searched(network, pixels[:SEARCHED]),
                images=images,
                clock=one.clock,
                seed=one.seed,
                name=one.name,
                source="yowasp",
                say=say,
            )
        except SpikeloomError as error:
            say(f"failed: {error}")
            return False
        same = equal(manifest, KEPT / manifest.path.name)
        if keep:
            KEPT.mkdir(exist_ok=True)
            for path in (manifest.path, manifest.bitstream):
                if path is not None:
                    shutil.copy(path, KEPT / path.name)
        say("equal to the committed" if same else "NEW" if keep else "DIFFERS")
        return same or keep


def equal(manifest: Manifest, committed: Path) -> bool:
    """Return whether a manifest and its bitstream, if any, equal the committed ones."""
    if not committed.exists():
        return False
    if committed.read_bytes() != manifest.path.read_bytes():
        return False
    kept = Manifest.load(committed)
    return kept.bitstream is None or kept.require_bitstream().exists()


def committed() -> dict[Build, Manifest]:
    """Return the committed manifests, in the order of the builds."""
    paths = {one: KEPT / f"{one.name}.json" for one in BUILDS}
    return {one: Manifest.load(path) for one, path in paths.items() if path.exists()}


def write_page() -> None:
    """Write the table into the page."""
    page.replace(PAGE, "builds", table())


def table() -> str:
    """Return the table of all builds."""
    return page.table(
        HEADER, [line(one, manifest.content) for one, manifest in committed().items()]
    )


def line(one: Build, content: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the line of a build."""
    config, resources = content["config"], content["resources"]
    prediction = content["prediction"]
    slots = config["slots"]
    return (
        one.network,
        Board.find(content["board"]).title,
        ", ".join(str(layer["lanes"]) for layer in content["hardware"]["layers"]),
        ", ".join(map(str, slots.values())) if isinstance(slots, Mapping) else str(slots),
        *(f"{resources[name]['used']:,} of {resources[name]['available']:,}" for name in FIELDS),
        f"{content['clock_mhz']:g}",
        "-" if content["fmax_mhz"] is None else f"{content['fmax_mhz']:g}",
        f"{prediction['cycles_per_image']:,.0f}",
        f"{prediction['images_per_second']:,.0f}",
        f"{prediction['link_images_per_second']:,.0f}",
        f"{accuracy(one.network):.2%}".replace("%", " %"),
    )


def accuracy(network: str) -> float:
    """Return the share of test images that a committed network gets right.

    Its manifest has that of the quantized model, which differs where the network runs for other
    timesteps than the model was trained for.
    """
    result = json.loads((RECORDS / f"{network}-0" / "result.json").read_text(encoding="utf-8"))
    share: float = result["integer_accuracy"]
    return share


if __name__ == "__main__":
    sys.exit(main())
