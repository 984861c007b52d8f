"""From a network and a board to a bitstream and its manifest."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.hw.boards import Board
from spikeloom.hw.build import fit, timing
from spikeloom.hw.build.family import CELLS, REPORT, Family
from spikeloom.hw.build.manifest import FORMAT, VERSION, Manifest, digest
from spikeloom.hw.build.selftest import SelfTest
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.build.top import Top
from spikeloom.hw.config import HardwareConfig
from spikeloom.hw.cost import activity
from spikeloom.hw.planning.cycles import predict
from spikeloom.hw.planning.plan import Plan
from spikeloom.hw.verilog import describe
from spikeloom.sw.errors import ConfigError, FileFormatError, SpikeloomError, ToolError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray

#: Name of the top module and beginning of all files that the tools write.
TOP = "top"
#: The design as Yosys reads it.
DESIGN = f"{TOP}.il"
#: How many times the board's block RAM a design may seem to take and still be synthesised: Yosys
#: has ways to take less.
_MORE = 1.2
#: Folder beside the bitstream that keeps what the tools wrote.
WORK = "work"
#: Resources in the order and under the names of reports.
FIELDS = {
    "luts": "look-up tables",
    "flipflops": "flip-flops",
    "block_ram": "block RAMs",
    "dsp": "multiplier blocks",
}


@dataclass(frozen=True)
class Images:
    """Images that a build looks at.

    Parameters
    ----------
    pixels : array of int64, shape (N, *network.input.image_shape)
    source : str
        What they are, for the manifest.
    real : bool
        Whether they are from a data set, so that cycles can be predicted by them.
    """

    pixels: IntArray
    source: str
    real: bool

    @classmethod
    def random(cls, network: Network, number: int) -> Images:
        """Return images of random pixels, always the same."""
        rng = np.random.default_rng(0)
        values = network.input.values()
        shape = (number, *network.input.image_shape)
        pixels = rng.integers(values.low, values.high + 1, shape, dtype=np.int64)
        return cls(pixels, "random pixels", real=False)


def build(
    network: Network,
    board: Board,
    folder: str | Path,
    *,
    config: HardwareConfig | None = None,
    images: Images | None = None,
    tested: int = 1,
    source: str = "auto",
    say: Callable[[str], object] = lambda text: None,
) -> Manifest:
    """Make a bitstream.

    Parameters
    ----------
    network : Network
    board : Board
    folder : path
        Gets the bitstream and the manifest, and a folder with all that the tools wrote.
    config : HardwareConfig, optional
        Lanes that it leaves open are as many as fit.
    images : Images, optional
        For the self test and the prediction of images per second; random ones, and no prediction,
        if left out.
    tested : int
        How many of the images are in the bitstream.
    source : str
        Which tools to take: :data:`~spikeloom.hw.build.tools.SOURCES`.
    say : callable, optional
        Called with a line of text for every stage.

    Returns
    -------
    Manifest
        Saved already.

    Raises
    ------
    ConfigError
        If the network does not fit on the board.
    ToolError
        If a tool is missing or fails, the clock is too fast for the design, or the design has a
        multiplier block.
    """
    family = Family.find(board.family)
    tools = Toolset.find(family.tools, source)
    images = images or Images.random(network, tested)
    work = Path(folder) / WORK
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
    except OSError as error:
        raise FileFormatError(f"cannot write {work}: {error.strerror or error}") from None

    test = images.pixels[:tested]
    logits = Golden(network).run(test).logits.numpy().astype(np.int64)
    trial = _Trial(board, family, tools, work, say)
    plans = fit.candidates(network, config or HardwareConfig(), family, board.resources)
    planned, resources, reached = trial.first(plans, test, logits)
    if resources["dsp"]["used"]:
        raise ToolError(
            f"the design has {resources['dsp']['used']} multiplier blocks, and should have none: "
            f"this is a defect of Spikeloom"
        )
    content = {
        "format": FORMAT,
        "version": VERSION,
        "board": board.name,
        "device": board.device,
        **_about(network, planned),
        "tools": dict(tools.versions),
        "resources": resources,
        "routed": family.nextpnr is not None,
        "clock_mhz": board.clock,
        "fmax_mhz": reached,
        "prediction": _predicted(planned, images, board.clock),
        "self_test": {
            "images": len(test),
            "source": images.source,
            "labels": logits.argmax(1).tolist(),
            "logits_sha256": digest(np.ascontiguousarray(logits, "<i8").tobytes()),
        },
        "link": None,
        "bitstream": None,
    }
    return _deliver(content, Path(folder), work, family, network, board)


@dataclass(frozen=True)
class _Trial:
    """Tries designs, from the largest, until one can be built."""

    board: Board
    family: Family
    tools: Toolset
    work: Path
    say: Callable[[str], object]

    def first(
        self, plans: Iterable[Plan], images: IntArray, logits: IntArray
    ) -> tuple[Plan, dict[str, dict[str, int]], float | None]:
        """Return the first plan that can be built, its resources, and its highest frequency.

        What a tool fails on is passed over as well: Yosys 0.70 has trouble with some large designs.
        """
        failure: SpikeloomError | None = None
        for planned in plans:
            lanes = ", ".join(f"{layer.layer.name}={layer.lanes}" for layer in planned.layers)
            self.say(f"lanes {lanes}")
            try:
                host = SelfTest(planned, images, logits)
                top = Top(self.board, planned, host)
                rendered = write_sources(top, self.board, self.family, self.work)
                return planned, *self._made(rendered, planned)
            except (ConfigError, ToolError) as error:
                self.say(str(error))
                failure = error
        assert failure is not None, "there is always a candidate"
        raise failure

    def _made(
        self, rendered: list[list[str]], planned: Plan
    ) -> tuple[dict[str, dict[str, int]], float | None]:
        """Run the tools on what is written; return resources and highest frequency."""
        board, family, work = self.board, self.family, self.work
        if (work / DESIGN).exists():
            blocks = family.memory_blocks((work / DESIGN).read_text(encoding="utf-8"))
            if blocks > _MORE * board.resources.block_ram:
                raise self._too_large(
                    planned, [f"about {blocks:,} block RAMs of {board.resources.block_ram:,}"]
                )
        self._run(["yosys", f"{TOP}.ys"])
        found = family.synthesised(read_cells(work))
        resources: dict[str, dict[str, int]] = {
            name: {"used": getattr(found, name), "available": getattr(board.resources, name)}
            for name in FIELDS
        }
        for name, what in FIELDS.items():
            self.say(f"{what}: {resources[name]['used']:,} after synthesis")
        short = [
            f"{entry['used']:,} {FIELDS[name]} of {entry['available']:,}"
            for name, entry in resources.items()
            if entry["used"] > entry["available"]
        ]
        if short:
            raise self._too_large(planned, short)
        reached = None
        for command in family.commands(rendered, board.clock):
            self._run(command)
            if command[0].startswith("nextpnr"):
                report = json.loads((work / REPORT).read_text(encoding="utf-8"))
                resources.update(family.routed(report))
                resources["dsp"]["used"] += family.multiplied(report)
                reached = round(timing.require_closed(report, board.clock, board.title), 2)
        return resources, reached

    def _run(self, command: list[str]) -> None:
        self.say(f"{command[0]} ({self.tools.versions[command[0]]})")
        self.tools.run(command, self.work, f"{command[0]}.log")

    def _too_large(self, planned: Plan, short: list[str]) -> ConfigError:
        return ConfigError(
            f"{planned.network.name!r} does not fit on {self.board.title}: it takes "
            f"{', '.join(short)}. Take a smaller network, weights of fewer bits, fewer lanes, or a "
            f"larger board"
        )


def write_sources(top: Top, board: Board, family: Family, work: Path) -> list[list[str]]:
    """Write what the tools read, and return the commands that Amaranth has for them."""
    planned = board.platform().prepare(
        top,
        TOP,
        emit_src=False,  # or the bitstream would depend on where the source lies
        debug_verilog=False,
        synth_opts=family.synthesis,
        script_after_synth=f"tee -q -o {CELLS} stat -json",
    )
    for name, content in planned.files.items():
        if not name.startswith("build_") and not name.endswith(".debug.v"):
            text = content if isinstance(content, str) else content.decode()
            (work / name).write_text(
                family.mapped(text) if name == DESIGN else text, encoding="utf-8"
            )
    if not (work / f"{TOP}.ys").exists():
        # Vivado's project has no script for Yosys, which can count for it all the same.
        script = f"read_verilog {TOP}.v\n{family.synth} -top {TOP}\ntee -q -o {CELLS} stat -json\n"
        (work / f"{TOP}.ys").write_text(script, encoding="utf-8")
    commands: list[list[str]] = json.loads(planned.files[f"build_{TOP}.json"])["commands"]
    return commands


def read_cells(work: Path) -> Mapping[str, int]:
    """Return Yosys' cells by type, of the whole design."""
    text = (work / CELLS).read_text(encoding="utf-8")
    counted = json.loads(text[text.index("{") :])
    cells = counted["design"]["num_cells_by_type"]
    return {name: int(number) for name, number in cells.items()}


def _about(network: Network, planned: Plan) -> dict[str, Any]:
    config = planned.config
    return {
        "network": {
            "name": network.name,
            "digest": network.digest,
            "accuracy": network.about.get("accuracy"),
            "dataset": network.about.get("dataset"),
        },
        "config": {
            "lanes": {layer.layer.name: layer.lanes for layer in planned.layers},
            "events": {layer.layer.name: layer.events for layer in planned.layers},
            "time": config.time,
        },
        "hardware": describe(planned),
    }


def _predicted(planned: Plan, images: Images, clock: float) -> dict[str, Any] | None:
    if not images.real:
        return None
    found = predict(planned, activity(planned.network, images.pixels))
    pace = found.interval or float(found.latency)
    return {
        "images": len(images.pixels),
        "source": images.source,
        "cycles_per_image": round(pace, 1),
        "latency_cycles": found.latency,
        "images_per_second": round(clock * 1e6 / pace, 1),
        "slowest": found.slowest.name,
    }


def _deliver(
    content: dict[str, Any],
    folder: Path,
    work: Path,
    family: Family,
    network: Network,
    board: Board,
) -> Manifest:
    """Copy the bitstream to its place, and write the manifest beside it."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", network.name).strip("-") or "network"
    name = f"{stem}-{board.name}"
    if family.nextpnr is not None:
        made = (work / f"{TOP}.{family.bitstream}").read_bytes()
        (folder / f"{name}.{family.bitstream}").write_bytes(made)
        content["bitstream"] = {"file": f"{name}.{family.bitstream}", "sha256": digest(made)}
    manifest = Manifest(content, folder / f"{name}.json")
    manifest.save()
    return manifest
