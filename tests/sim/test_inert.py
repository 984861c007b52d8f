from __future__ import annotations

import pytest
from support.cosim.tiny import tiny_network

from spikeloom.hw.planning import HardwareConfig
from spikeloom.hw.verilog import generate
from spikeloom.sim.inert import powers


@pytest.mark.parametrize("memories", ["files", "inline"])
def test_generated_verilog_only_computes(memories: str) -> None:
    config = HardwareConfig(debug=True, counters=True, memories=memories)
    assert powers(generate(tiny_network(), config).verilog) is None


@pytest.mark.parametrize(
    ("verilog", "found"),
    [
        ('initial $system("rm x");', "$system"),
        ("assign a = $c(1);", "$c"),
        ('initial $fopen("x");', "$fopen"),
        ('import "DPI-C" function int system(string s);', "import"),
        ('`include "x.v"', "`include"),
        ("`systemc_header", "`systemc_header"),
        ('initial $readmemh("/dev/stdin", words);', 'the path "/dev/stdin"'),
        ('wire a = "; $system(1);', 'a " without its end'),
        ("/* $system", "a /* without its end"),
        ("// hidden\r$system(1);", "the character '\\r'"),
        ("/* one */ $system(1); /* two */", "$system"),
        ("wire \\name ; $system(1);", "$system"),
        ('"text" $system "text"', "$system"),
        ("wire a\u00a0b;", "the character '\\xa0'"),
    ],
)
def test_what_could_do_more_is_found(verilog: str, found: str) -> None:
    assert powers(verilog) == found


@pytest.mark.parametrize(
    "verilog",
    [
        "// $system",
        "/* $system * / ** */ wire a;",
        "wire \\$system$1 ;",
        'initial $display("$system, import \\" `include");',
        "wire a = $signed(b);\r\n`ifndef SYNTHESIS\n`endif",
        "wire important, exported;",
    ],
)
def test_what_cannot_is_none(verilog: str) -> None:
    assert powers(verilog) is None
