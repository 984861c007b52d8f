"""λ and the scale of bursts that run away or are lost: named by layer and epoch, never a crash."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.models import small

from spikeloom.sw import models
from spikeloom.sw.diagnostics import DIVERGENCES, LayerHealth, Monitor, findings
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.quantized import activations_of, initialise, prepare
from spikeloom.sw.spiking import spiking
from spikeloom.sw.training.loop import Loop
from spikeloom.sw.training.options import FitOptions
from spikeloom.sw.training.penalties import ClippingPenalty

IMAGES = small.digits("train").inputs()[:16]


def network(kind: str, learn: str | None) -> tuple[Any, Any]:
    """Return a model to watch, and the activation of its first layer."""
    torch.manual_seed(0)
    name = "digits-leaky" if kind == "signed" else "digits-mlp"
    prepared = prepare(models.build(name), input_shape=(1, 8, 8), timesteps=4, learn=learn)
    initialise(prepared, IMAGES)
    first = next(iter(activations_of(prepared).values()))
    if kind != "burst":
        return prepared.train(), first
    known: dict[str, Any] = {"input_bits": 5, "input_scale": 1 / 16}
    return spiking(prepared, transport="spikes", neuron="burst", largest=3, **known).train(), first


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("value", [-1000.0, 1000.0, math.nan, 50.0, -50.0])
@pytest.mark.parametrize(
    ("kind", "learn"),
    [
        *(("if", learn) for learn in (None, "t,alpha", "n,d", "d,alpha")),
        *(("signed", None), ("burst", None)),
    ],
)
def test_a_diverged_threshold_is_measured_and_named(
    kind: str, learn: str | None, value: float, late: bool
) -> None:
    model, first = network(kind, learn)

    def diverge() -> None:
        with torch.no_grad():
            first.log_threshold.fill_(value)

    if not late:
        diverge()
    monitor = Monitor(model)
    if late:
        diverge()
    monitor.start_batch()
    loss = model(IMAGES).sum()
    if kind != "burst":
        loss = loss + ClippingPenalty(model)(loss)
    loss.backward()
    monitor.after_backward()
    (health, *_) = epoch = monitor.epoch()
    lost = not -100 < value < 100
    again = LayerHealth.from_json(health.to_json())
    for judged in (epoch, [again, *epoch[1:]]):
        named = [f.layers[0] for f in findings([judged]) if f.name in DIVERGENCES]
        # Whether a finite λ was so at the start, nobody can tell: then far-threshold has it.
        assert named == ([health.name] if lost or late else [])


def test_the_layer_the_epoch_and_a_remedy_are_named() -> None:
    sound = replace(small.HEALTH, name="a", start=1.0, threshold=1.2, wanted=1.0)
    far = replace(small.HEALTH, name="b", start=1.0, threshold=0.01, wanted=1.0)
    back = replace(far, threshold=0.5)
    told = [str(f) for f in findings([[sound, far], [sound, back], [sound, far], [sound, far]])]
    assert len(told) == 1
    assert told[0].startswith("diverged-threshold: λ has run far away ")
    assert "(b: λ 1 -> 0.01, inputs want 1, from epoch 3 on)" in told[0]
    assert "lambda_lr_factor" in told[0]
    bursts = [
        [replace(x, largest=4, saturation=0.1) for x in (sound, far)],
        [replace(sound, largest=4, threshold=0.0, saturation=0.1), replace(sound, name="b")],
    ]
    told = [str(f) for f in findings(bursts[:1])]
    assert len(told) == 1
    assert "diverged-scale: the scale Δ of burst neurons" in told[0]
    assert "(b: Δ 0.25 -> 0.0025, inputs want 0.25, 4 spikes in 10% of the timesteps)" in told[0]
    told = [str(f) for f in findings(bursts)]
    assert len(told) == 1
    assert (
        "(a: Δ 0.25 -> 0, inputs want 0.25, 4 spikes in 10% of the timesteps, from epoch 2"
        in (told[0])
    )


@pytest.mark.parametrize(
    "health",
    [
        # Not moved, though far: that is far-threshold. Moved, but to where the inputs are.
        replace(small.HEALTH, start=0.01, threshold=0.01, wanted=1.0),
        replace(small.HEALTH, start=0.01, threshold=1.0, wanted=1.0),
        replace(small.HEALTH, start=1.0, threshold=0.2, wanted=1.0),
        replace(small.HEALTH, start=None, threshold=None, wanted=None, steps=0),
    ],
)
def test_what_has_not_diverged(health: LayerHealth) -> None:
    assert not [f for f in findings([[health]]) if f.name in DIVERGENCES]


def test_a_start_at_zero_gives_no_movement() -> None:
    assert replace(small.HEALTH, start=0.0).moved is None
    assert replace(small.HEALTH, start=math.nan).moved is None
    assert replace(small.HEALTH, start=2.0, threshold=1.0).moved == -0.5


def test_the_end_of_a_training_names_the_layer() -> None:
    model, first = network("if", None)
    loop = Loop(model, small.digits("train").head(64), FitOptions(epochs=1), monitor=Monitor(model))
    with torch.no_grad():
        first.log_threshold.fill_(math.nan)
    with pytest.raises(ConfigError, match=r"in epoch 1: training has .*lost-threshold: .*fc1: λ "):
        loop.epoch()
