from __future__ import annotations

from pathlib import Path

import pytest
from support.cosim.tiny import tiny_network

import spikeloom.hw.verilog
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sim import generated as module
from spikeloom.sim.generated import generated


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[HardwareConfig | None]:
    """The configurations that hardware was generated with."""
    made: list[HardwareConfig | None] = []
    generate = spikeloom.hw.verilog.generate

    def noted(network: object, config: HardwareConfig | None = None) -> object:
        made.append(config)
        return generate(network, config)  # type: ignore[arg-type]

    monkeypatch.setattr("spikeloom.hw.verilog.generate", noted)
    return made


@pytest.mark.parametrize("memories", ["inline", "files"])
def test_the_same_is_generated_once(
    memories: str, calls: list[HardwareConfig | None], tmp_path: Path
) -> None:
    config = HardwareConfig(debug=True, memories=memories)
    first = generated(tiny_network(), config, tmp_path)
    assert generated(tiny_network(), config, tmp_path) == first
    assert calls == [config]
    assert bool(first.memories) is (memories == "files")
    assert first.debug


def test_anything_else_is_generated_anew(
    calls: list[HardwareConfig | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = HardwareConfig(lanes=1), HardwareConfig(lanes=2)
    generated(tiny_network(), small, tmp_path)
    generated(tiny_network(), large, tmp_path)
    assert calls == [small, large]
    monkeypatch.setattr(module, "_code", lambda: "other code")
    generated(tiny_network(), large, tmp_path)
    assert calls == [small, large, large]


def test_hardware_of_other_packages_is_not_kept(
    calls: list[HardwareConfig | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = tiny_network()
    monkeypatch.setattr(type(network.layers[0].neuron), "__module__", "mine")
    for _ in range(2):
        generated(network, HardwareConfig(), tmp_path)
    assert len(calls) == 2
    assert list(tmp_path.iterdir()) == []
