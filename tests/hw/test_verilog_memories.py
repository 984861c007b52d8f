"""Verilog whose memories are in files beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.hw.networks import showcase

from spikeloom.hw.axi import generate as generate_axi
from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.verilog import Generated, generate
from spikeloom.sw.network import Linear


@pytest.mark.parametrize("make", [generate, generate_axi])
def test_files_beside_the_verilog(make: Callable[..., Generated], tmp_path: Path) -> None:
    config = HardwareConfig(memories="files")
    generated = make(showcase(), config)
    listed = generated.sidecar["memories"]
    assert [entry["file"] for entry in listed] == list(generated.memories)
    labels = [name.rpartition("_")[0] for name in generated.memories]
    assert {"conv_bank0", "steps_bank0", "steps_parameters", "out_bank0"} <= set(labels)
    beside = generated.save(tmp_path / "chip.v")
    assert json.loads(beside.read_text()) == generated.sidecar
    for entry in listed:
        content = (tmp_path / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert f'.FILE("{entry["file"]}")' in generated.verilog
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"chip.v", "chip.json", *generated.memories}
    # One module reads them all, and belongs to this design alone.
    assert generated.verilog.count("$readmemh(") == 1
    assert generated.verilog.count("module spikeloom_accelerator_rom #(") == 1
    inline = make(showcase(), HardwareConfig(memories="inline"))
    assert not inline.memories
    by_default = make(showcase())
    assert inline.verilog == by_default.verilog
    assert inline.sidecar == by_default.sidecar
    assert "memories" not in inline.sidecar


def test_a_large_memory_takes_others_along(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan(showcase())
    sizes = {p.layer.name: p.depth * p.lanes * p.weights.width for p in planned.layers}
    largest = max(sizes.values())
    monkeypatch.setattr("spikeloom.hw.verilog.INLINE_BITS", largest)
    assert not generate(showcase()).memories
    monkeypatch.setattr("spikeloom.hw.verilog.INLINE_BITS", largest - 1)
    monkeypatch.setattr("spikeloom.hw.verilog._FEW_BITS", min(sizes.values()))
    names = [name.rpartition("_bank0_")[0] for name in generate(showcase()).memories]
    assert set(names) - {""} == {n for n, s in sizes.items() if s > min(sizes.values())}


def test_other_contents_have_other_names() -> None:
    config = HardwareConfig(memories="files")
    network = showcase()
    first = generate(network, config)
    layer = network.layers[-1]
    synapses = layer.connections[0].synapses
    assert isinstance(synapses, Linear)
    weight = synapses.weight.copy()
    weight.flat[0] += -1 if weight.flat[0] > 0 else 1
    changed = dataclasses.replace(
        layer,
        connections=(
            dataclasses.replace(
                layer.connections[0], synapses=dataclasses.replace(synapses, weight=weight)
            ),
        ),
    )
    second = generate(dataclasses.replace(network, layers=(*network.layers[:-1], changed)), config)
    (name,) = first.memories.keys() - second.memories.keys()
    assert name.startswith("out_bank0_")
