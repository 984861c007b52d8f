"""The register map as data, and the page that shows it."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from support.hw.components import plan_of, small_plan
from support.hw.networks import SHOWCASE, showcase

from spikeloom.hw.axi import AxiPlan, Register
from spikeloom.hw.axi.registers import ACCESSES, address_bits, register_map
from spikeloom.hw.planning.plan import plan
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import BernoulliInput, DirectInput, Input, Linear, SpikeInput

PAGE = Path(__file__).parents[3] / "docs" / "axi.md"


def test_facts() -> None:
    network = showcase()
    found = {r.name: r for r in register_map(plan(network, SHOWCASE))}
    constants = {name: r.value for name, r in found.items() if r.value is not None}
    digest = bytes.fromhex(network.digest)
    assert constants == {
        "ID": int.from_bytes(b"LOOM", "little"),
        "VERSION": 1,
        **{f"DIGEST{k}": int.from_bytes(digest[4 * k : 4 * k + 4], "little") for k in range(8)},
        "VALUES": 2 * 4 * 5,
        "VALUE_BITS": 3,
        "CHANNELS": 2,
        "HEIGHT": 4,
        "WIDTH": 5,
        "TIMESTEPS": 1,
        "LOGITS": 5,
        "LOGIT_BITS": network.ranges["out"].potential.width,
        "COUNTERS": 0,
    }


@pytest.mark.parametrize(
    ("source", "bits", "timesteps"),
    [
        (BernoulliInput((2, 4, 5), 8, timesteps=3), 8, 1),
        (DirectInput((2, 4, 5), 8, zero=200), 8, 1),
        (SpikeInput((2, 4, 5), timesteps=3, highest=5), 3, 3),
    ],
)
def test_values_are_those_that_enter(source: Input, bits: int, timesteps: int) -> None:
    planned = plan(dataclasses.replace(showcase(), input=source), SHOWCASE)
    found = {r.name: r.value for r in register_map(planned)}
    assert (found["VALUE_BITS"], found["TIMESTEPS"]) == (bits, timesteps)
    assert found["VALUES"] == 2 * 4 * 5 * timesteps
    assert AxiPlan(planned).pixel.width == bits


def test_the_map_is_one() -> None:
    registers = register_map(small_plan())
    assert len({r.name for r in registers}) == len(registers)
    offsets = [r.offset for r in registers]
    assert offsets == sorted(set(offsets))
    assert not any(offset % 4 for offset in offsets)
    for register in registers:
        assert register.access in ACCESSES
        bits = [b for f in register.fields for b in range(f.bit, f.bit + f.width)]
        assert len(set(bits)) == len(bits)
    description = AxiPlan(small_plan()).description()
    assert json.loads(json.dumps(description)) == description
    assert description["input_bytes"] == 1


def test_counters() -> None:
    config = dataclasses.replace(SHOWCASE, counters=True)
    found = [r for r in register_map(plan(showcase(), config)) if r.offset >= 0x100]
    layers = ("conv", "steps", "spiking", "out")
    counters = ("cycles", "events", "starved", "blocked")
    assert [r.name for r in found] == [f"{x}.{c}" for x in layers for c in counters]
    assert [r.offset for r in found] == list(range(0x100, 0x140, 4))


@pytest.mark.parametrize(("offset", "bits"), [(0, 12), (0xFFC, 12), (0x1000, 13)])
def test_address_bits(offset: int, bits: int) -> None:
    assert address_bits([Register("X", offset, "ro", "")]) == bits


def test_widths() -> None:
    for bits, wide in ((1, 8), (8, 8), (9, 16), (16, 16)):
        planned = plan_of((1,), Linear(np.array([[1]])), bits=bits)
        assert AxiPlan(planned).data_bits == wide


def test_wide_logits_are_refused() -> None:
    planned = plan_of((1,), Linear(np.array([[1 << 30]])), bits=8)
    with pytest.raises(UnsupportedError, match=r"have \d+ bits, and AXI carries up to 32"):
        AxiPlan(planned)


def test_the_page_has_the_map() -> None:
    rows = re.findall(r"^\| 0x([0-9A-F]{3}) \| (\w+) \| (\w+) \| (.*) \|$", PAGE.read_text(), re.M)
    shown = []
    for register in register_map(plan(showcase(), SHOWCASE)):
        text = register.about
        for field in register.fields:
            last = field.bit + field.width - 1
            bits = f"bit {field.bit}" if field.width == 1 else f"bits {field.bit} to {last}"
            text += f"; {bits} `{field.name}`: {field.about}"
        shown.append((f"{register.offset:03X}", register.name, register.access, text))
    assert rows == shown
