"""Memories of designs in RTLIL, Yosys' text form: found, and marked for Yosys."""

from __future__ import annotations

import re

from spikeloom.hw.build.blocks import Memory
from spikeloom.hw.options import APART, ROM_MODULE

_MEMORY = re.compile(
    r'^(?P<style> *attribute \\ram_style "block"\n)?'
    rf"(?P<apart> *attribute \\{APART} .*\n)?"
    r"(?P<indent> *)memory width (?P<width>\d+) size (?P<depth>\d+) (?P<name>\S+)$",
    re.M,
)
#: A port of a memory, with its parameters and connections.
_CELL = re.compile(r"^ *cell \$mem(?P<kind>rd|wr)_v2 .*\n(?P<inner>(?: +[pc].*\n)+)", re.M)
_OF = re.compile(r'parameter \\MEMID "\\(?P<name>.*)"')
_COLLISION = re.compile(r"( +parameter \\COLLISION_X_MASK (\d+)')[01]+\n")
_ENABLE = re.compile(r"connect \\EN (?P<bits>.*)")
_BIT = re.compile(r"(?P<name>\S+) \[(?P<high>\d+)(?::(?P<low>\d+))?\]")
#: A memory of constants whose contents are in a file.
_ROM = re.compile(
    rf"^ *cell \\{ROM_MODULE} .*\n +parameter \\WIDTH (?P<width>\d+)\n"
    r" +parameter \\DEPTH (?P<depth>\d+)\n",
    re.M,
)


def marked(rtlil: str, shallow: int) -> str:
    """Return a design in which memories of up to ``shallow`` words are marked to become logic."""

    def mark(found: re.Match[str]) -> str:
        if int(found["depth"]) > shallow:
            return found[0]
        return f'{found["indent"]}attribute \\ram_style "logic"\n{found[0]}'

    return _MEMORY.sub(mark, rtlil)


def separated(rtlil: str) -> str:
    """Return a design in which memories that are read and written apart need no logic for both.

    Yosys would add registers and a comparison of addresses, for a word that is read while it is
    written: blocks of most families give no certain word then.
    """
    modules = re.split(r"^(?=module )", rtlil, flags=re.M)
    for k, module in enumerate(modules):
        names = {one["name"] for one in _MEMORY.finditer(module) if one["apart"]}
        if names:
            modules[k] = _CELL.sub(lambda cell: _separated(cell, names), module)  # noqa: B023
    return "".join(modules)


def _separated(cell: re.Match[str], names: set[str]) -> str:
    if cell["kind"] == "wr" or _name(cell["inner"]) not in names:
        return cell[0]
    return _COLLISION.sub(lambda one: f"{one[1]}{'1' * int(one[2])}\n", cell[0])


def memories(rtlil: str) -> list[Memory]:
    """Return the memories of a design."""
    found = [Memory(int(one["depth"]), int(one["width"])) for one in _ROM.finditer(rtlil)]
    for module in re.split(r"^module ", rtlil, flags=re.M):
        cells = [(one["kind"], one["inner"]) for one in _CELL.finditer(module)]
        for one in _MEMORY.finditer(module):
            mine = [(kind, inner) for kind, inner in cells if _name(inner) == one["name"]]
            found.append(_memory(one, mine))
    return found


def _name(inner: str) -> str:
    found = _OF.search(inner)
    assert found is not None, "ports name their memory"
    return found["name"]


def _memory(found: re.Match[str], cells: list[tuple[str, str]]) -> Memory:
    """Return one memory, by its declaration and its ports."""
    depth, width = int(found["depth"]), int(found["width"])
    parts = sum(_parts(inner) for kind, inner in cells if kind == "wr")
    registered = all("\\CLK_ENABLE 1\n" in inner for kind, inner in cells if kind == "rd")
    forced, apart = found["style"] is not None, found["apart"] is not None
    return Memory(depth, width, parts, registered, forced, apart)


def _parts(inner: str) -> int:
    """Return the number of different bits that enable a port to write."""
    found = _ENABLE.search(inner)
    assert found is not None, "a port that writes has an enable"
    bits = {
        (bit["name"], index)
        for bit in _BIT.finditer(found["bits"])
        for index in range(int(bit["low"] or bit["high"]), int(bit["high"]) + 1)
    }
    return max(len(bits), 1)
