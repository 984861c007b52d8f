"""The models of cells behave as Amaranth's memories and Yosys' flip-flops do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from netlist import cells
from netlist.simulator import compiled
from spikeloom.hw.build.family import Family
from spikeloom.hw.build.tools import Toolset


class Store(wiring.Component):
    """A memory as in the accelerator: one port reads and, if ``written``, one writes."""

    def __init__(self, width: int, depth: int, written: bool = True) -> None:
        self.memory = memory.Memory(
            shape=width,
            depth=depth,
            init=np.random.default_rng(3).integers(0, 1 << width, depth).tolist(),
        )
        self.width, self.depth, self.written = width, depth, written
        super().__init__(
            {
                "at": In(range(depth)),
                "enable": In(1),
                "write": In(1),
                "to": In(range(depth)),
                "data": In(width),
                "q": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = self.memory
        read = self.memory.read_port()
        m.d.comb += [
            read.addr.eq(self.at),
            read.en.eq(self.enable),
            self.q.eq(read.data),
        ]
        if self.written:
            write = self.memory.write_port()
            m.d.comb += [
                write.addr.eq(self.to),
                write.data.eq(self.data),
                write.en.eq(self.write),
            ]
        return m


def stimuli(store: Store, cycles: int) -> list[tuple[int, int, int, int, int]]:
    """Return (at, enable, write, to, data) for each cycle; no row is read while it is written."""
    rng = np.random.default_rng(4)
    found = []
    for _ in range(cycles):
        at, to = (int(x) for x in rng.integers(0, store.depth, 2))
        enable, write = (int(x) for x in rng.integers(0, 2, 2))
        write &= at != to
        found.append((at, enable, write, to, int(rng.integers(0, 1 << store.width))))
    return found


def in_amaranth(store: Store, played: list[tuple[int, int, int, int, int]]) -> list[int]:
    seen: list[int] = []

    async def bench(ctx: object) -> None:
        for values in played:
            for port, value in zip(
                (store.at, store.enable, store.write, store.to, store.data), values, strict=True
            ):
                ctx.set(port, value)  # type: ignore[attr-defined]
            await ctx.tick()  # type: ignore[attr-defined]
            seen.append(ctx.get(store.q))  # type: ignore[attr-defined]

    simulator = Simulator(store)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


TESTBENCH = """\
module bench;
    reg clk = 0;
    reg [63:0] played [0:{cycles} * 5 - 1];
    wire [{width} - 1:0] q;
    integer k;
    reg [63:0] at, enable, write, to, data;
    store store(.clk(clk), .rst(1'b0), .at(at[{abits} - 1:0]), .enable(enable[0]),
        .write(write[0]), .to(to[{abits} - 1:0]), .data(data[{width} - 1:0]), .q(q));
    initial begin
        $readmemh("played.hex", played);
        for (k = 0; k < {cycles}; k = k + 1) begin
            at = played[5 * k];
            enable = played[5 * k + 1];
            write = played[5 * k + 2];
            to = played[5 * k + 3];
            data = played[5 * k + 4];
            #1 clk = 1;
            #1 clk = 0;
            $display("%b", q);
        end
        $finish;
    end
endmodule
"""


@pytest.mark.boards
@pytest.mark.parametrize(
    ("family", "width", "depth", "written", "cell"),
    [
        ("ecp5", 36, 512, True, "DP16KD"),
        ("ecp5", 9, 2048, True, "DP16KD"),
        ("ecp5", 2, 8192, True, "DP16KD"),
        ("ecp5", 18, 1024, False, "DP16KD"),
        ("gowin", 36, 512, True, "SDPX9B"),
        ("gowin", 18, 1024, True, "DPX9B"),
        ("gowin", 4, 4096, True, "DPB"),
        ("gowin", 18, 1024, False, "SPX9"),
        ("gowin", 4, 4096, False, "SP"),
        ("ice40", 16, 256, True, "SB_RAM40_4K"),
    ],
)
def test_a_memory_is_that_of_amaranth(
    family: str, width: int, depth: int, written: bool, cell: str, tmp_path: Path
) -> None:
    store = Store(width, depth, written)
    played = stimuli(store, 400)
    expected = [f"{value:0{width}b}" for value in in_amaranth(store, played)]
    (tmp_path / "store.v").write_text(verilog.convert(Store(width, depth, written), name="store"))
    (tmp_path / "played.hex").write_text("\n".join(f"{x:x}" for row in played for x in row))
    found = Family.find(family)
    tools = Toolset.find(found.tools)
    script = f"read_verilog store.v; {found.synth} -top store; write_verilog -noattr netlist.v"
    tools.run(["yosys", "-p", script], tmp_path, "yosys.log")
    text = (tmp_path / "netlist.v").read_text()
    assert f"  {cell} #(" in text
    bench = TESTBENCH.format(cycles=len(played), width=width, abits=(depth - 1).bit_length())
    (tmp_path / "bench.v").write_text(bench)
    files = [tmp_path / "bench.v", tmp_path / "netlist.v", *cells.sources(family, tmp_path)]
    program = compiled(files, tmp_path / "bench.vvp", cells.DEFINES[family], "bench")
    done = subprocess.run(["vvp", "-n", program], cwd=tmp_path, capture_output=True, text=True)
    shown = [line for line in done.stdout.splitlines() if "readmem" not in line]
    assert shown == expected


FLIP_FLOPS = """\
module bench;
    reg clk = 0, reset = 0, enable = 0, d = 0;
    wire own, theirs;
    TRELLIS_FF #({parameters}) one(.CLK(clk), .LSR(reset), .CE(enable), .DI(d), .M(1'b0), .Q(own));
    YOSYS_FF #({parameters}) other(
        .CLK(clk), .LSR(reset), .CE(enable), .DI(d), .M(1'b0), .Q(theirs));
    integer k;
    initial begin
        #1 $display("%b", own);
        for (k = 0; k < 200; k = k + 1) begin
            {{reset, enable, d}} = k == 0 ? 3'b100 : $random;
            #1 $write("%b%b ", own, theirs);
            clk = 1;
            #1 clk = 0;
            $display("%b%b", own, theirs);
        end
        $finish;
    end
endmodule
"""


@pytest.mark.boards
@pytest.mark.parametrize("reset", ["SET", "RESET"])
@pytest.mark.parametrize(
    ("mode", "enable"),
    [("ASYNC", "1"), ("LSR_OVER_CE", "1"), ("LSR_OVER_CE", "CE"), ("LSR_OVER_CE", "INV")],
)
def test_a_flip_flop_is_that_of_yosys_after_a_reset(
    mode: str, enable: str, reset: str, tmp_path: Path
) -> None:
    parameters = f'.SRMODE("{mode}"), .CEMUX("{enable}"), .REGSET("{reset}")'
    (tmp_path / "bench.v").write_text(FLIP_FLOPS.format(parameters=parameters))
    theirs = (cells.SHARE / "ecp5" / "common_sim.vh").read_text()
    found = re.search(r"^module TRELLIS_FF\b.*?^endmodule", theirs, re.M | re.S)
    assert found is not None
    (tmp_path / "yosys.v").write_text(found[0].replace("TRELLIS_FF", "YOSYS_FF"))
    own = [cells.FOLDER / name for name in cells.OWN["ecp5"]]
    files = [tmp_path / "bench.v", tmp_path / "yosys.v", *own]
    program = compiled(files, tmp_path / "bench.vvp", {}, "bench")
    done = subprocess.run(["vvp", "-n", program], capture_output=True, text=True)
    first, *shown = done.stdout.splitlines()
    assert first == ("1" if reset == "SET" else "0")
    # Before the clock's first edge, a synchronous reset has done nothing.
    pairs = [pair for line in shown for pair in line.split()][1:]
    assert len(pairs) == 399
    assert set(pairs) == {"00", "11"}


@pytest.mark.parametrize("family", cells.OWN)
def test_every_cell_has_one_model(family: str, tmp_path: Path) -> None:
    found = [(path, cells.modules(path.read_text())) for path in cells.sources(family, tmp_path)]
    names = [name for _, modules in found for name in modules]
    own = [name for path, modules in found if path.parent == cells.FOLDER for name in modules]
    assert bool(own) == bool(cells.OWN[family])
    assert [name for name in own if names.count(name) != 1] == []


def test_names_of_modules() -> None:
    text = "(* abc9_lut=2 *) module A(input x);\nendmodule\nmodule B #(\n  module_c c();\nmodule D;"
    assert cells.modules(text) == ["A", "B", "D"]
