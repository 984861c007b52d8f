"""Area of an accelerator by component: Yosys' cells of each, as look-up tables and the like.

Yosys synthesises the accelerator twice. Once it keeps components apart, so that each has cells of
its own; but then it optimises nothing across them. So it also synthesises the accelerator without
hierarchy, as builds do: that count is the design's.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import rtlil

from spikeloom.hw.accelerator import Accelerator
from spikeloom.hw.boards import Resources
from spikeloom.hw.build.counts import read_cells, statistics
from spikeloom.hw.build.family import YOSYS, Family
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.names import without_brackets
from spikeloom.hw.planning.plan import Plan
from spikeloom.sw.errors import ConfigError

_TOP = "accelerator"
_DESIGN = f"{_TOP}.il"
_KEPT, _FLAT = "kept.json", "flat.json"
#: Name of the accelerator's submodules that are engines.
_ENGINE = re.compile(r"layer_(?P<layer>.+)")
#: Families whose synthesis flattens in any case, or fails on designs with hierarchy.
_FLATTENED = ("xilinx",)


@dataclass(frozen=True)
class Component:
    """The cells of one kind of component in one layer.

    Parameters
    ----------
    layer : str
        Name of the layer; empty for parts between layers.
    name : str
        Path of the component in its engine: ``"pes"``, ``"reader.buffer"``. Components that differ
        by a number, as the E event generators, are one.
    cells : mapping of str to int
        Yosys' cells by type, those of its own components included unless they are listed apart.
    resources : Resources
        The same, counted.
    """

    layer: str
    name: str
    cells: Mapping[str, int]
    resources: Resources


@dataclass(frozen=True)
class Area:
    """An accelerator's area.

    Parameters
    ----------
    components : sequence of Component
        In the order of the data's way.
    whole : Resources
        Of the accelerator synthesised without hierarchy.
    versions : mapping of str to str
        Versions of the tools.
    """

    components: Sequence[Component]
    whole: Resources
    versions: Mapping[str, str]


def area(planned: Plan, family: Family, source: str = "auto") -> Area:
    """Measure the area of a plan's accelerator, without link and board.

    Parameters
    ----------
    planned : Plan
    family : Family
    source : str
        As for :meth:`~spikeloom.hw.build.tools.Toolset.find`.

    Returns
    -------
    Area

    Raises
    ------
    ConfigError
        If Yosys cannot keep the hierarchy for this family.
    ToolError
        If Yosys is missing or fails.
    """
    if family.name in _FLATTENED:
        raise ConfigError(
            f"Yosys' synthesis for {family.name} keeps no hierarchy: take another family"
        )
    tools = Toolset.find([YOSYS], source)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _write(planned, family, work)
        tools.run(["yosys", f"{_TOP}.ys"], work, "yosys.log")
        modules = statistics(work / _KEPT)["modules"]
        whole = read_cells(work / _FLAT)
    return Area(
        list(_components(modules, planned, family)),
        family.synthesised(whole),
        tools.versions,
    )


def whole(planned: Plan, family: Family, source: str = "auto") -> Resources:
    """Count what a plan's accelerator takes, as :attr:`Area.whole`, in half the time of `area`.

    Parameters
    ----------
    planned, family, source
        As for :func:`area`.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    tools = Toolset.find([YOSYS], source)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _write(planned, family, work, apart=False)
        tools.run(["yosys", f"{_TOP}.ys"], work, "yosys.log")
        return family.synthesised(read_cells(work / _FLAT))


class _Platform:
    """Tells components the family, and takes the files of memories."""

    def __init__(self, family: Family, work: Path) -> None:
        # As Amaranth's platforms call it.
        self.family = {"ecp5": "ECP5", "ice40": "iCE40"}.get(family.name, family.name)
        self.work = work

    def add_file(self, filename: str, content: str) -> None:
        (self.work / filename).write_text(content, encoding="ascii")


def _write(planned: Plan, family: Family, work: Path, *, apart: bool = True) -> None:
    """Write the design and the script for Yosys, which first keeps components ``apart`` or not."""
    text = rtlil.convert(
        Accelerator(planned), name=_TOP, platform=_Platform(family, work), emit_src=False
    )
    (work / _DESIGN).write_text(family.mapped(without_brackets(text)), encoding="utf-8")
    kept = [
        name
        for name in re.findall(r"^module \\(\S+)$", text, re.M)
        if _is_component(name.split(".")[1:])
    ]
    keep = "".join(f"setattr -mod -set keep_hierarchy 1 {name}\n" for name in kept)
    beside = " ".join(path.name for path in sorted(work.glob("*.v")))
    read = f"read_verilog {beside}\n" if beside else ""
    synth = f"{family.synth} {family.synthesis} -top {_TOP}"
    first = f"{keep}{synth}\ntee -q -o {_KEPT} stat -json\ndesign -load given\n"
    (work / f"{_TOP}.ys").write_text(
        f"{read}read_rtlil {_DESIGN}\ndesign -save given\n{first if apart else ''}"
        f"{synth}\ntee -q -o {_FLAT} stat -json\n",
        encoding="utf-8",
    )


def _components(modules: Mapping[str, Any], planned: Plan, family: Family) -> Iterator[Component]:
    """Yield the components of all modules, by layer and kind."""
    names = [layer.layer.name for layer in planned.layers]
    found: dict[tuple[str, str], Counter[str]] = {}
    for module, counted in modules.items():
        path = module.lstrip("\\").split(".")
        # Of modules that stand in the text of their own, there is only that of memories in files.
        key = _key(path[1:]) if path[0] == _TOP else ("", "memories in files")
        cells = found.setdefault(key, Counter())
        for cell, number in counted["num_cells_by_type"].items():
            if cell not in modules:
                cells[cell] += int(number) * _times(module, modules)
    for (layer, name), cells in sorted(
        found.items(), key=lambda item: names.index(item[0][0]) if item[0][0] in names else -1
    ):
        resources = family.synthesised(cells)
        if any(vars(resources).values()):
            yield Component(layer, name, cells, resources)


def _times(module: str, modules: Mapping[str, Any]) -> int:
    """Return how many times a module stands in the design: Amaranth's stand there once."""
    if module.lstrip("\\").split(".")[0] == _TOP:
        return 1
    used = (int(x["num_cells_by_type"].get(module, 0)) for x in modules.values())
    return max(1, sum(used))


def _key(path: Sequence[str]) -> tuple[str, str]:
    """Return layer and component of the path of a module below the top."""
    if not path:
        return "", "top"
    engine = _ENGINE.fullmatch(path[0])
    if engine is None:
        return "", _kind(path[0])
    # Readers are told apart by their parts, other components are not.
    inner = [_kind(name) for name in path[1:]]
    parts = inner[:2] if inner[:1] == ["reader"] else inner[:1]
    return engine["layer"], ".".join(parts) or "counters and control"


def _kind(name: str) -> str:
    """Return the name of a submodule without its number."""
    return re.sub(r"\d+$", "", name)


def _is_component(path: Sequence[str]) -> bool:
    """Return whether a path below the top names a whole component, rather than a part of one."""
    reader = len(path) > 1 and _kind(path[1]) == "reader"
    return len(path) <= (3 if reader else 2)
