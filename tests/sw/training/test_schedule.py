"""Learning rates in closed form, optimizers by name, and states that go through JSON."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from spikeloom.sw.training.options import FitOptions
from spikeloom.sw.training.schedule import (
    Schedule,
    load_optimizer_state,
    optimizer,
    optimizer_state,
)


def rates(chosen: FitOptions, batches: int) -> list[list[float]]:
    groups = [{"params": [nn.Parameter(torch.zeros(()))], "lr": lr} for lr in (1.0, 3.0)]
    stepped = optimizer(groups, chosen)
    schedule = Schedule(stepped, chosen, batches)
    seen = []
    for _ in range(chosen.epochs * batches):
        seen.append([group["lr"] for group in stepped.param_groups])
        stepped.step()
        schedule.step()
    return seen


@pytest.mark.parametrize("warmup", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("name", ["cosine", "constant"])
def test_rates_rise_linearly_and_then_follow_the_schedule(name: str, warmup: float) -> None:
    batches, epochs = 6, 5
    rise = round(warmup * batches)
    for step, (first, second) in enumerate(
        rates(FitOptions(epochs=epochs, schedule=name, warmup=warmup), batches)
    ):
        if step < rise:
            expected = (step + 1) / (rise + 1)
        else:
            share = (step - rise) / (epochs * batches - rise)
            expected = (1 + math.cos(math.pi * share)) / 2 if name == "cosine" else 1.0
        assert first == pytest.approx(expected, abs=1e-12)
        assert second == pytest.approx(3 * expected, abs=1e-12)


def test_optimizers_have_what_was_chosen() -> None:
    parameters = [{"params": [nn.Parameter(torch.zeros(2))], "lr": 0.1, "weight_decay": 0.5}]
    (group,) = optimizer(
        parameters, FitOptions(epochs=1, optimizer="sgd", momentum=0.7, nesterov=True)
    ).param_groups
    assert (group["lr"], group["momentum"], group["nesterov"]) == (0.1, 0.7, True)
    assert group["weight_decay"] == 0.5
    assert isinstance(optimizer(parameters, FitOptions(epochs=1)), torch.optim.AdamW)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_a_state_that_went_through_json_goes_on_alike(name: str, schedule: str) -> None:
    chosen = FitOptions(epochs=4, optimizer=name, schedule=schedule, warmup=1)

    def made() -> tuple[nn.Parameter, torch.optim.Optimizer, Schedule]:
        parameter = nn.Parameter(torch.tensor([1.0, -2.0]))
        stepped = optimizer([{"params": [parameter], "lr": chosen.lr}], chosen)
        return parameter, stepped, Schedule(stepped, chosen, 3)

    def go(parameter: nn.Parameter, stepped: torch.optim.Optimizer, rate: Schedule) -> None:
        stepped.zero_grad()
        parameter.square().sum().backward()
        stepped.step()
        rate.step()

    for stop in (0, 2, 5):  # before, within and after the rise
        first, again = made(), made()
        for _ in range(stop):
            go(*first)
        tensors, rest = optimizer_state(first[1])
        tensors = {name: value.clone() for name, value in tensors.items()}
        rest, rate = json.loads(json.dumps([rest, first[2].state()]))
        with torch.no_grad():
            again[0].copy_(first[0])
        load_optimizer_state(again[1], tensors, rest)
        again[2].load_state(rate)
        for _ in range(12 - stop):
            go(*first)
            go(*again)
        assert torch.equal(first[0], again[0])
        assert [g["lr"] for g in first[1].param_groups] == [g["lr"] for g in again[1].param_groups]
