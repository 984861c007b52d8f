"""Engines: which one it is, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.training.engine import Engine, EngineOptions, FabricEngine


def test_one_device_at_full_precision_needs_nothing() -> None:
    engine = EngineOptions(accelerator="cpu").start()
    assert type(engine) is Engine
    assert engine.first
    assert (engine.world, engine.device) == (1, torch.device("cpu"))


def test_mixed_precision_is_that_of_the_forward_pass_alone() -> None:
    engine = EngineOptions(accelerator="cpu", precision="bf16-mixed").start()
    assert isinstance(engine, FabricEngine)
    seen = []
    model = nn.Linear(2, 2)
    model.register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    running, steps = engine.setup(model, torch.optim.SGD(model.parameters(), lr=0.1))
    output = running(torch.ones(1, 2))
    engine.backward(output.sum())
    engine.clip(running, steps, 0.5)
    assert (seen, output.dtype) == ([torch.bfloat16], torch.float32)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert {gradient.dtype for gradient in gradients} == {torch.float32}
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    assert float(norm) == pytest.approx(0.5, rel=1e-4)
    engine.load_state(engine.state())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_devices_that_there_are_not() -> None:
    with pytest.raises(ConfigError, match="the engine cannot have 1 x 'cuda' at 32-true"):
        EngineOptions(accelerator="cuda").start()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "64"}, "precision must be 32-true or bf16-mixed or 16-mixed, not '64'"),
        ({"accelerator": "tpu"}, "accelerator must be auto or cpu or gpu or cuda or mps, not"),
        ({"threads": -1}, "threads must be at least 0, not -1"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EngineOptions(**options)
