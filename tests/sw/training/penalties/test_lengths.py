"""Penalties on timesteps and cycles: values by hand, gradients, and what they reach on digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from support.models import small
from torch import fx, nn

from spikeloom.sw import models
from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.golden import Golden
from spikeloom.sw.quantized import Activation, activations_of, initialise, prepare, settle
from spikeloom.sw.quantized.prepared import META
from spikeloom.sw.training import param_groups
from spikeloom.sw.training.penalties import CyclePenalty, TimestepPenalty, penalty_named, steps_of

SHAPE = (1, 8, 8)
LOSS = torch.tensor(1.0)


def mlp(learn: str | None = "t,alpha", steps: tuple[int, int] = (3, 6)) -> fx.GraphModule:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    timesteps = dict(zip(("layer_0", "layer_2"), steps, strict=True))
    return prepare(model, input_shape=(3,), timesteps=timesteps, learn=learn)


def activations(model: fx.GraphModule) -> list[Activation]:
    return list(activations_of(model).values())


def gradients(model: fx.GraphModule) -> list[float]:
    learned: list[Any] = [p for a in activations(model) for p in a.timesteps.learned()]
    return [p.grad.item() for p in learned]


def test_the_average_is_steered_from_above_only() -> None:
    model = mlp()
    penalty = TimestepPenalty(model, target=2.5, weight=3.0)
    term = penalty(LOSS)
    assert term.item() == pytest.approx(3 * (4.5 - 2.5))
    term.backward()
    # dT/dt is T/t, here 1: each layer is half of the average.
    assert gradients(model) == pytest.approx([3 / 2] * 2)
    assert TimestepPenalty(model, target=4.5)(LOSS).item() == 0
    assert TimestepPenalty(model, target=5)(LOSS).item() == 0


def test_the_average_is_of_whole_steps() -> None:
    model = mlp()
    with torch.no_grad():
        activations(model)[0].timesteps.learned()[0].fill_(3.4)
    assert TimestepPenalty(model, target=4.5)(LOSS).item() == 0
    assert TimestepPenalty(model, target=1).summary()["average_timesteps"] == 4.5


def test_layers_whose_steps_are_fixed_count_too() -> None:
    model = mlp()
    activations(model)[1].learn(None)
    term = TimestepPenalty(model, target=2.5, weight=1)(LOSS)
    assert term.item() == pytest.approx(2.0)
    term.backward()
    assert gradients(model) == pytest.approx([1 / 2])
    assert steps_of(activations(model)[1]).item() == 6


def test_summaries_are_means_over_an_epoch() -> None:
    penalty = TimestepPenalty(mlp(), target=2.5, weight=3.0)
    assert penalty.summary() == {"timesteps_penalty": 0.0, "average_timesteps": 4.5}
    penalty.start_epoch()
    penalty(LOSS)
    penalty.weight = 0.0
    penalty(LOSS)
    assert penalty.summary()["timesteps_penalty"] == pytest.approx(3.0)
    penalty.start_epoch()
    assert penalty.summary()["timesteps_penalty"] == 0.0


class Cost:
    """Of a pipeline: the slower of two layers, of which one takes 10 cycles a step, one 4."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, steps: Mapping[str, int]) -> float:
        self.calls += 1
        return max(10 * steps["layer_0"], 4 * steps["layer_2"])


def test_cycles_press_on_the_slowest_layer() -> None:
    model = mlp()
    penalty = CyclePenalty(model, cost=Cost(), target=20, weight=2.0)
    penalty.start_epoch()
    term = penalty(LOSS)  # 30 cycles, and 40 with one more step of the first layer
    assert term.item() == pytest.approx(2 * 0.5)
    term.backward()
    assert gradients(model) == pytest.approx([2 * 10 / 20, 0.0])
    assert penalty.summary() == {"cycles_penalty": pytest.approx(1.0), "cycles": 30.0}
    assert CyclePenalty(model, cost=Cost(), target=30)(LOSS).item() == 0


def test_cycles_are_continued_linearly_until_they_are_worked_out_again() -> None:
    model, cost = mlp(), Cost()
    penalty = CyclePenalty(model, cost=cost, target=10, weight=1, every=3)
    penalty.start_epoch()
    assert cost.calls == 3
    activations(model)[0].set_levels(2)
    seen = [penalty(LOSS).item() for _ in range(2)]
    # The first call looks for a change: max(20, 24) = 24, and 28 with one more step of the second.
    assert seen == [pytest.approx(1.4)] * 2
    assert cost.calls == 6
    activations(model)[1].set_levels(8)
    assert penalty(LOSS).item() == pytest.approx(2.4 + 2 * 0.4 - 1)
    assert cost.calls == 6
    assert penalty(LOSS).item() == pytest.approx(3.2 - 1)
    assert cost.calls == 9
    penalty.start_epoch()
    assert cost.calls == 9


@pytest.mark.parametrize("name", ["timesteps", "cycles"])
def test_there_must_be_something_to_steer(name: str) -> None:
    extra = {"cost": Cost()} if name == "cycles" else {}
    with pytest.raises(ConfigError, match=rf"penalty '{name}' .* use prepare\(\.\.\., learn='t,al"):
        penalty_named(name, mlp(learn=None), target=2, **extra)
    with pytest.raises(UnsupportedError, match="has not been prepared"):
        penalty_named(name, nn.Linear(3, 2), target=2, **extra)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"target": 0.5},
            "target of the penalty 'timesteps' must be at least 1 and .*0.5",
        ),
        ({"target": 2, "weight": -1}, "weight of the penalty 'timesteps' must be at least 0"),
        ({"target": "low"}, "target of the penalty 'timesteps' must be a number, not low"),
        ({}, "'timesteps' has the parameters target, weight, not {}: missing"),
        ({"target": 2, "goal": 3}, "unexpected keyword argument 'goal'"),
    ],
)
def test_parameters_that_are_wrong(parameters: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        penalty_named("timesteps", mlp(), **parameters)


def test_penalties_that_are_not_there() -> None:
    with pytest.raises(ConfigError, match="no penalty is called 'steps'; there are"):
        penalty_named("steps", mlp())


@pytest.mark.parametrize("learn", ["t,alpha", "n,d"])
def test_digits_reach_an_average_and_the_integers_say_the_same(learn: str) -> None:
    trained, train, test = small.trained("digits-conv"), small.digits("train"), small.digits("test")
    torch.manual_seed(0)
    model = prepare(models.build("digits-conv"), input_shape=SHAPE, learn=learn)
    model.load_state_dict(trained.model.state_dict(), strict=False)
    model.meta[META] |= {"input_bits": train.bits, "input_scale": train.scale}
    images, labels = train.inputs(), train.targets()
    initialise(model, images[:256])
    penalty = TimestepPenalty(model, target=2.5)
    optimizer = torch.optim.AdamW(param_groups(model, 4e-3, timestep_lr_factor=5.0))
    with penalty:
        for _ in range(12):
            penalty.start_epoch()
            for batch in torch.randperm(len(images)).split(64):
                loss = nn.functional.cross_entropy(model.train()(images[batch]), labels[batch])
                optimizer.zero_grad()
                (loss + penalty(loss)).backward()
                optimizer.step()
            average = penalty.summary()["average_timesteps"]
            if average <= 2.5:
                break
    assert average <= 2.5
    settled = settle(model.eval())
    steps = [activation.levels for activation in activations(settled)]
    assert sum(steps) / len(steps) == average
    assert steps == [activation.levels for activation in activations(model)]
    network = convert(model)
    assert [layer.timesteps for layer in network.layers[:-1]] == steps
    with torch.no_grad():
        expected = settled.double()(test.inputs().double()).argmax(1)
    assert torch.equal(Golden(network).run(test.images).labels, expected)
    assert (expected == test.targets()).float().mean() > 0.9
