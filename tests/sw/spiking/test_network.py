"""Spiking networks: in eval mode the golden model's spikes, one by one; in training they learn."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from support.models import small
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import BernoulliInput, Identity
from spikeloom.sw.quantized import initialise, prepare, settle
from spikeloom.sw.quantized.prepared import META
from spikeloom.sw.quantized.weights import weights_of
from spikeloom.sw.spiking import SpikingNetwork, spiking

SHAPE = (2, 6, 6)


def plain(act: type[nn.Module] = nn.ReLU) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        act(),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 5, 3, padding=1),
        act(),
        nn.Flatten(),
        nn.Linear(45, 6),
        act(),
        nn.Linear(6, 3),
    )


def make(structure: str, signed: bool = False, **choices: Any) -> fx.GraphModule:
    torch.manual_seed(5)
    act = nn.LeakyReLU if signed else nn.ReLU
    model = {"plain": plain, "residual": small.Residual}[structure](act)
    return small.prepared(small.normed(model, SHAPE), SHAPE, **choices)


def assert_equal(network: SpikingNetwork, images: np.ndarray[Any, Any]) -> None:
    """Compare all spikes, of which there must be some in every layer, and the labels.

    Where the current is constant and only counts are read, absorption gives the counts only.
    """
    made = convert(network)
    golden = Golden(made).run(images, trace=True)
    assert golden.trace is not None
    scale = float(network.coding.input_scale / network.coding.input.unit)
    logits, spikes = network.eval().run(torch.from_numpy(images).double() * scale)
    assert spikes.keys() == golden.counts.keys()
    for name, fired in spikes.items():
        expected = golden.trace[name].spikes
        layer = network.coding.layers[name]
        if layer.counted and layer.constant:
            fired, expected = fired.sum(0), expected.sum(0)
        different = int((fired.long() != expected).sum())
        assert different == 0, f"{different} of {expected.numel()} spikes of {name} differ"
        assert bool((expected != 0).any())
    assert torch.equal(logits.argmax(1), golden.labels)


@pytest.mark.parametrize("structure", ["plain", "residual"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"neuron": "if"},
        {"neuron": "dual", "timesteps": 3},
        {"neuron": "burst"},
        {"neuron": "burst", "largest": 3, "timesteps": 5, "tau": 4},
        {"transport": "spikes"},
        {"transport": "spikes", "neuron": "dual"},
        {"transport": "spikes", "neuron": "dual", "timesteps": 7},
        {"transport": "spikes", "neuron": "burst", "largest": 2, "timesteps": 4},
        {"transport": "spikes", "neuron": "burst", "largest": 3, "timesteps": 6, "tau": 2},
        {"transport": "spikes", "neuron": {"default": "dual", "last": "burst"}, "timesteps": 4},
    ],
)
def test_every_spike_is_the_golden_models(structure: str, options: dict[str, Any]) -> None:
    network = spiking(make(structure), **options)
    assert_equal(network, small.random_images(24, SHAPE))


def disturb(network: SpikingNetwork, *what: str, per: str = "channel") -> SpikingNetwork:
    """Free parameters and move them: starts to anywhere, beyond the limits too."""
    torch.manual_seed(11)
    network.free(*what, per=per)
    for name, parameter in network.named_parameters():
        if name.endswith("start_share"):
            nn.init.uniform_(parameter, -0.2, 1.2)
        elif name.endswith("threshold_gain"):
            nn.init.normal_(parameter, std=0.3)
    return network


@pytest.mark.parametrize("structure", ["plain", "residual"])
@pytest.mark.parametrize("what", [("start",), ("threshold",), ("start", "threshold")])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"neuron": "if"},
        {"neuron": "burst", "largest": 3, "timesteps": 5, "tau": 4},
        {"transport": "spikes", "timesteps": 2},
        {"transport": "spikes", "neuron": "dual", "timesteps": 7},
        {"transport": "spikes", "neuron": "burst", "largest": 2, "timesteps": 4},
        {"transport": "spikes", "neuron": "burst", "largest": 3, "timesteps": 6, "tau": 2},
    ],
)
def test_every_spike_of_what_was_freed(
    structure: str, what: tuple[str, ...], options: dict[str, Any]
) -> None:
    network = disturb(spiking(make(structure), **options), *what)
    assert_equal(network, small.random_images(24, SHAPE))


def test_one_parameter_per_layer() -> None:
    network = spiking(make("residual"), transport="spikes", neuron="dual")
    assert {p.shape for p in network.free("start", "threshold", per="layer")} == {(1,)}
    assert_equal(disturb(network, "start", "threshold"), small.random_images(24, SHAPE))


@pytest.mark.parametrize("transport", ["count", "spikes"])
def test_signed_thresholds_can_be_freed(transport: str) -> None:
    network = spiking(make("plain", signed=True), transport=transport)
    with pytest.raises(ConfigError, match="signed neurons have no start to free"):
        network.free("start")
    disturb(network, "start", "threshold")
    assert all("start" not in name for name, _ in network.named_parameters())
    assert_equal(network, small.random_images(24, SHAPE))


def test_nothing_changes_by_being_freed() -> None:
    images = torch.from_numpy(small.random_images(24, SHAPE)).double() / 16
    tried: list[dict[str, Any]] = [{}, {"neuron": "burst", "tau": 4}]
    for options in tried:
        network = spiking(make("plain"), transport="spikes", **options).eval()
        before = network.run(images)
        freed = network.free("start", "threshold")
        # Weights first, in each of the three layers; what is free already stays.
        assert [tuple(p.shape) for p in freed] == [(4,), (4,), (5,), (5,), (6,), (6,)]
        assert [id(p) for p in network.free("start", "threshold")] == [id(p) for p in freed]
        after = network.run(images)
        assert torch.equal(before[0], after[0])
        assert all(torch.equal(before[1][name], after[1][name]) for name in before[1])


def test_unknown_freedoms() -> None:
    network = spiking(make("plain"))
    with pytest.raises(ConfigError, match="can free start or threshold or negative, not 'bias'"):
        network.free("bias")
    with pytest.raises(ConfigError, match="can free channel or layer, not 'neuron'"):
        network.free("start", per="neuron")


@pytest.mark.parametrize("per", ["channel", "layer"])
def test_options_and_state_make_it_anew(per: str) -> None:
    options: dict[str, Any] = {
        "transport": "spikes",
        "neuron": {"default": "dual", "last": "burst"},
        "timesteps": 5,
        "tau": None,
        "input_shape": SHAPE,
    }
    network = disturb(spiking(make("residual"), **options), "start", "threshold", per=per)
    assert "tau" not in network.options
    restored = json.loads(json.dumps(network.options))
    assert restored == network.options
    # Through a file, which holds every tensor once.
    state = safetensors.torch.load(safetensors.torch.save(network.state_dict()))
    other = make("residual")
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    again = spiking(other, **restored)
    again.load_state_dict(state)
    assert convert(again).digest == convert(network).digest
    assert convert(again).digest != convert(spiking(make("residual"), **options)).digest


def test_states_that_do_not_fit() -> None:
    network = spiking(make("plain"))
    state = disturb(spiking(make("plain")), "start").state_dict()
    name = next(key for key in state if key.endswith("start_share"))
    with pytest.raises(RuntimeError, match="size mismatch for neurons"):
        network.load_state_dict({**state, name: torch.zeros(99)})
    del state[name]
    with pytest.raises(RuntimeError, match="Missing key"):
        disturb(spiking(make("plain")), "start").load_state_dict(state)


@pytest.mark.parametrize("structure", ["plain", "residual"])
@pytest.mark.parametrize("transport", ["count", "spikes"])
@pytest.mark.parametrize("timesteps", [None, 7])
def test_every_signed_spike_is_the_golden_models(
    structure: str, transport: str, timesteps: int | None
) -> None:
    network = spiking(make(structure, signed=True), transport=transport, timesteps=timesteps)
    assert_equal(network, small.random_images(24, SHAPE))


@pytest.mark.parametrize("alignment", ["repl+aver", "repl+trunc", "aver+trunc", "aver+aver"])
@pytest.mark.parametrize("neuron", ["if", "dual", "burst"])
@pytest.mark.parametrize("structure", ["plain", "residual"])
def test_every_alignment(structure: str, neuron: str, alignment: str) -> None:
    model = make(structure)
    names = list(convert(model).layers)
    steps = {layer.name: t for layer, t in zip(names[:-1], (3, 6, 4, 5), strict=False)}
    network = spiking(
        model, transport="spikes", neuron=neuron, alignment=alignment, timesteps=steps
    )
    kinds = {t for layer in network.coding.layers.values() for t in layer.transports}
    first, _, second = alignment.partition("+")
    expected = {"repl": "replicate", "trunc": "truncate", "aver": "count"}
    assert {expected[first], expected[second]} <= kinds
    assert_equal(network, small.random_images(24, SHAPE))


@pytest.mark.parametrize("options", [{}, {"transport": "spikes", "timesteps": 5}])
def test_inputs_with_a_time_axis(options: dict[str, Any]) -> None:
    torch.manual_seed(1)
    model = small.prepared(plain(), SHAPE)
    network = spiking(model, input="spikes", input_timesteps=5, input_highest=2, **options)
    assert_equal(network, np.random.default_rng(0).integers(0, 3, (24, 5, *SHAPE)))


@pytest.mark.parametrize("options", [{}, {"transport": "spikes", "timesteps": 5}])
@pytest.mark.parametrize("structure", ["plain", "residual"])
def test_pixels_that_become_random_spikes(structure: str, options: dict[str, Any]) -> None:
    network = spiking(
        make(structure), input="bernoulli", input_timesteps=5, input_seed=3, **options
    )
    assert network.coding.input == BernoulliInput(SHAPE, 4, 5, 3)
    images = small.random_images(24, SHAPE)
    assert_equal(network, images)
    assert network.summed(torch.from_numpy(images)).shape == images.shape


@pytest.mark.parametrize("transport", ["count", "spikes"])
def test_training_sees_the_spikes_of_the_contract(transport: str) -> None:
    """A layer of ones adds up what enters: of white pixels, that of every timestep."""
    ones = nn.Linear(4, 1, bias=False)
    nn.init.ones_(ones.weight)
    model = nn.Sequential(nn.Flatten(), ones, nn.ReLU(), nn.Linear(1, 2))
    prepared = small.prepared(model, (1, 2, 2))
    network = spiking(
        prepared, input="bernoulli", input_timesteps=4, transport=transport, timesteps=4
    ).train()
    seen: list[torch.Tensor] = []
    weights_of(prepared, network.specs[0].synapses[0]).register_forward_hook(
        lambda module, given, made: seen.append(given[0])
    )
    pixels = torch.tensor([[[[0, 15], [7, 8]]]])
    network(pixels / 16)
    source = network.coding.input
    spikes = torch.from_numpy(source.carried(pixels.numpy()))[0].flatten(1)
    worth = 15 / 16  # of a spike; of a count, a fourth of it
    expected = spikes.sum(0, keepdim=True) * worth / 4 if transport == "count" else spikes * worth
    assert torch.equal(seen[0], expected.float())
    assert bool(spikes[:, 1].all())


def test_inputs_of_counts() -> None:
    network = spiking(make("plain"), input="count", input_highest=40)
    assert_equal(network, np.random.default_rng(0).integers(0, 41, (24, *SHAPE)))


def test_parameters_are_shared_with_the_prepared_model() -> None:
    model = make("residual")
    network = spiking(model, transport="spikes", neuron="dual")
    assert {id(p) for p in network.parameters()} == {id(p) for p in model.parameters()}


def test_a_shortcut_in_integers() -> None:
    network = convert(make("residual"))
    shortcut = network["conv1"].connections[1].synapses
    assert isinstance(shortcut, Identity)
    assert (shortcut.weight > 1).all()


def test_a_spiking_network_has_its_coding() -> None:
    network = spiking(make("plain"))
    with pytest.raises(ConfigError, match="has its coding already: give timesteps to spiking"):
        convert(network, timesteps=3)


@pytest.mark.parametrize(
    "options",
    [
        {"neuron": "if"},
        {"neuron": "dual"},
        {"neuron": "burst", "largest": 3, "timesteps": 3},
        {"neuron": "burst", "largest": 3, "timesteps": 3, "tau": 2},
    ],
)
def test_training_through_time(options: dict[str, Any]) -> None:
    torch.manual_seed(2)
    data = small.digits("train").head(256)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 10)
    )
    images = torch.from_numpy(data.images).float() * data.scale
    made = prepare(model, input_shape=(1, 8, 8))
    made.meta[META] |= {"input_bits": data.bits, "input_scale": data.scale}
    initialise(made, images)
    network = spiking(made, transport="spikes", **options).train()
    before = [p.detach().clone() for p in network.parameters()]
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(images), data.targets())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    # Every parameter has moved, thresholds included.
    for old, new in zip(before, network.parameters(), strict=True):
        assert not torch.equal(old, new)
    assert_equal(network, data.images[:32])


@pytest.mark.parametrize("tau", [None, 2])
def test_bursts_of_learnable_scale_train_from_scratch(tau: int | None) -> None:
    torch.manual_seed(0)
    data, test = small.digits("train"), small.digits("test")
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    )
    made = prepare(model, input_shape=(1, 8, 8))
    made.meta[META] |= {"input_bits": data.bits, "input_scale": data.scale}
    network = spiking(
        made, transport="spikes", neuron="burst", timesteps=2, largest=4, tau=tau
    ).train()
    images, targets = data.inputs(), data.targets()
    steps = 8 * (len(data) // 64)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        batch = torch.randint(len(data), (64,), generator=generator)
        optimizer.zero_grad()
        functional.cross_entropy(network(images[batch]), targets[batch]).backward()
        if step == 0:
            scales = [p for n, p in network.named_parameters() if n.endswith("log_threshold")]
            assert len(scales) == 2
            assert all(p.grad is not None and p.grad != 0 for p in scales)
        optimizer.step()
        schedule.step()
    # λ, and with it the worth of a spike, has moved from 1.
    assert all(abs(p.item()) > 0.05 for p in scales)
    pixels = torch.from_numpy(test.images).double() * test.scale
    labels = network.eval()(pixels).argmax(1)
    assert torch.equal(labels, Golden(convert(network)).run(test.images).labels)
    assert (labels == test.targets()).double().mean() > 0.93


def test_timesteps_that_are_still_learned() -> None:
    model = prepare(plain(), input_shape=SHAPE, learn="t,alpha")
    model.meta[META] |= {"input_bits": 4, "input_scale": 1 / 16}
    with pytest.raises(UnsupportedError, match=r"still learning its timesteps.*settle\(prepared\)"):
        spiking(model)
    assert spiking(settle(model)).coding.layers["layer_0"].timesteps == 4


def test_signed_networks_train_through_time() -> None:
    model = make("plain", signed=True)
    network = spiking(model, transport="spikes").train()
    images = torch.from_numpy(small.random_images(32, SHAPE)).float() / 16
    functional.cross_entropy(network(images), torch.arange(32) % 3).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).any()), name


class NormedSum(nn.Module):
    """Batch-norm of the sum of two convolutions, in one order or the other."""

    def __init__(self, swapped: bool) -> None:
        super().__init__()
        self.swapped = swapped
        torch.manual_seed(3)
        self.one, self.other = nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3)
        self.norm, self.act, self.out = nn.BatchNorm2d(3), nn.ReLU(), nn.Linear(48, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one, other = self.one(x), self.other(x)
        added = other + one if self.swapped else one + other
        return self.out(self.act(self.norm(added)).flatten(1))


def test_what_is_added_before_a_norm_has_no_order() -> None:
    images = torch.from_numpy(small.random_images(16, SHAPE)).float() / 16
    runs = []
    for swapped in (False, True):
        network = spiking(small.prepared(NormedSum(swapped), SHAPE), transport="spikes").train()
        runs.append(network.run(images))
    (logits, spikes), (expected, fired) = runs
    assert torch.equal(logits, expected)
    # The layer has the name of what comes first.
    assert [*spikes, *fired] == ["one", "other"]
    assert torch.equal(spikes["one"], fired["other"])
    assert spikes["one"].any()


def test_training_and_evaluation_mean_the_same() -> None:
    # One connection per layer: no weight is rounded twice, and only float32 lies between.
    model = make("plain")
    network = spiking(model, transport="spikes", neuron="dual")
    images = torch.from_numpy(small.random_images(24, SHAPE)).double() / 16
    whole, spikes = network.eval().run(images)
    model.double()
    network.train()
    real, fired = network.run(images)
    assert all(torch.equal(spikes[name], fired[name]) for name in spikes)
    assert torch.allclose(whole, real, rtol=1e-5, atol=1e-5)
