"""Imports: rooms and modules without circles, in the direction that CONTRIBUTING states."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("sw", "hw", "sim")
#: Rooms of sw that hw and sim may read.
SHARED = {
    "spikeloom.sw",  # errors and files
    "spikeloom.sw.network",
    "spikeloom.sw.golden",
    "spikeloom.sw.link",
}
#: Rooms of sw that may read hw and sim.
ON_TOP = {"spikeloom.sw.cli", "spikeloom.sw.inference", "spikeloom.sw.sweep"}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["spikeloom", *(parts[:-1] if parts[-1] == "__init__" else parts)])


#: Every module by name; a package is its ``__init__``.
MODULES = {_name(path): path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}


def room(module: str) -> str:
    """Return the folder that a module lies in, as a package's name."""
    return ".".join(["spikeloom", *MODULES[module].relative_to(ROOT).parent.parts])


def imported(source: str, modules: Iterable[str]) -> set[str]:
    """Return which of ``modules`` are imported anywhere in a source text.

    Inside of functions and under ``TYPE_CHECKING``, too.
    """
    known, found = set(modules), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                member = f"{node.module}.{alias.name}"
                found.add(member if member in known else node.module)
    return found & known


IMPORTS = {
    name: imported(path.read_text(encoding="utf-8"), MODULES) - {name}
    for name, path in MODULES.items()
}


def rooms() -> dict[str, set[str]]:
    """Return, for each room, the other rooms that its modules import."""
    found: dict[str, set[str]] = {room(module): set() for module in MODULES}
    for module, others in IMPORTS.items():
        found[room(module)] |= {room(other) for other in others} - {room(module)}
    return found


def circle(graph: Mapping[str, Iterable[str]]) -> list[str] | None:
    """Return a circle in a graph, its first node once more at the end; None without any."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return None


def test_modules_import_each_other_in_no_circle() -> None:
    # A package hands on the names of its modules, which do not read them from there.
    assert circle(IMPORTS) is None


def test_rooms_import_each_other_in_no_circle() -> None:
    assert circle(rooms()) is None


def test_hardware_and_simulation_read_only_what_they_share_with_software() -> None:
    for name, others in rooms().items():
        if not name.startswith("spikeloom.sw"):
            read = {other for other in others if other.startswith("spikeloom.sw")}
            assert read <= SHARED, name


def test_software_reads_hardware_and_simulation_only_on_top() -> None:
    for name, others in rooms().items():
        if name.startswith("spikeloom.sw") and name not in ON_TOP:
            assert not {other for other in others if not other.startswith("spikeloom.sw")}, name


def test_hardware_does_not_read_the_simulation() -> None:
    for name, others in rooms().items():
        if name.startswith("spikeloom.hw"):
            assert not {other for other in others if other.startswith("spikeloom.sim")}, name


def test_every_room_stands_in_contributing() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in rooms():
        folder = name.removeprefix("spikeloom.").replace(".", "/")
        assert f"| `{folder}` |" in page, folder


@pytest.mark.parametrize(
    "source",
    [
        "import a.b",
        "from a import b",
        "from a.b import name",
        "def f():\n    from a.b import name",
        "if TYPE_CHECKING:\n    from a.b import name",
    ],
)
def test_every_form_of_import_is_seen(source: str) -> None:
    assert imported(source, ["a", "a.b", "a.c"]) == {"a.b"}


def test_a_circle_is_named() -> None:
    assert circle({"a": ["b"], "b": ["c"], "c": []}) is None
    assert circle({"a": ["b"], "b": ["a"]}) == ["a", "b", "a"]
