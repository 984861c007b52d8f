"""Programs that make a bitstream: native ones if all are installed, or those from PyPI (YoWASP).

Programs are never mixed: a netlist of a new Yosys need not be one that an old nextpnr reads.
"""

from __future__ import annotations

import errno
import importlib.metadata
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikeloom.sw.children import Child
from spikeloom.sw.errors import ConfigError, ToolError

#: Sources of programs: ``"auto"`` means native ones if all are installed and new enough.
SOURCES = ("auto", "native", "yowasp")
#: Oldest native Yosys with the same results as the wheels.
OLDEST_YOSYS = (0, 45)

_LOG = logging.getLogger(__name__)
#: Lines of a log that a message shows.
_TAIL = 12
#: A disk with fewer bytes left is full: programs write blocks.
_LEAST = 1 << 16


@dataclass(frozen=True)
class Tool:
    """A program.

    Parameters
    ----------
    name : str
        The native program's name.
    package : str
        The package on PyPI.
    program : str
        The program's name in that package.
    """

    name: str
    package: str
    program: str


@dataclass(frozen=True)
class Toolset:
    """Programs that were found on this computer.

    Parameters
    ----------
    programs : mapping of str to str
        Path of each program, by its native name.
    versions : mapping of str to str
    """

    programs: Mapping[str, str]
    versions: Mapping[str, str]

    @classmethod
    def find(cls, tools: Sequence[Tool], source: str = "auto") -> Toolset:
        """Find programs.

        Raises
        ------
        ConfigError
            If ``source`` is none of :data:`SOURCES`.
        ToolError
            If one is missing; the message says what to install.
        """
        if source not in SOURCES:
            raise ConfigError(f"tools must be {', '.join(SOURCES)}, not {source!r}")
        if source != "yowasp":
            native = {tool.name: shutil.which(tool.name) for tool in tools}
            missing = [name for name, path in native.items() if path is None]
            programs = {name: path for name, path in native.items() if path is not None}
            versions = {} if missing else {n: version(p) for n, p in programs.items()}
            old = not missing and "yosys" in versions and _number(versions["yosys"]) < OLDEST_YOSYS
            if not missing and not old:
                return cls(programs, versions)
            if source == "native":
                raise ToolError(
                    f"{versions['yosys']} is too old: it takes {OLDEST_YOSYS[0]}.{OLDEST_YOSYS[1]}"
                    if old
                    else f"{', '.join(missing)} not on PATH: install it, or leave out --tools"
                )
        programs, versions = {}, {}
        for tool in tools:
            beside = Path(sys.executable).parent / tool.program
            path = str(beside) if beside.exists() else shutil.which(tool.program)
            if path is None:
                raise ToolError(
                    f"building needs {tool.name}: pip install 'spikeloom[boards]', which brings "
                    f"{tool.package}"
                )
            programs[tool.name] = path
            versions[tool.name] = f"{tool.package} {importlib.metadata.version(tool.package)}"
        return cls(programs, versions)

    def run(self, command: Sequence[str], folder: Path, log: str) -> None:
        """Run a program in ``folder``, by its native name; its output goes to the file ``log``.

        All paths in ``command`` must be relative: the programs from PyPI see little else.

        Raises
        ------
        ToolError
            If it fails.
        OSError
            If it fails, and the disk is full.
        """
        _LOG.info("running %s", shlex.join([self.programs[command[0]], *command[1:]]))
        with (
            open(folder / log, "w", encoding="utf-8") as output,
            Child(
                [self.programs[command[0]], *command[1:]],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as child,
        ):
            status = child.process.wait()
        if status:
            # A tool says so in words of its own, if at all.
            if shutil.disk_usage(folder).free < _LEAST:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            lines = (folder / log).read_text(encoding="utf-8", errors="replace").splitlines()
            tail = "\n".join(f"  {line}" for line in lines[-_TAIL:])
            raise ToolError(f"{command[0]} failed; the end of {folder / log} says:\n{tail}")


def version(program: str, *, timeout: float | None = None) -> str:
    """Return the first line of what ``--version`` prints, on whichever stream.

    Raises
    ------
    OSError, subprocess.TimeoutExpired
        If the program cannot be run, or takes more than ``timeout`` seconds.
    """
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=timeout)
    return ((done.stdout + done.stderr).strip().splitlines() or ["unknown"])[0].strip()


def _number(version: str) -> tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
