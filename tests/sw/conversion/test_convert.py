"""Conversion: the integer network counts and labels as the quantized ANN does, on every image."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import small
from torch import fx, nn

from spikeloom.sw.conversion import ReferenceResult, convert, reference
from spikeloom.sw.errors import ConfigError, ContractError, UnsupportedError
from spikeloom.sw.golden import Golden, Result
from spikeloom.sw.network import Conv2d, Identity, If, Ladder, Logits, MaxPool, Network, SumPool
from spikeloom.sw.quantized import prepare
from spikeloom.sw.training import evaluate

ZOO = ("digits-mlp", "digits-conv", "digits-pool")


def assert_same(got: Result, expected: ReferenceResult) -> None:
    assert got.counts.keys() == expected.counts.keys()
    for name, counts in expected.counts.items():
        different = int((got.counts[name] != counts).sum())
        assert different == 0, f"{different} of {counts.numel()} counts of {name} differ"
    assert torch.equal(got.labels, expected.labels)


@pytest.mark.parametrize("bits", [8, 2])
@pytest.mark.parametrize("neuron", ["ladder", "if"])
@pytest.mark.parametrize("name", ZOO)
def test_identity_5_over_the_whole_test_split(name: str, neuron: str, bits: int) -> None:
    model, test = small.trained(name, bits).model, small.digits("test")
    network = convert(model, neuron=neuron)
    expected = reference(model, test.images, test.scale)
    assert sum(int(counts.sum()) for counts in expected.counts.values()) > 10_000
    assert_same(Golden(network).run(test.images), expected)


@pytest.mark.parametrize("name", ["digits-mlp", "digits-conv"])
def test_random_spikes_are_added_up_to_pixels_of_fewer_steps(name: str) -> None:
    """In count transport, the quantized model is shown the share of timesteps with a spike."""
    model, test = small.trained(name).model, small.digits("test")
    network = convert(model, input="bernoulli", input_timesteps=8, input_seed=1)
    counts = network.input.carried(test.images).sum(1)
    expected = reference(model, counts, test.scale * 31 / 8)
    assert_same(Golden(network).run(test.images), expected)
    plain = Golden(convert(model)).run(test.images).labels
    assert 0.6 < (expected.labels == plain).double().mean() < 1


@pytest.mark.parametrize("name", ZOO)
def test_the_reference_is_the_prepared_model(name: str) -> None:
    trained, test = small.trained(name), small.digits("test")
    result = reference(trained.model, test.images, test.scale)
    right = (result.labels == test.targets()).double().mean().item()
    assert right == pytest.approx(evaluate(trained.model, test), abs=1e-12)
    model = copy.deepcopy(trained.model).double().eval()
    with torch.no_grad():
        logits = model(torch.from_numpy(test.images).double() * test.scale)
    assert torch.allclose(result.logits, logits, rtol=1e-9, atol=1e-9)


def test_logits_are_proportional_to_the_real_ones() -> None:
    model, test = small.trained("digits-conv").model, small.digits("test").head(50)
    network = convert(model)
    got = Golden(network).run(test.images).logits.double()
    expected = reference(model, test.images, test.scale).logits
    ratio = float((got * expected).sum() / expected.square().sum())
    # Half a unit of the biases' last bit, and what keeps their order.
    assert float((got - expected * ratio).abs().max()) <= 4.0


LAYERS = st.sampled_from(
    ["conv", "stride", "bn", "avg", "max", "max-first", "stem", "branch", "wide"]
)


def random_model(parts: list[str], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    channels, size = 2, 8
    for part in parts:
        stride = 2 if part == "stride" else 1
        kernel = 5 if part == "wide" else 3
        conv = nn.Conv2d(channels, 4, kernel, stride, kernel // 2, bias=part != "bn")
        layers.append(conv)
        channels, size = 4, (size - 1) // stride + 1
        if part == "bn":
            norm = nn.BatchNorm2d(4)
            nn.init.normal_(norm.weight)  # negative gains too
            nn.init.normal_(norm.bias)
            norm.running_mean = torch.randn(4)
            norm.running_var = torch.rand(4) + 0.1
            layers.append(norm)
        pools = {"avg": nn.AvgPool2d(2), "max": nn.MaxPool2d(2), "max-first": nn.MaxPool2d(2)}
        # Those of a ResNet's stem and of an Inception's branch.
        pools |= {"stem": nn.MaxPool2d(3, 2, 1), "branch": nn.MaxPool2d(3, 1, 1)}
        tail: list[nn.Module] = [nn.ReLU()]
        if part in pools and size >= 2:
            tail.insert(0 if part == "max-first" else 1, pools[part])
            size = {"stem": (size + 1) // 2, "branch": size}.get(part, size // 2)
        layers += tail
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * size * size, 5))


@settings(max_examples=25)
@given(
    st.lists(LAYERS, min_size=1, max_size=3),
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.integers(2, 8),
    st.sampled_from(["ladder", "if"]),
)
def test_identity_5_for_random_networks(
    parts: list[str], seed: int, timesteps: int, bits: int, neuron: str
) -> None:
    model = small.prepared(
        random_model(parts, seed), (2, 8, 8), timesteps=timesteps, weight_bits=bits
    )
    images = small.random_images(20, (2, 8, 8))
    assert_same(Golden(convert(model, neuron=neuron)).run(images), reference(model, images, 1 / 16))


@settings(max_examples=25)
@given(
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.integers(2, 8),
    st.sampled_from(["ladder", "if", "dual", "burst", "signed"]),
)
def test_identity_5_for_residual_and_depthwise_networks(
    seed: int, timesteps: int, bits: int, neuron: str
) -> None:
    torch.manual_seed(seed)
    signed = neuron == "signed"
    shape = (2, 6, 6)
    net = small.normed(small.Residual(nn.LeakyReLU if signed else nn.ReLU), shape)
    model = small.prepared(net, shape, timesteps=timesteps, weight_bits=bits)
    # Bursts of T spikes at once do in one timestep what the others do in T.
    options: dict[str, Any] = {"largest": timesteps} if neuron == "burst" else {}
    network = convert(model, neuron=neuron, **options)
    assert network.layers[2].timesteps == (1 if neuron == "burst" else timesteps)
    images = small.random_images(20, shape)
    assert_same(Golden(network).run(images), reference(model, images, 1 / 16))


def test_the_parts_of_a_residual_network() -> None:
    torch.manual_seed(1)
    model = small.prepared(small.normed(small.Residual(), (2, 6, 6)), (2, 6, 6))
    network = convert(model, transport="spikes")
    synapses = {x.name: [c.synapses for c in x.connections] for x in network.layers}
    sources = {x.name: [c.source for c in x.connections] for x in network.layers}
    assert isinstance(synapses["depthwise"][0], Conv2d)
    assert synapses["depthwise"][0].groups == 4
    assert sources["conv1"] == ["depthwise", "stem"]
    assert isinstance(synapses["conv1"][1], Identity)
    assert sources["conv2"] == ["conv1", "conv1"]
    assert [s.kernel for s in synapses["conv2"] if isinstance(s, Conv2d)] == [(3, 3), (1, 1)]
    assert network["fc"].connections[0].pool == SumPool((3, 3))


@pytest.mark.parametrize("neuron", ["dual", "burst"])
def test_other_neurons_count_as_the_ann(neuron: str) -> None:
    model, test = small.trained("digits-conv").model, small.digits("test")
    network = convert(model, neuron=neuron)
    assert_same(Golden(network).run(test.images), reference(model, test.images, test.scale))


def test_dual_neurons_correct_what_if_neurons_cannot() -> None:
    model, test = small.trained("digits-conv").model, small.digits("test")
    expected = reference(model, test.images, test.scale).counts["conv3"]
    off = {}
    for neuron in ("if", "dual"):
        network = convert(model, transport="spikes", neuron=neuron)
        counts = Golden(network).run(test.images).counts["conv3"]
        off[neuron] = int((counts - expected).abs().sum())
    assert off["dual"] < off["if"] / 2


def test_the_parts_of_a_network() -> None:
    network = convert(small.trained("digits-pool").model, name="pooled", about={"by": "a test"})
    assert [layer.name for layer in network.layers] == ["conv1", "conv2", "fc"]
    conv1, conv2, fc = network.layers
    assert (network.name, network.about["by"]) == ("pooled", "a test")
    assert network.about["accuracy"].keys() == {"float", "quantized"}
    assert network.input.shape == (1, 8, 8)
    assert [layer.timesteps for layer in network.layers] == [4, 4, 1]
    assert conv1.connections[0].pool is None
    assert conv2.connections[0].pool == MaxPool((2, 2))
    assert fc.connections[0].pool == SumPool((2, 2))
    assert isinstance(conv1.connections[0].synapses, Conv2d)
    assert conv1.connections[0].synapses.padding == (1, 1)
    assert [type(layer.neuron) for layer in network.layers] == [Ladder, Ladder, Logits]


@pytest.mark.parametrize("ceil", [False, True])
def test_max_pools_that_overlap(ceil: bool) -> None:
    """The pool is the same ahead of the activation and behind it, of counts of both signs."""
    torch.manual_seed(3)
    convs = [nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 4, 2)]
    pools = [nn.MaxPool2d(3, 2, 1, ceil_mode=ceil), nn.MaxPool2d(3, 2, ceil_mode=ceil)]
    model = nn.Sequential(
        *(convs[0], nn.LeakyReLU(0.25), pools[0]),
        *(convs[1], pools[1], nn.ReLU(), nn.Flatten()),
        nn.LazyLinear(5),
    )
    model(torch.zeros(1, 2, 13, 12))
    prepared = small.prepared(model, (2, 13, 12))
    network = convert(prepared)
    assert [network.layers[k].connections[0].pool for k in (1, 2)] == [
        MaxPool((3, 3), (2, 2), (1, 1), ceil),
        MaxPool((3, 3), (2, 2), ceil=ceil),
    ]
    images = small.random_images(40, (2, 13, 12))
    result = Golden(network).run(images)
    assert_same(result, reference(prepared, images, 1 / 16))
    assert bool((result.counts[network.layers[0].name] < 0).any())
    assert torch.equal(prepared(torch.from_numpy(images) / 16).argmax(1), result.labels)


def test_conversion_is_deterministic() -> None:
    model = small.trained("digits-conv").model
    assert convert(model).digest == convert(copy.deepcopy(model)).digest


def test_spikes_from_the_input_count_exactly() -> None:
    # Its current is constant, so the first layer's counts are those of the ANN even with spikes.
    model, test = small.trained("digits-conv").model, small.digits("test")
    network = convert(model, transport="spikes")
    assert [c.transport for layer in network.layers for c in layer.connections] == [
        "count",
        "spikes",
        "spikes",
        "spikes",
    ]
    assert [layer.timesteps for layer in network.layers] == [4, 4, 4, 4]
    assert all(isinstance(layer.neuron, If) for layer in network.layers[:-1])
    got, expected = Golden(network).run(test.images), reference(model, test.images, test.scale)
    assert torch.equal(got.counts["conv1"], expected.counts["conv1"])


@pytest.mark.parametrize("name", ["digits-mlp", "digits-conv"])
def test_spikes_come_close_to_the_ann_as_timesteps_grow(name: str) -> None:
    model, test = small.trained(name).model, small.digits("test")
    expected = reference(model, test.images, test.scale)
    agreement = []
    for timesteps in (4, 64):
        network = convert(model, transport="spikes", timesteps=timesteps)
        labels = Golden(network).run(test.images).labels
        agreement.append((labels == expected.labels).double().mean().item())
    assert agreement[0] > 0.7
    assert agreement[1] > 0.8


@pytest.mark.parametrize("neuron", ["ladder", "if"])
def test_other_timesteps_than_in_training(neuron: str) -> None:
    model, test = small.trained("digits-conv").model, small.digits("test")
    network = convert(model, neuron=neuron, timesteps={"conv1": 8, "default": 16})
    assert [layer.timesteps for layer in network.layers] == [8, 16, 16, 1]
    labels = Golden(network).run(test.images).labels
    expected = reference(model, test.images, test.scale).labels
    assert (labels == expected).double().mean().item() > 0.9


def test_both_neurons_agree_at_other_timesteps() -> None:
    model, test = small.trained("digits-mlp").model, small.digits("test")
    results = [
        Golden(convert(model, neuron=neuron, timesteps=3)).run(test.images)
        for neuron in ("ladder", "if")
    ]
    assert torch.equal(results[0].logits, results[1].logits)


def with_gains(gains: list[float]) -> fx.GraphModule:
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(1, len(gains), 3), nn.BatchNorm2d(len(gains)), nn.ReLU(), nn.Flatten()
    )
    model[1].weight = nn.Parameter(torch.tensor(gains))
    model[1].bias = nn.Parameter(torch.linspace(0.1, 0.4, len(gains)))
    model.append(nn.Linear(len(gains) * 4, 3))
    prepared = small.prepared(model, (1, 4, 4))
    activation: Any = prepared.get_submodule("activations.layer_0")
    activation.set_threshold(0.5)
    return prepared


@pytest.mark.parametrize("neuron", ["ladder", "if"])
def test_gains_of_zero_and_below(neuron: str) -> None:
    model = with_gains([1.0, -1.0, 0.0, 1e-12, -3.0, 0.0])
    network = convert(model, neuron=neuron)
    weight = network.layers[0].connections[0].synapses.weight
    quantized: Any = model.get_submodule("0")
    original = quantized.int_weight()
    assert np.array_equal(weight[0], original[0])
    assert np.array_equal(weight[1], -original[1])
    assert not weight[[2, 3, 5]].any()
    images = small.random_images(30, (1, 4, 4))
    assert_same(Golden(network).run(images), reference(model, images, 1 / 16))


@pytest.mark.filterwarnings("ignore:every threshold λ is still 1")  # on purpose
@pytest.mark.parametrize("transport", ["count", "spikes"])
def test_channels_that_never_or_always_fire_lose_their_weights(transport: str) -> None:
    torch.manual_seed(0)
    first = nn.Linear(4, 3)
    model = nn.Sequential(first, nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        first.bias.copy_(torch.tensor([-100.0, 0.1, 100.0]))
    prepared = small.prepared(model, (4,))
    activation: Any = prepared.get_submodule("activations.layer_0")
    activation.set_threshold(0.9)
    network = convert(prepared, transport=transport)
    weight = network.layers[0].connections[0].synapses.weight
    assert [bool(row.any()) for row in weight] == [False, True, False]
    images = small.random_images(40, (4,))
    counts = Golden(network).run(images).counts["layer_0"]
    assert torch.equal(counts, reference(prepared, images, 1 / 16).counts["layer_0"])
    assert counts[:, 0].max() == 0
    assert counts[:, 2].min() == 4


def test_a_model_of_one_layer() -> None:
    model = small.prepared(nn.Linear(6, 3), (6,))
    network = convert(model)
    images = small.random_images(40, (6,))
    assert [type(layer.neuron) for layer in network.layers] == [Logits]
    assert_same(Golden(network).run(images), reference(model, images, 1 / 16))
    assert convert(model, transport="spikes") == network


def test_networks_survive_their_file(tmp_path: Any) -> None:
    from spikeloom.sw.network import load, save

    network: Network = convert(small.trained("digits-conv").model)
    save(network, tmp_path / "net.safetensors")
    assert load(tmp_path / "net.safetensors") == network


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transport": "both"}, "transport must be count or spikes, not 'both'"),
        ({"neuron": "lif"}, "neuron must be burst or dual or if or ladder or signed, not 'lif'"),
        ({"neuron": "ladder", "transport": "spikes"}, "'ladder' neurons take no spikes transport"),
        ({"timesteps": 0}, "timesteps of layer 'fc1' must be an integer from 1 to 4096, not 0"),
        ({"timesteps": {"fc7": 1}}, "timesteps names 'fc7', but the layers are fc1, fc2"),
        ({"transport": "spikes", "timesteps": {"fc1": 2}}, "equal timesteps in all layers, not"),
        ({"input_scale": 0.0}, r"input_scale must be positive and finite, not 0\.0"),
        ({"fraction_bits": 3}, "'ladder' neurons have no fraction bits"),
    ],
)
def test_options_that_cannot_be_met(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        convert(small.trained("digits-mlp").model, **options)


def test_max_pools_of_spikes() -> None:
    with pytest.raises(UnsupportedError, match=r"'conv2' reads 'conv1' through a max-pool.* count"):
        convert(small.trained("digits-pool").model, transport="spikes")


def test_a_model_that_is_not_prepared() -> None:
    with pytest.raises(UnsupportedError, match="Linear has not been prepared"):
        convert(nn.Linear(4, 2))


def test_inputs_must_be_known() -> None:
    model = prepare(nn.Linear(4, 2), input_shape=(4,))
    with pytest.raises(ConfigError, match="input_bits is not known"):
        convert(model)
    with pytest.raises(ConfigError, match="input_scale is not known"):
        convert(model, input_bits=4)
    assert convert(model, input_bits=4, input_scale=1 / 15).input.values().high == 15


def test_an_input_shape_that_does_not_chain() -> None:
    with pytest.raises(ContractError, match="layer 'fc1'"):
        convert(small.trained("digits-mlp").model, input_shape=(1, 9, 9))


def test_training_that_diverged() -> None:
    model = small.prepared(nn.Linear(4, 2), (4,))
    with torch.no_grad():
        model.get_parameter("layer.bias").fill_(float("nan"))
    with pytest.raises(UnsupportedError, match="not finite: its training has diverged"):
        convert(model)
