"""From a network and a board to a bitstream and its manifest."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.hw.boards import Board
from spikeloom.hw.build import fit, timing, vivado
from spikeloom.hw.build.choices import DeviceChoices, Images
from spikeloom.hw.build.content import manifest_of, predicted
from spikeloom.hw.build.family import CELLS, REPORT, Family
from spikeloom.hw.build.rtlil import without_brackets
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.build.top import Top
from spikeloom.hw.config import HardwareConfig
from spikeloom.hw.device import Device
from spikeloom.sw.errors import ConfigError, FileFormatError, SpikeloomError, ToolError
from spikeloom.sw.files import read_bytes, write_bytes
from spikeloom.sw.manifest import Manifest, digest
from spikeloom.sw.network import Network

#: Name of the top module and beginning of all files that the tools write.
TOP = "top"
#: The design as Yosys reads it.
DESIGN = f"{TOP}.il"
#: How many times the board's block RAM a design may seem to take and still be synthesised: Yosys
#: has ways to take less.
_MORE = 1.2
#: nextpnr's log, as Amaranth's platforms call it, and how it says what a packed design takes.
ROUTING_LOG = f"{TOP}.tim"
_USED = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%$", re.M)
#: Folder beside the bitstream that keeps what the tools wrote.
WORK = "work"
#: Resources in the order and under the names of reports.
FIELDS = {
    "luts": "look-up tables",
    "flipflops": "flip-flops",
    "block_ram": "block RAMs",
    "dsp": "multiplier blocks",
}


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
    name: str | None = None,
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
    name : str, optional
        Of bitstream and manifest, without a suffix; those of network and board, if left out.
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
    DataError
        If the images do not fit the network's input, or there is none to be tested.
    FileFormatError
        If the folder cannot be written to, another build is at work in it, or it has a folder
        ``work`` that no build has left there.
    ToolError
        If a tool is missing or fails, the clock is too fast for the design, or the design has a
        multiplier block.
    """
    family = Family.find(board.family)
    tools = Toolset.find(family.tools, source)
    images = images or Images.random(network, tested)
    choices = DeviceChoices(network, board, clock, baud, records, images.pixels[:tested])
    choices.require_clock()
    with _claimed(Path(folder)) as work:
        trial = _Trial(choices, family, tools, work, say)
        made = trial.first(network, choices.config(config))
        resources = made.resources
        if resources["dsp"]["used"]:
            raise ToolError(
                f"the design has {resources['dsp']['used']} multiplier blocks, and should have "
                f"none: this is a defect of Spikeloom"
            )
        content = manifest_of(made.device, choices) | {
            "tools": dict(tools.versions),
            "resources": resources,
            "routed": family.nextpnr is not None,
            "fmax_mhz": made.fmax,
            "prediction": predicted(made.device, images),
        }
        content["self_test"]["source"] = images.source
        return _deliver(content, Path(folder) / (name or _stem(network, board)), work, family)


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

    choices: DeviceChoices
    family: Family
    tools: Toolset
    work: Path
    say: Callable[[str], object]

    def first(self, network: Network, config: HardwareConfig) -> _Made:
        """Return the first plan that can be built.

        What a tool fails on is passed over. So is what cannot fit either, by the measure of a
        design that took more than foreseen; but the smallest is tried in any case.
        """
        resources = self.choices.board.resources
        plans = list(fit.candidates(network, config, self.family, resources))
        failure: SpikeloomError | None = None
        more = 1.0
        for planned in plans:
            if planned is not plans[-1] and more * fit.luts(planned) > resources.luts:
                continue
            lanes = ", ".join(f"{layer.layer.name}={layer.lanes}" for layer in planned.layers)
            self.say(f"lanes {lanes}; slots {planned.config.slots}")
            try:
                return self._made(self.choices.device(planned))
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
        board, family, work = self.choices.board, self.family, self.work
        network = device.plan.network
        rendered = write_sources(Top(board, device, self.choices.clocking()), board, family, work)
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
        for command in family.commands(rendered, self.choices.mhz):
            try:
                self._run(command)
            except ToolError:
                short = overfull(work, family)
                if short:
                    raise _TooLargeError(network, board, short, found.luts) from None
                raise
            if command[0].startswith("nextpnr"):
                report = json.loads((work / REPORT).read_text(encoding="utf-8"))
                resources.update(family.routed(report))
                resources["dsp"]["used"] += family.multiplied(report)
                reached = round(timing.require_closed(report, self.choices.mhz, board.title), 2)
        return _Made(device, resources, reached)

    def _run(self, command: list[str]) -> None:
        self.say(f"{command[0]} ({self.tools.versions[command[0]]})")
        self.tools.run(command, self.work, f"{command[0]}.log")


def write_sources(top: Top, board: Board, family: Family, work: Path) -> list[list[str]]:
    """Write what the tools read, and return the commands that Amaranth has for them."""
    if family.nextpnr is None:
        vivado.Pins(board, top).write(work)
        script = (
            f"read_verilog {TOP}.v\n"
            # Vivado knows this parameter, Yosys' model of the cell does not.
            "setparam -unset SIM_DEVICE t:BUFGCTRL\n"
            f"{family.synth} -top {TOP}\n"
            f"tee -q -o {CELLS} stat -json\n"
        )
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


def overfull(work: Path, family: Family) -> list[str]:
    """Return what nextpnr has too few places for, in words; nothing if its log does not say so.

    It packs before it places, and what a packed design takes is known only then.
    """
    log = work / ROUTING_LOG
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    words = {name: FIELDS[field] for field, names in family.utilisation.items() for name in names}
    return [
        f"{int(used):,} {words.get(name, name)} of {int(available):,}"
        for name, used, available in _USED.findall(text)
        if int(used) > int(available)
    ]


def _deliver(content: dict[str, Any], place: Path, work: Path, family: Family) -> Manifest:
    """Copy the bitstream to its place, which lacks a suffix, and write the manifest beside it."""
    if family.nextpnr is not None:
        made = read_bytes(work / f"{TOP}.{family.bitstream}", "bitstream")
        path = place.parent / f"{place.name}.{family.bitstream}"
        write_bytes(path, made)
        content["bitstream"] = {"file": path.name, "sha256": digest(made)}
    manifest = Manifest(content, place.parent / f"{place.name}.json")
    manifest.save()
    return manifest


def _stem(network: Network, board: Board) -> str:
    """Return the name of a build's files."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", network.name).strip("-") or "network"
    return f"{plain}-{board.name}"


@contextmanager
def _claimed(folder: Path) -> Iterator[Path]:
    """Give an empty folder in ``folder`` for what the tools write; keep other builds out.

    Raises
    ------
    FileFormatError
        If it cannot be written to, another build is at work there, or it holds something that no
        build has left.
    """
    work = folder / WORK
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileFormatError(f"cannot write {work}: {error.strerror or error}") from None
    with _locked(folder):
        try:
            # What is not ours is not deleted.
            if work.exists() and not (work / f"{TOP}.ys").is_file() and any(work.iterdir()):
                raise FileFormatError(
                    f"{work} is there already, and no build's: take another folder"
                )
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(exist_ok=True)
        except OSError as error:
            raise FileFormatError(f"cannot write {work}: {error.strerror or error}") from None
        yield work


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder; it goes with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # on Windows, where folders have no locks
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileFormatError(
                f"another build is at work in {folder}: take another folder, or wait"
            ) from None
        yield
    finally:
        os.close(handle)
