"""Calibration: it helps, changes only what it may, and integers follow."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from support.models import small
from torch import nn

from spikeloom.sw.calibration import Loss, Weighting, calibrate
from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import ConfigError, DataError, UnsupportedError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Signed
from spikeloom.sw.quantized import SignedQCFS, prepare
from spikeloom.sw.spiking import SpikingNetwork, spiking
from spikeloom.sw.spiking.neurons import SignedNeuron
from spikeloom.sw.spiking.surrogates import DEFAULT, Surrogate, surrogate_named

CODING: dict[str, Any] = {"transport": "spikes", "timesteps": 2}


def network(**options: Any) -> SpikingNetwork:
    model = copy.deepcopy(small.trained("digits-mlp").prepared)
    return spiking(model, **{**CODING, **options})


def images(count: int = 128) -> torch.Tensor:
    return small.digits("train").head(count).inputs()


def check_integers(made: SpikingNetwork) -> None:
    """Check that the integer network has the labels that were calibrated."""
    test = small.digits("test")
    labels = Golden(convert(made)).run(test.images).labels
    pixels = torch.from_numpy(test.images).double() * test.scale
    assert torch.equal(made.eval()(pixels).argmax(1), labels)


def test_labels_come_closer_to_the_quantized_models() -> None:
    model = copy.deepcopy(small.trained("digits-residual").prepared)
    test = small.digits("test").inputs().double()
    labels = copy.deepcopy(model).double()(test).argmax(1)
    made = spiking(model, **CODING).eval()

    def agreement() -> float:
        return float((made(test).argmax(1) == labels).double().mean())

    before = agreement()
    history = calibrate(made, images(), epochs=6, batch_size=16)
    assert history[-1] < 0.8 * history[0]
    assert agreement() > before + 0.03
    check_integers(made)


@pytest.mark.parametrize("neuron", ["if", "dual", "burst"])
def test_only_what_is_learned_changes(neuron: str) -> None:
    made = network(neuron=neuron)
    before = copy.deepcopy(made.prepared.state_dict())
    calibrate(made, images(64), epochs=2, learn=("threshold",))
    assert all(torch.equal(v, before[k]) for k, v in made.prepared.state_dict().items())
    names = {name.rpartition(".")[2] for name, _ in made.neurons.named_parameters()}
    assert names == {"threshold_gain"}
    assert all(bool((p != 0).any()) for p in made.neurons.parameters())
    # What an optimizer of the user's would see is as it was.
    assert all(p.requires_grad and p.grad is None for p in made.parameters())
    assert not made.training
    check_integers(made)


def test_weights_can_be_learned_and_scales_stay() -> None:
    made = network()
    before = copy.deepcopy(made.prepared.state_dict())
    calibrate(made, images(64), epochs=1, learn=("weights",))
    assert not list(made.neurons.parameters())
    changed = {k for k, v in made.prepared.state_dict().items() if not torch.equal(v, before[k])}
    assert {"fc1.weight", "fc1.bias", "fc3.weight"} <= changed
    assert not any("log_threshold" in name for name in changed)


def test_batch_norm_stays_as_it_is() -> None:
    model = copy.deepcopy(small.trained("digits-residual").prepared)
    before = copy.deepcopy(model.state_dict())
    calibrate(spiking(model, **CODING), images(32), epochs=1)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


@pytest.mark.parametrize("loss", list(Loss.kinds))
@pytest.mark.parametrize("weighting", list(Weighting.kinds))
def test_every_loss_and_weighting(loss: str, weighting: str) -> None:
    made = network()
    history = calibrate(made, images(64), epochs=2, loss=loss, weighting=weighting)
    assert len(history) == 2
    assert all(0 < value < 10 for value in history)
    # What the output layer says of a layer's neurons reaches all of them.
    assert all(bool((p != 0).any()) for p in made.neurons.parameters())


def test_signed_neurons_learn_their_thresholds() -> None:
    torch.manual_seed(0)
    shape = (2, 6, 6)
    made = spiking(
        small.prepared(small.normed(small.Residual(nn.LeakyReLU), shape), shape), **CODING
    )
    pixels = torch.from_numpy(small.random_images(64, shape)).float() / 16
    calibrate(made, pixels, epochs=1, loss="kl", weighting="cosine")
    names = {name.rpartition(".")[2] for name, _ in made.neurons.named_parameters()}
    assert names == {"threshold_gain"}
    assert all(bool((p != 0).any()) for p in made.neurons.parameters())


def test_runs_can_be_repeated() -> None:
    digests = set()
    for seed in (0, 0, 1):
        made = network()
        calibrate(made, images(64), epochs=1, batch_size=16, seed=seed)
        digests.add(convert(made).digest)
    assert len(digests) == 2


def test_a_teacher_of_the_users() -> None:
    # A teacher that says the opposite is followed.
    class Opposite(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return -10 * torch.ones(len(x), 10) + 20 * (torch.arange(10) == 3)

    made = network()
    calibrate(made, images(), epochs=8, lr=0.1, teacher=Opposite())
    test = small.digits("test")
    labels = made(test.inputs().double()).argmax(1)
    assert (labels == 3).float().mean() > 0.2
    with pytest.raises(UnsupportedError, match="Opposite has not been prepared"):
        calibrate(network(), images(8), epochs=1, teacher=Opposite(), weighting="uniform")
    other = prepare(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.ReLU(), nn.Linear(9, 10)),
        input_shape=(1, 8, 8),
    )
    with pytest.raises(ConfigError, match="the teacher fires in the layers layer_1, and the netw"):
        calibrate(network(), images(8), epochs=1, teacher=other, weighting="cosine")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"lr": 0.0}, "the learning rate must be positive, not 0.0"),
        ({"learn": ("bias",)}, "can learn start, threshold, negative, weights, not 'bias'"),
        ({"learn": ()}, "there is nothing to learn"),
        ({"per": "net"}, "can free channel or layer, not 'net'"),
        ({"loss": "l1"}, "no loss is called 'l1'; there are mse, kl"),
        ({"weighting": "last"}, "no weighting is called 'last'; there are output, uniform"),
    ],
)
def test_options_that_cannot_be_met(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        calibrate(network(), images(8), **options)


def test_no_images() -> None:
    with pytest.raises(DataError, match="no images to calibrate with"):
        calibrate(network(), images(8)[:0])


def test_layer_by_layer_each_learns_in_its_turn_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = network()
    names = [n for n, _ in made.neurons.named_modules() if n]
    assert names == ["fc1", "fc2"]
    moved: list[set[str]] = []
    rates: list[float] = []
    before: dict[str, torch.Tensor] = {}
    step = torch.optim.Adam.step

    def look(self: torch.optim.Adam, *args: Any) -> Any:
        done = step(self, *args)
        now = {k: p.detach().clone() for k, p in made.named_parameters()}
        moved.append({k for k, x in now.items() if k in before and not torch.equal(x, before[k])})
        before.update(now)
        rates.append(self.param_groups[0]["lr"])
        return done

    monkeypatch.setattr(torch.optim.Adam, "step", look)
    teacher = copy.deepcopy(made.prepared)
    # 8 steps: of two layers, each has 4.
    calibrate(made, images(64), teacher=teacher, epochs=4, weighting="layerwise", lr=0.1)
    kinds = ("start_share", "threshold_gain")
    first, second = ({f"neurons.{n}.{k}" for k in kinds} for n in names)
    assert moved == [set(), *[first] * 3, *[second] * 4]
    expected = [0.1 * (0.5 + 0.5 * math.cos(math.pi * k / 4)) for k in range(4)]
    assert rates == pytest.approx(expected * 2)
    check_integers(made)
    # With weights, the output layer has a turn, too: 3 of 9 steps.
    moved.clear()
    calibrate(made, images(96), epochs=3, weighting="layerwise", learn=("weights",))
    assert moved[1:4] == [{"prepared.fc1.weight", "prepared.fc1.bias"}] * 2 + [
        {"prepared.fc2.weight", "prepared.fc2.bias"}
    ]
    assert moved[-1] == {"prepared.fc3.weight", "prepared.fc3.bias"}


def test_negative_thresholds_learn_apart() -> None:
    torch.manual_seed(0)
    shape = (2, 6, 6)
    model = small.prepared(small.normed(small.Residual(nn.LeakyReLU), shape), shape)
    made = spiking(model, **CODING)
    pixels = torch.from_numpy(small.random_images(64, shape)).float() / 16
    calibrate(made, pixels, epochs=1, lr=0.05, learn=("negative",), weighting="uniform")
    parameters = dict(made.neurons.named_parameters())
    assert {name.rpartition(".")[2] for name in parameters} == {"negative_gain"}
    assert all(bool((p != 0).any()) for p in parameters.values())
    network = convert(made)
    plain = convert(spiking(copy.deepcopy(model), **CODING))
    for layer, other in zip(network.layers[:-1], plain.layers[:-1], strict=True):
        gains = parameters[f"{layer.name}.negative_gain"].detach().double().exp().numpy()
        ours, theirs = layer.neuron, other.neuron
        assert isinstance(ours, Signed)
        assert isinstance(theirs, Signed)
        assert ours.amplitudes == theirs.amplitudes
        # N over P, which fraction bits do not change, grows by the gain.
        sizes = [neuron.negative_threshold / neuron.threshold for neuron in (ours, theirs)]
        assert sizes[0] / sizes[1] == pytest.approx(gains, rel=0.05)
    images = small.random_images(32, shape)
    labels = Golden(network).run(images).labels
    assert torch.equal(made(torch.from_numpy(images).double() / 16).argmax(1), labels)
    again = spiking(copy.deepcopy(model), **CODING)
    again.load_state_dict(made.state_dict())
    assert convert(again).digest == network.digest


def test_a_freed_negative_threshold_begins_where_it_was() -> None:
    for free in (("threshold", "negative"), ("negative", "threshold")):
        neuron = SignedNeuron(SignedQCFS(4, 2.0, 0.25), channels=3)
        currents = torch.randn(4, 5, 3, dtype=torch.float64)
        neuron.free(free[0])
        with torch.no_grad():
            next(iter(neuron.parameters())).fill_(0.3)
        before = neuron(currents)
        neuron.free(*free)
        assert torch.equal(neuron(currents), before)


@pytest.mark.parametrize("name", ["sigmoid", "relsg-et"])
def test_surrogates_of_a_calibration(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = network()
    used: list[Surrogate] = []
    real = SpikingNetwork.use

    def use(self: SpikingNetwork, surrogate: Surrogate) -> None:
        used.append(surrogate)
        real(self, surrogate)

    monkeypatch.setattr(SpikingNetwork, "use", use)
    options: dict[str, Any] = {"beta": 2}
    if name == "sigmoid":
        options = {"kappa": (2, 3), "kappa_epochs": (0, 2)}
    given = surrogate_named(name, **options)
    calibrate(made, images(32), epochs=3, surrogate=given)
    assert used == [given.at(epoch) for epoch in range(3)] + [DEFAULT]
    with pytest.raises(ConfigError):
        surrogate_named(name, **({"beta": 1} if name == "sigmoid" else {"kappa": (1,)}))
