"""Networks for other tasks than one class of several: signs, several labels and real values."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, fx, nn

from spikeloom.sw.conversion import convert
from spikeloom.sw.golden import Golden
from spikeloom.sw.inference import run
from spikeloom.sw.network import Network
from spikeloom.sw.quantized import check, initialise, prepare
from spikeloom.sw.tasks import Values, of_network

PIXELS = torch.randint(0, 256, (200, 1, 4, 4), generator=torch.Generator().manual_seed(1))


def prepared_for(task: str | None, outputs: int, *end: nn.Module) -> fx.GraphModule:
    torch.manual_seed(0)
    last = nn.Linear(12, outputs)
    body = nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), last)
    with torch.no_grad():  # so that signs differ from image to image
        last.bias.copy_(last.bias - body(PIXELS / 255).mean(0))
    model = prepare(nn.Sequential(*body, *end), input_shape=(1, 4, 4), task=task)
    initialise(model, PIXELS / 255)
    return model


def converted(model: nn.Module) -> Network:
    return convert(model, input_bits=8, input_scale=1 / 255, check=PIXELS)


def real_outputs(model: nn.Module) -> Tensor:
    with torch.no_grad():
        outputs: Tensor = copy.deepcopy(model).double().eval()(PIXELS.double() / 255)
    return outputs


@pytest.mark.parametrize(("task", "outputs"), [("classes", 1), ("labels", 3)])
def test_signs_are_those_of_the_prepared_model(task: str, outputs: int) -> None:
    model = prepared_for(task, outputs)
    network = converted(model)
    assert network.about["task"] == {"kind": task}
    assert network.about["agreement"]["network_as_prepared"] == len(PIXELS)
    found = run(PIXELS, network)
    wanted = real_outputs(model) > 0
    assert 0 < int(wanted[:, 0].sum()) < len(PIXELS)
    assert torch.equal(found.decisions > 0, wanted[:, 0] if task == "classes" else wanted)
    if task == "classes":
        assert set(found.labels.tolist()) == {0}  # the contract's
        assert found.accuracy(wanted[:, 0].long()) == 1
        assert found.report(wanted[:, 0].long())["balanced_accuracy"] == 1
    else:
        assert found.accuracy(wanted.float()) == 1
        assert found.report(wanted.float())["mean_f1"] == 1


@pytest.mark.parametrize("transport", ["count", "spikes"])
def test_values_are_those_of_the_prepared_model(transport: str) -> None:
    model = prepared_for("values", 2)
    network = convert(model, input_bits=8, input_scale=1 / 255, transport=transport)
    task = of_network(network.about)
    assert isinstance(task, Values)
    found = run(PIXELS, network)
    error = (found.decisions - real_outputs(model)).abs().max()
    assert float(error) <= task.factor * (0.5001 if transport == "count" else 4)
    assert torch.equal(found.decisions, task.decide(Golden(network).run(PIXELS).logits))
    assert found.accuracy(real_outputs(model)) > 0.9999
    assert found.report(real_outputs(model))["r2"] == pytest.approx([1, 1], abs=1e-4)


def test_a_network_whose_largest_logit_decides_says_nothing() -> None:
    for task in (None, "classes"):
        network = converted(prepared_for(task, 3))
        assert "task" not in network.about
    found = run(PIXELS, network)
    assert found.task is None
    assert torch.equal(found.decisions, found.labels)


def test_the_task_says_what_an_end_may_be() -> None:
    converted(prepared_for("labels", 3, nn.Sigmoid()))
    for task, end, reason in (
        ("values", nn.Sigmoid(), "changes the values, so it cannot be left out: remove it"),
        ("values", nn.Softmax(1), "makes outputs shares of one whole, but they are values"),
        ("labels", nn.Softmax(1), "but they are labels that do not exclude each other"),
    ):
        layers = nn.Flatten(), nn.Linear(16, 2), end
        bad = [r for r in check(nn.Sequential(*layers), (1, 4, 4), task) if not r.supported]
        assert [reason in str(report) for report in bad] == [True]


def test_one_logit_needs_a_task() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    (bad,) = [r for r in check(model, (1, 4, 4)) if not r.supported]
    assert "task='classes' if its sign decides between two classes, or task='values'" in bad.reason
    for task, meant in (
        ("classes", "one logit, whose sign decides"),
        ("values", "values of layer"),
    ):
        assert meant in check(model, (1, 4, 4), task)[-1].reason
