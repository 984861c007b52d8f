"""Conversion of every component of the hardware alone."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from amaranth.back import verilog
from amaranth.hdl import Fragment
from amaranth.lib import data, wiring
from support.hw.components import plan_of
from support.hw.networks import RESIDUAL, SHOWCASE, residual, showcase
from support.networks.examples import recurrent

import spikeloom.hw
from spikeloom.hw.accelerator import Accelerator, Serializer
from spikeloom.hw.axi.accelerator import AxiAccelerator
from spikeloom.hw.device import Device
from spikeloom.hw.engine import Engine, Relay, Skid
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
from spikeloom.sw.network import (
    BernoulliInput,
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
)


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
    "Relay": lambda p: Relay(p.target.signature),
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


@pytest.mark.parametrize(("component", "slots"), [("Scanner", (32, 8)), ("ValuePicker", (8, 32))])
def test_verilog_grows_in_proportion(component: str, slots: tuple[int, int]) -> None:
    # 8 and 32 marked words in a row to scan; 8 and 32 values of a word to pick from. If what is
    # needed twice had no name, both would grow by the square.
    few, many = (
        verilog.convert(
            COMPONENTS[component](
                plan_of((1, 1, 256), Linear(np.ones((1, 256), int)), slots=number)["layer"]
            ),
            name="alone",
            emit_src=False,
        ).count("\n")
        for number in slots
    )
    assert few < many < 5 * few


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
    yield Accelerator(plan_of((1, 2, 3), Conv2d(np.array([[[[2]]]])), neuron, copies={"layer": 2}))
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
    random = dataclasses.replace(network, input=BernoulliInput((2, 2, 2), 4, timesteps=3))
    yield Accelerator(plan(random, sliding.config))
    yield Accelerator(plan(recurrent(), HardwareConfig(counters=True)))
    yield Accelerator(plan(residual(), HardwareConfig(counters=True, compact=True)))


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
