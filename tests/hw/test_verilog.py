"""Verilog and its sidecar."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.hw.components import plan_of
from support.hw.networks import SHOWCASE, showcase

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.verilog import Generated, describe, generate
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.network import BernoulliInput, Linear, save

DEBUG = dataclasses.replace(SHOWCASE, debug=True, counters=True, top="chip")


@functools.cache
def plain() -> Generated:
    return generate(showcase(), SHOWCASE)


@functools.cache
def debugged() -> Generated:
    return generate(showcase(), DEBUG)


def ports(text: str, top: str) -> dict[str, tuple[str, int]]:
    """Return direction and width of a module's ports."""
    (body,) = re.findall(rf"^module {top}\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", body, re.MULTILINE)
    return {name: (direction, int(high or 0) + 1) for direction, high, name in found}


def described(config: HardwareConfig) -> dict[str, Any]:
    """Return the sidecar of hardware that is not generated."""
    return describe(plan(showcase(), config))


def test_a_transfer_of_the_output_is_a_logit_and_the_mark_of_the_last() -> None:
    logit = showcase().ranges["out"].potential.width
    output = described(SHOWCASE)["output"]
    assert (output["logit_width"], output["payload_width"]) == (logit, logit + 1)


def test_the_sidecar_has_the_pixels_that_become_spikes() -> None:
    network = dataclasses.replace(showcase(), input=BernoulliInput((2, 4, 5), 8, timesteps=3))
    planned = plan(network, SHOWCASE)
    assert describe(planned)["input"] == {
        "shape": [2, 4, 5],
        "bits": 8,
        "highest": 255,
        "timesteps": None,
        "transfers": 40,
    }
    assert planned.input.transfers == 120


def test_the_sidecar_has_the_planes_of_unrolled_layers() -> None:
    first, *others = described(HardwareConfig(planes={"conv": 2}))["layers"]
    assert (first["name"], first["planes"], first["events"]) == ("conv", 2, 1)
    assert not any("planes" in layer for layer in others)


def test_the_sidecar_has_the_copies_of_engines() -> None:
    first, *others = described(HardwareConfig(copies={"conv": 2}))["layers"]
    assert (first["name"], first["copies"]) == ("conv", 2)
    assert not any("copies" in layer for layer in others)


class TestGenerate:
    def test_ports(self) -> None:
        width = plain().sidecar["output"]["payload_width"]
        assert ports(plain().verilog, "spikeloom_accelerator") == {
            "clk": ("input", 1),
            "rst": ("input", 1),
            "i__valid": ("input", 1),
            "i__ready": ("output", 1),
            "i__payload": ("input", 3),
            "o__valid": ("output", 1),
            "o__ready": ("input", 1),
            "o__payload": ("output", width),
        }

    def test_debug_ports_are_as_the_sidecar_says(self) -> None:
        expected = ports(plain().verilog, "spikeloom_accelerator")
        for layer in debugged().sidecar["layers"]:
            name, lanes, tap = layer["name"], layer["lanes"], layer["tap"]
            shown = layer["units"] * layer["steps_per_cycle"]
            expected |= {
                f"tap__{name}__step": ("output", 1),
                f"tap__{name}__sent": ("output", 1),
                f"tap__{name}__potential": ("output", shown * tap["potential"]["width"]),
                f"tap__{name}__spike": ("output", shown * tap["spike"]["width"]),
                f"tap__{name}__value": ("output", lanes * tap["value"]["width"]),
            }
            for counter in ("cycles", "events", "starved", "blocked"):
                expected[f"counters__{name}__{counter}"] = ("output", 32)
        assert ports(debugged().verilog, "chip") == expected

    def test_counters_without_taps(self) -> None:
        small = plan_of((1,), Linear(np.array([[1], [1]])), bits=1).network
        text = generate(small, HardwareConfig(counters=True)).verilog
        names = ports(text, "spikeloom_accelerator")
        assert sum(name.startswith("counters__layer__") for name in names) == 4
        assert not any(name.startswith("tap__") for name in names)

    def test_sidecar(self) -> None:
        network = showcase()
        sidecar = dict(debugged().sidecar)
        assert json.loads(json.dumps(sidecar)) == sidecar, "JSON values only"
        layers = sidecar.pop("layers")
        logit = network.ranges["out"].potential.width
        assert sidecar == {
            "format": "spikeloom-hardware",
            "version": 1,
            "top": "chip",
            "network": {"name": "showcase", "digest": network.digest},
            "debug": True,
            "counters": True,
            "input": {
                "shape": [2, 4, 5],
                "bits": 3,
                "highest": 7,
                "timesteps": None,
                "transfers": 40,
            },
            "output": {
                "classes": 5,
                "transfers": 5,
                "logit_width": logit,
                "payload_width": logit + 1,
                "signed": True,
            },
        }
        assert [layer["name"] for layer in layers] == ["conv", "steps", "spiking", "out"]
        ranges = network.ranges["steps"]
        assert layers[1] == {
            "name": "steps",
            "neuron": "ladder",
            "shape": [5],
            "timesteps": 3,
            "lanes": 2,
            "events": 2,
            "groups": 3,
            "sends": "count",
            "units": 1,
            "steps_per_cycle": 1,
            "folded": False,
            "buffers": [{"source": "conv", "rows": 4, "bits": 4 * 8 * 2}],
            "tap": {
                "potential": {"width": ranges.accumulator.width, "signed": True},
                "spike": {"width": 1, "signed": False},
                "value": {"width": 2, "signed": False},
            },
        }
        assert [layer["sends"] for layer in layers] == ["count", "count", "spikes", "logits"]

    def test_same_bytes_in_every_process(self, tmp_path: Path) -> None:
        save(showcase(), tmp_path / "network.safetensors")
        program = (
            "import sys; from spikeloom.hw.verilog import generate;"
            "from spikeloom.sw.network import load;"
            "generate(load(sys.argv[1])).save(sys.argv[2])"
        )
        texts = []
        for hash_seed in ("1", "2"):
            target = tmp_path / f"seed{hash_seed}.v"
            subprocess.run(
                [sys.executable, "-c", program, tmp_path / "network.safetensors", target],
                env=os.environ | {"PYTHONHASHSEED": hash_seed},
                check=True,
            )
            texts.append((target.read_bytes(), target.with_suffix(".json").read_bytes()))
        assert texts[0] == texts[1]
        here = generate(showcase())
        assert texts[0][0] == here.verilog.encode()
        assert json.loads(texts[0][1]) == here.sidecar

    def test_no_trace_of_where_it_was_made(self) -> None:
        text = plain().verilog
        assert "src =" not in text
        assert str(Path(__file__).parents[2]) not in text

    def test_no_name_has_a_bracket(self) -> None:
        r"""As in ``\x[0] ``: synthesis would take it for a bit of another signal."""
        text = generate(showcase(), SHOWCASE).verilog
        assert re.search(r"\\\S+\.0 ", text)
        assert not re.search(r"\\\S*\[", text)

    def test_save(self, tmp_path: Path) -> None:
        generated = plain()
        target = tmp_path / "out" / "chip.v"
        assert generated.save(target) == tmp_path / "out" / "chip.json"
        assert target.read_text() == generated.verilog
        assert json.loads((tmp_path / "out" / "chip.json").read_text()) == generated.sidecar

    def test_save_where_the_sidecar_goes(self, tmp_path: Path) -> None:
        path = tmp_path / "net.json"
        with pytest.raises(ConfigError, match=f"^{path} is where the description of the ports"):
            generate(showcase()).save(path)
        assert not any(tmp_path.iterdir())

    def test_save_where_no_folder_can_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(FileFormatError, match=r"^cannot write .*file/chip\.v: "):
            plain().save(tmp_path / "file" / "chip.v")

    def test_what_does_not_fit_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"^layer 'conv': lanes = 4 must not exceed"):
            generate(showcase(), HardwareConfig(lanes=4))
