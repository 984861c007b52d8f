"""From a network and a board to a bitstream and its manifest."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.hw.boards import Board
from spikeloom.hw.build import fit, timing, vivado
from spikeloom.hw.build.clocking import Clocking
from spikeloom.hw.build.family import CELLS, REPORT, Family
from spikeloom.hw.build.rtlil import without_brackets
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.build.top import Top
from spikeloom.hw.config import HardwareConfig
from spikeloom.hw.cost import activity
from spikeloom.hw.device import Device
from spikeloom.hw.link.plan import LinkPlan
from spikeloom.hw.planning.cycles import predict
from spikeloom.hw.planning.plan import Plan
from spikeloom.hw.selftest import SelfTest
from spikeloom.hw.verilog import describe
from spikeloom.sw.errors import ConfigError, FileFormatError, SpikeloomError, ToolError
from spikeloom.sw.golden import Golden
from spikeloom.sw.link.messages import VERSION as PROTOCOL
from spikeloom.sw.manifest import FORMAT, VERSION, Manifest, digest
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
    clock: float | None = None,
    baud: int | None = None,
    records: Sequence[str] = (),
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
        Lanes that it leaves open are as many as fit. With counters, if left out.
    images : Images, optional
        For the self test and the prediction of images per second; random ones, and no prediction,
        if left out.
    tested : int
        How many of the images are in the bitstream.
    clock : float, optional
        MHz of the design; the board's oscillator, if left out.
    baud : int, optional
        Rate of the host link; the board's own, if left out.
    records : sequence of str
        Layers whose counts can be read over the link.
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
        If the network does not fit on the board, a record names no layer, the clock cannot be made,
        or it is too slow for the rate.
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
    config = config or HardwareConfig(counters=True)
    # What a layer has sent is read from its tap.
    config = replace(config, debug=config.debug or bool(records))
    mhz = board.clock if clock is None else clock
    clocking = None if mhz == board.clock else Clocking(board, mhz)

    def device(planned: Plan) -> Device:
        rate = board.link.baud if baud is None else baud
        link = LinkPlan.of(planned, round(mhz * 1e6), rate, records=records)
        return Device(planned, link, SelfTest(planned, test, logits))

    trial = _Trial(board, family, tools, work, say, mhz, clocking)
    made = trial.first(network, config, device)
    resources = made.resources
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
        **about(network, made.device),
        "tools": dict(tools.versions),
        "resources": resources,
        "routed": family.nextpnr is not None,
        "oscillator_mhz": board.clock,
        "clock_mhz": mhz,
        "fmax_mhz": made.fmax,
        "prediction": _predicted(made.device, images),
        "self_test": {
            "images": len(test),
            "source": images.source,
            "labels": logits.argmax(1).tolist(),
            "logits_sha256": digest(np.ascontiguousarray(logits, "<i8").tobytes()),
        },
        "link": {"protocol": PROTOCOL, **made.device.link.description()},
        "bitstream": None,
    }
    return _deliver(content, Path(folder), work, family, network, board)


@dataclass(frozen=True)
class _Made:
    """What has been built."""

    device: Device
    resources: dict[str, dict[str, int]]
    fmax: float | None


class _TooLargeError(ConfigError):
    """A design has not enough room; ``luts`` says how many it takes, if that is known."""

    def __init__(self, network: Network, board: Board, short: list[str], luts: int = 0) -> None:
        super().__init__(
            f"{network.name!r} does not fit on {board.title}: it takes {', '.join(short)}. Take a "
            f"smaller network, weights of fewer bits, fewer lanes, or a larger board"
        )
        self.luts = luts


@dataclass(frozen=True)
class _Trial:
    """Tries designs, from the largest, until one can be built."""

    board: Board
    family: Family
    tools: Toolset
    work: Path
    say: Callable[[str], object]
    clock: float
    clocking: Clocking | None

    def first(
        self, network: Network, config: HardwareConfig, device: Callable[[Plan], Device]
    ) -> _Made:
        """Return the first plan that can be built.

        What a tool fails on is passed over. So is what cannot fit either, by the measure of a
        design that took more than foreseen; but the smallest is tried in any case.
        """
        plans = list(fit.candidates(network, config, self.family, self.board.resources))
        failure: SpikeloomError | None = None
        more = 1.0
        for planned in plans:
            if planned is not plans[-1] and more * fit.luts(planned) > self.board.resources.luts:
                continue
            lanes = ", ".join(f"{layer.layer.name}={layer.lanes}" for layer in planned.layers)
            self.say(f"lanes {lanes}; slots {planned.config.slots}")
            try:
                return self._made(device(planned))
            except timing.TooSlowError as error:
                if not error.placement:
                    raise
                failure = error
            except _TooLargeError as error:
                more = max(more, error.luts / max(1, fit.luts(planned)))
                failure = error
            except ToolError as error:
                failure = error
            self.say(str(failure))
        assert failure is not None, "there is always a candidate"
        raise failure

    def _made(self, device: Device) -> _Made:
        """Write a design and run the tools on it."""
        board, family, work = self.board, self.family, self.work
        network = device.plan.network
        rendered = write_sources(Top(board, device, self.clocking), board, family, work)
        if (work / DESIGN).exists():
            blocks = family.memory_blocks((work / DESIGN).read_text(encoding="utf-8"))
            if blocks > _MORE * board.resources.block_ram:
                short = [f"about {blocks:,} block RAMs of {board.resources.block_ram:,}"]
                raise _TooLargeError(network, board, short)
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
            raise _TooLargeError(network, board, short, found.luts)
        reached = None
        for command in family.commands(rendered, self.clock):
            self._run(command)
            if command[0].startswith("nextpnr"):
                report = json.loads((work / REPORT).read_text(encoding="utf-8"))
                resources.update(family.routed(report))
                resources["dsp"]["used"] += family.multiplied(report)
                reached = round(timing.require_closed(report, self.clock, board.title), 2)
        return _Made(device, resources, reached)

    def _run(self, command: list[str]) -> None:
        self.say(f"{command[0]} ({self.tools.versions[command[0]]})")
        self.tools.run(command, self.work, f"{command[0]}.log")


def write_sources(top: Top, board: Board, family: Family, work: Path) -> list[list[str]]:
    """Write what the tools read, and return the commands that Amaranth has for them."""
    if family.nextpnr is None:
        vivado.Pins(board, top).write(work)
        script = f"read_verilog {TOP}.v\n{family.synth} -top {TOP}\ntee -q -o {CELLS} stat -json\n"
        (work / f"{TOP}.ys").write_text(script, encoding="utf-8")
        return []
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
                family.mapped(without_brackets(text)) if name == DESIGN else text,
                encoding="utf-8",
            )
    commands: list[list[str]] = json.loads(planned.files[f"build_{TOP}.json"])["commands"]
    return commands


def read_cells(work: Path) -> Mapping[str, int]:
    """Return Yosys' cells by type, of the whole design."""
    text = (work / CELLS).read_text(encoding="utf-8")
    counted = json.loads(text[text.index("{") :])
    cells = counted["design"]["num_cells_by_type"]
    return {name: int(number) for name, number in cells.items()}


def about(network: Network, device: Device) -> dict[str, Any]:
    """Return what a manifest says of the network, the choices for it, and the hardware."""
    planned = device.plan
    config = planned.config
    hardware = describe(planned)
    # What packs images knows how many bits a value takes on the wire.
    hardware["input"]["value_bits"] = device.link.value_bits
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
            "slots": config.slots,
            "time": config.time,
        },
        "hardware": hardware,
    }


def _predicted(device: Device, images: Images) -> dict[str, Any] | None:
    if not images.real:
        return None
    found = predict(device.plan, activity(device.plan.network, images.pixels))
    pace = found.interval or float(found.latency)
    return {
        "images": len(images.pixels),
        "source": images.source,
        "cycles_per_image": round(pace, 1),
        "latency_cycles": found.latency,
        "images_per_second": round(device.link.clock / pace, 1),
        "link_images_per_second": round(device.link.pace, 1),
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
