"""The steps of a build, from a network and a board to a bitstream and its manifest."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from spikeloom.hw.boards import Board
from spikeloom.hw.build import sizing, timing, vivado
from spikeloom.hw.build.choices import Choices, DeviceChoices, Images, OverlayChoices
from spikeloom.hw.build.content import manifest_of, measured, overlay_manifest_of
from spikeloom.hw.build.counts import read_cells
from spikeloom.hw.build.family import CELLS, REPORT, Family
from spikeloom.hw.build.folder import claimed
from spikeloom.hw.build.options import Options
from spikeloom.hw.build.placing import Placing
from spikeloom.hw.build.room import FIELDS, TooLargeError, compared, overfull, short_of
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.build.top import Top
from spikeloom.hw.device import Device
from spikeloom.hw.names import without_brackets
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import Plan
from spikeloom.sw.errors import SpikeloomError, ToolError
from spikeloom.sw.files import read_bytes, write_bytes
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import Network
from spikeloom.sw.sealed import digest

#: Name of the top module and beginning of all files that the tools write.
TOP = "top"
#: The design that Yosys reads, and the script that it runs.
DESIGN, SCRIPT = f"{TOP}.il", f"{TOP}.ys"
#: How many times the board's block RAM a design may seem to take and still be synthesised: Yosys
#: has ways to take less.
_MORE = 1.2
#: nextpnr's log, as Amaranth's platforms call it.
ROUTING_LOG = f"{TOP}.tim"


def build(
    network: Network,
    board: Board,
    folder: str | Path,
    *,
    tested: int = 1,
    baud: int | None = None,
    records: Sequence[str] = (),
    **options: Unpack[Options],
) -> Manifest:
    """Make a bitstream.

    Parameters
    ----------
    network : Network
    board : Board
    folder : path
        Gets the bitstream, the manifest, and a folder with all that the tools read and wrote.
    tested : int
        Number of the images that are in the bitstream, for its self test.
    baud : int, optional
        Rate of the host link; the board's own, if left out.
    records : sequence of str
        Layers whose counts can be read over the link.
    **options
        :class:`~spikeloom.hw.build.options.Options`.

    Returns
    -------
    Manifest
        Saved already.

    Raises
    ------
    ConfigError
        If the board has no room for the network, its platform is not as its table says, a record
        names no layer, the clock cannot be made, it is too slow for the rate, there is no such
        seed, or nextpnr would be given an argument that a build sets itself.
    DataError
        If the images do not fit the network's input, or there is none to be tested.
    FileFormatError
        If the folder cannot be written to, another build is at work in it, or it has a folder
        ``work`` that no build has left there.
    ToolError
        If a tool is missing or fails, the clock is too fast for the design, or the design has a
        multiplier block.
    UnsupportedError
        If a platform of the user's own raises an error.
    """
    images = options.get("images") or Images.random(network, tested)
    clock = options.get("clock")
    choices = DeviceChoices(network, board, clock, baud, records, images.pixels[:tested])
    # A platform that is not that of the board is refused before anything is written.
    board.platform()

    def design(planned: Plan) -> _Design:
        return _DeviceDesign(choices, images, choices.device(planned))

    return _build(choices, design, Path(folder), _stem(network, board), options)


def build_overlay(
    network: Network, board: Board, folder: str | Path, **options: Unpack[Options]
) -> Manifest:
    """Make a project of an overlay: an accelerator behind AXI, for the processor beside it.

    Parameters
    ----------
    network : Network
    board : Board
        With a processor on its FPGA's chip.
    folder : path
        Gets the manifest, and a folder with all that Vivado needs.
    **options
        :class:`~spikeloom.hw.build.options.Options`. There is no self test.

    Returns
    -------
    Manifest
        Saved already. Resources are those of the accelerator and its wrapper.

    Raises
    ------
    ConfigError
        If the board has no such processor, the processor does not give the clock, the board has no
        room for the network, or the configuration asks for taps.
    UnsupportedError
        If AXI, or AXI DMA, cannot carry the network's values.
    FileFormatError, ToolError
        As :func:`build` raises them.
    """
    choices = OverlayChoices(network, board, options.get("clock"))

    def design(planned: Plan) -> _Design:
        return _OverlayDesign(choices, options.get("images"), choices.overlay(planned))

    return _build(choices, design, Path(folder), f"{_stem(network, board)}-overlay", options)


def _build(
    choices: Choices,
    design: Callable[[Plan], _Design],
    folder: Path,
    stem: str,
    options: Options,
) -> Manifest:
    """Make the first design that the board has room for, with its manifest and bitstream if any.

    ``stem`` is the name of both, unless the options have another.
    """
    config = choices.config(options.get("config"))
    place = folder / (options.get("name") or stem)
    choices.require_clock()
    placing = Placing.of(options)
    family = Family.find(choices.board.family)
    tools = Toolset.find(family.tools, options.get("source", "auto"))
    with claimed(place.parent, SCRIPT) as work:
        say = options.get("say", lambda text: None)
        trial = _Trial(choices, design, family, tools, work, say, placing)
        made = trial.first(config)
        resources = made.resources
        if resources["dsp"]["used"]:
            raise ToolError(
                f"the design has {resources['dsp']['used']} multiplier blocks, and should have "
                f"none: this is a defect of Spikeloom"
            )
        content = made.design.content(family, resources["luts"]["used"]) | {
            "tools": dict(tools.versions),
            "resources": resources,
            "routed": family.nextpnr is not None,
            "fmax_mhz": made.fmax,
            **made.placed,
        }
        return _deliver(content, place, work, family)


class _Design(ABC):
    """A design made of a plan: the files for the tools, and the content of its manifest."""

    @abstractmethod
    def write(self, family: Family, work: Path) -> list[list[str]]:
        """Write the files that the tools read, and return Amaranth's commands for them."""

    @abstractmethod
    def content(self, family: Family, luts: int) -> dict[str, Any]:
        """Return a manifest's content, but for the entries that the tools find out.

        ``luts`` are the look-up tables that they have found.
        """


@dataclass(frozen=True)
class _DeviceDesign(_Design):
    """A board's device with its pins."""

    choices: DeviceChoices
    images: Images
    device: Device

    def write(self, family: Family, work: Path) -> list[list[str]]:
        board = self.choices.board
        return write_sources(Top(board, self.device, self.choices.clocking()), board, family, work)

    def content(self, family: Family, luts: int) -> dict[str, Any]:
        link = self.device.link
        content = manifest_of(self.device, self.choices)
        content["self_test"]["source"] = self.images.source
        found = measured(self.device.plan, link.clock, self.images, family, luts)
        if found["prediction"] is not None:
            found["prediction"]["link_images_per_second"] = round(link.pace, 1)
        return content | found


@dataclass(frozen=True)
class _OverlayDesign(_Design):
    """An accelerator behind AXI."""

    choices: OverlayChoices
    images: Images | None
    overlay: vivado.Overlay

    def write(self, family: Family, work: Path) -> list[list[str]]:
        self.overlay.write(work)
        _write_script(work, family, vivado.CORE, self.overlay.plan.config.top)
        return []

    def content(self, family: Family, luts: int) -> dict[str, Any]:
        planned, clock = self.overlay.plan, round(self.choices.mhz * 1e6)
        found = measured(planned, clock, self.images, family, luts)
        return overlay_manifest_of(planned, self.choices) | found


@dataclass(frozen=True)
class _Made:
    """A design that the tools have built.

    With the resources that it takes, its highest MHz, and the manifest's entries about its
    placement; where nothing was placed, the last two are None and empty.
    """

    design: _Design
    resources: dict[str, dict[str, int]]
    fmax: float | None
    placed: dict[str, Any]


@dataclass(frozen=True)
class _Trial:
    """Tries designs, from the largest, until one can be built."""

    choices: Choices
    design: Callable[[Plan], _Design]
    family: Family
    tools: Toolset
    work: Path
    say: Callable[[str], object]
    placing: Placing

    def first(self, config: HardwareConfig) -> _Made:
        """Return the first design that can be built.

        A plan on which a tool fails is passed over. So is one that must be too large, too, if a
        tried design took more than was estimated. The smallest plan is tried in any case.
        """
        resources = self.choices.board.resources
        plans = list(sizing.candidates(self.choices.network, config, self.family, resources))
        failure: SpikeloomError | None = None
        more = 1.0
        for planned in plans:
            expected = sizing.luts(planned, self.family)
            if planned is not plans[-1] and more * expected > resources.luts:
                continue
            lanes = ", ".join(f"{layer.layer.name}={layer.lanes}" for layer in planned.layers)
            self.say(f"lanes {lanes}; slots {planned.config.slots}")
            try:
                return self._made(self.design(planned))
            except timing.TooSlowError as error:
                if not error.placement:
                    raise
                failure = error
            except TooLargeError as error:
                more = max(more, error.luts / max(1, expected))
                failure = error
            except ToolError as error:
                failure = error
            self.say(str(failure))
        assert failure is not None, "there is always a candidate"
        raise failure

    def _made(self, design: _Design) -> _Made:
        """Write a design and run the tools on it."""
        network, board = self.choices.network, self.choices.board
        family, work = self.family, self.work
        rendered = design.write(family, work)
        if (work / DESIGN).exists():
            blocks = family.memory_blocks((work / DESIGN).read_text(encoding="utf-8"))
            if blocks > _MORE * board.resources.block_ram:
                short = [f"about {blocks:,} block RAMs of {board.resources.block_ram:,}"]
                raise TooLargeError(network, board, short)
        self._run(["yosys", SCRIPT])
        found = family.synthesised(read_cells(work / CELLS))
        resources = compared(found, board.resources)
        for name, what in FIELDS.items():
            self.say(f"{what}: {resources[name]['used']:,} after synthesis")
        short = short_of(resources)
        if short:
            raise TooLargeError(network, board, short, found.luts)
        reached: float | None = None
        placed: dict[str, Any] = {}
        for command in family.commands(rendered, self.choices.mhz):
            if not command[0].startswith("nextpnr"):
                self._run(command)
                continue
            report, reached, placed = self._placed(command, found.luts)
            resources.update(family.routed(report))
            resources["dsp"]["used"] += family.multiplied(report)
        return _Made(design, resources, reached, placed)

    def _placed(
        self, command: list[str], luts: int
    ) -> tuple[dict[str, Any], float, dict[str, Any]]:
        """Place and route until the clock is reached.

        Parameters
        ----------
        command : list of str
        luts : int
            Look-up tables that Yosys has found.

        Returns
        -------
        report : dict
            nextpnr's.
        reached : float
            The highest MHz.
        placed : dict
            The manifest's entries about the placement.
        """
        placing = self.placing.of_size(self.family, luts)
        for seed in placing.seeds:
            try:
                self._run([*command, *placing.all_arguments(seed)])
            except ToolError:
                short = overfull(self.work / ROUTING_LOG, self.family)
                if short:
                    choices = self.choices
                    raise TooLargeError(choices.network, choices.board, short, luts) from None
                raise
            report = json.loads((self.work / REPORT).read_text(encoding="utf-8"))
            try:
                reached = timing.require_closed(report, self.choices.mhz, self.choices.board.title)
            except timing.TooSlowError as error:
                if seed == placing.seeds[-1]:
                    raise
                self.say(f"{error.reached:.1f} MHz: placed again with another seed")
            else:
                return report, round(reached, 2), placing.content(seed)
        raise AssertionError("there is always a seed")

    def _run(self, command: list[str]) -> None:
        self.say(f"{command[0]} ({self.tools.versions[command[0]]})")
        self.tools.run(command, self.work, f"{command[0]}.log")


def write_sources(top: Top, board: Board, family: Family, work: Path) -> list[list[str]]:
    """Write the files that the tools read, and return Amaranth's commands for them."""
    if family.nextpnr is None:
        written = vivado.Pins(board, top).write(work)
        sources = " ".join(path.name for path in written if path.suffix == ".v")
        # Vivado knows this parameter, Yosys' model of the cell does not.
        unknown = "setparam -unset SIM_DEVICE t:BUFGCTRL\n"
        _write_script(work, family, sources, TOP, unknown)
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


def _write_script(work: Path, family: Family, sources: str, top: str, before: str = "") -> None:
    """Write the script by which Yosys synthesises Verilog that is written for Vivado."""
    script = (
        f"read_verilog {sources}\n{before}{family.synth} -top {top}\ntee -q -o {CELLS} stat -json\n"
    )
    (work / SCRIPT).write_text(script, encoding="utf-8")


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
