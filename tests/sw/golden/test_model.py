"""The golden model against a naive one, at extremes, and on images that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import naive
from support.networks.strategies import images_for, networks

from spikeloom.sw.errors import ConfigError, DataError, UnsupportedError
from spikeloom.sw.golden import Dynamics, Golden, Result, check_images, lowest_argmax
from spikeloom.sw.network import (
    MAX_WIDTH,
    Burst,
    Connection,
    Conv2d,
    DirectInput,
    Dual,
    If,
    Ladder,
    Layer,
    Linear,
    Logits,
    MaxPool,
    Network,
    SpikeInput,
    SumPool,
)

DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]


def as_array(values: list[naive.Map], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return np.array([[v[i] for i in sorted(v)] for v in values]).reshape(-1, *shape)


def assert_equals_naive(network: Network, images: np.ndarray[Any, Any], result: Result) -> None:
    assert result.trace is not None
    output = network.output.name
    for n, image in enumerate(images):
        expected = naive.run(network, image.tolist())
        for layer in network.layers:
            shape = network.shapes[layer.name]
            for part in ("currents", "spikes", "potentials"):
                got = getattr(result.trace[layer.name], part)[:, n]
                want = as_array(getattr(expected[layer.name], part), shape)
                np.testing.assert_array_equal(got, want, f"{part} of {layer.name}, image {n}")
            if layer.neuron.fires:
                want = as_array([expected[layer.name].count()], shape)[0]
                np.testing.assert_array_equal(result.counts[layer.name][n], want)
        logits = expected[output].potentials[-1]
        assert result.logits[n].tolist() == [logits[i] for i in sorted(logits)]
        assert result.labels[n] == naive.label(logits)


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=150)
@given(st.data(), networks(min_layers=1))
def test_every_value_equals_the_naive_model(
    device: str, data: st.DataObject, network: Network
) -> None:
    images = data.draw(images_for(network, count=2))
    assert_equals_naive(network, images, Golden(network, device).run(images, trace=True))


@settings(max_examples=60)
@given(st.data(), networks())
def test_values_stay_in_the_proven_ranges(data: st.DataObject, network: Network) -> None:
    images = data.draw(images_for(network, count=8))
    result = Golden(network).run(images, trace=True)
    assert result.trace is not None
    for layer in network.layers:
        proven, trace = network.ranges[layer.name], result.trace[layer.name]
        before = trace.potentials
        given = layer.neuron.tensors()
        if isinstance(layer.neuron, (If, Dual, Burst)) and "reset_value" not in given:
            axes = [1] * (len(network.shapes[layer.name]) - 1)
            taken = torch.tensor(given.get("reset_amount", given["threshold"])).reshape(-1, *axes)
            before = trace.potentials + trace.spikes * taken
        for values, limits in [
            (trace.currents, proven.accumulator),
            (trace.potentials, proven.potential),
            (before, proven.potential),
            (trace.spikes, proven.spike),
            (trace.spikes.sum(0), proven.count),
        ]:
            assert int(values.min()) in limits
            assert int(values.max()) in limits


@settings(max_examples=40)
@given(st.data(), networks())
def test_an_image_does_not_depend_on_its_batch(data: st.DataObject, network: Network) -> None:
    images = data.draw(images_for(network, count=5))
    golden = Golden(network)
    together = golden.run(images, trace=True)
    apart = golden.run(images, trace=True, batch_size=2)
    backwards = golden.run(images[::-1], batch_size=3)
    assert torch.equal(together.logits, apart.logits)
    assert torch.equal(together.logits, backwards.logits.flip(0))
    assert torch.equal(together.labels, apart.labels)
    assert together.trace is not None
    assert apart.trace is not None
    for name, trace in together.trace.items():
        for part in ("currents", "spikes", "potentials"):
            assert torch.equal(getattr(trace, part), getattr(apart.trace[name], part))
    for name, count in together.counts.items():
        assert torch.equal(count, backwards.counts[name].flip(0))
        assert torch.equal(count, together.trace[name].spikes.sum(0))


@pytest.mark.parametrize("device", DEVICES)
def test_sums_at_the_limit_of_the_contract_are_exact(device: str) -> None:
    # Terms that all are odd multiples of large numbers: a sum in less than 48 bits would round.
    weight = np.array([[2**31 - 1, 2**31 - 1, 1], [-(2**31), -(2**31), -1]])
    bits = MAX_WIDTH - 34
    network = Network(
        DirectInput((3,), bits),
        (Layer("out", 1, Logits(np.array([0, 0]), fraction_bits=0), (count("input", weight),)),),
    )
    assert network.ranges["out"].accumulator.width >= MAX_WIDTH - 2
    high = 2**bits - 1
    result = Golden(network, device).run([[high, high, high], [high, high - 1, 1]])
    assert result.logits.tolist() == [
        [2 * high * (2**31 - 1) + high, -2 * high * 2**31 - high],
        [(2 * high - 1) * (2**31 - 1) + 1, -(2 * high - 1) * 2**31 - 1],
    ]


@pytest.mark.parametrize("weight", [127, -127, -128])
@pytest.mark.parametrize("threshold", [1, 2**47 - 1])
def test_extreme_weights_and_thresholds(weight: int, threshold: int) -> None:
    network = Network(
        DirectInput((2, 5, 5), 8),
        (
            Layer(
                "hidden",
                5,
                If(np.array([threshold]), np.array([0]), np.array([0]), fraction_bits=4),
                (
                    Connection(
                        "input", "count", Conv2d(np.full((1, 2, 3, 3), weight), padding=(1, 1))
                    ),
                ),
            ),
            Layer(
                "out",
                5,
                Logits(np.array([0, 0]), fraction_bits=0),
                (Connection("hidden", "spikes", Linear(np.full((2, 25), weight))),),
            ),
        ),
    )
    images = np.stack([np.full((2, 5, 5), 255), np.zeros((2, 5, 5), np.int64)])
    result = Golden(network).run(images, trace=True)
    assert_equals_naive(network, images, result)
    fires = threshold == 1 and weight > 0
    assert result.counts["hidden"][0].tolist() == [[[5 * fires] * 5] * 5]
    assert result.logits.tolist() == [[25 * 5 * fires * weight] * 2, [0, 0]]
    assert result.labels.tolist() == [0, 0]


def test_trace_only_on_request() -> None:
    assert Golden(mlp()).run([[1, 2]]).trace is None


def test_logits_of_a_feature_map_are_flattened_by_channel_then_row() -> None:
    neuron = Logits(np.array([0, 0]), fraction_bits=0)
    synapses = Conv2d(np.array([1, -1]).reshape(2, 1, 1, 1))
    network = Network(
        DirectInput((1, 2, 2), 4),
        (Layer("out", 1, neuron, (Connection("input", "count", synapses),)),),
    )
    result = Golden(network).run([[[[1, 2], [3, 4]]]])
    assert result.logits.tolist() == [[1, 2, 3, 4, -1, -2, -3, -4]]
    assert result.labels.tolist() == [3]


def test_pools_leave_out_what_fills_no_window() -> None:
    image = np.arange(25).reshape(1, 1, 5, 5)
    for pool, expected in [
        (SumPool((2, 3)), [0 + 1 + 2 + 5 + 6 + 7, 10 + 11 + 12 + 15 + 16 + 17]),
        (MaxPool((2, 3)), [7, 17]),
        (MaxPool((5, 3), (1, 2)), [22, 24]),
        (MaxPool((2, 4), (5, 3), (0, 1)), [7, 9]),
        (MaxPool((4, 4), (4, 9), ceil=True), [18, 23]),
    ]:
        connection = Connection("input", "count", Linear(np.eye(2, dtype=np.int64)), pool)
        network = Network(
            DirectInput((1, 5, 5), 5),
            (Layer("out", 1, Logits(np.zeros(2, int), fraction_bits=0), (connection,)),),
        )
        assert Golden(network).run(image).logits.tolist() == [expected]


@given(st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=9))
def test_ties_go_to_the_lowest_index(rows: list[list[int]]) -> None:
    assert lowest_argmax(torch.tensor(rows)).tolist() == [row.index(max(row)) for row in rows]


def test_progress_counts_the_images() -> None:
    seen: list[tuple[int, int]] = []
    Golden(mlp()).run([[0, 0]] * 5, batch_size=2, progress=lambda *x: seen.append(x))
    assert seen == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("wanted", [(), ("hidden",)])
def test_counts_are_kept_of_the_layers_that_are_asked_for(wanted: tuple[str, ...]) -> None:
    images = [[0, 0], [3, 1], [1, 3]]
    everything = Golden(mlp()).run(images)
    found = Golden(mlp()).run(images, counts=wanted)
    assert tuple(found.counts) == wanted
    assert all(found.counts[name].equal(everything.counts[name]) for name in wanted)
    assert found.logits.equal(everything.logits)


def test_results_can_be_written_to() -> None:
    result = Golden(mlp()).run([[3, 1]], trace=True)
    assert result.trace is not None
    for tensor in (result.logits, result.counts["hidden"], result.trace["hidden"].potentials):
        assert tensor.device.type == "cpu"
        assert tensor.dtype == torch.int64
        tensor += 1


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.int64]
)
def test_tensors_and_arrays_of_any_integer_type_are_taken(dtype: torch.dtype) -> None:
    images = [[3, 1], [0, 15]]
    expected = Golden(mlp()).run(np.array(images)).logits
    assert torch.equal(Golden(mlp()).run(torch.tensor(images, dtype=dtype)).logits, expected)
    assert torch.equal(
        Golden(mlp()).run(torch.tensor(images, dtype=dtype).numpy()).logits, expected
    )


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 2)), "integers from 0 to 15, not float64: pass the pixels as they are"),
        (torch.zeros(2, 2), "not torch.float32"),
        (torch.zeros(2, 2, dtype=torch.bfloat16), "not torch.bfloat16"),
        (torch.zeros(2, 2, dtype=torch.complex64), "not torch.complex64"),
        (np.zeros((2, 2), bool), "not bool"),
        (np.full((2, 2), "a"), "not <U1"),
        ([[None, None]], "not object"),
        ([[1, 2], [3]], "images must be one array of integers"),
        (3, r"must have the shape \(N, 2\), not \(\)"),
        (np.zeros((4, 3), int), r"must have the shape \(N, 2\), not \(4, 3\): these are images"),
        (np.zeros(2, int), r"not \(2,\): add the axis of images, images\[None\]"),
        (np.zeros((3, 1, 2), int), r"not \(3, 1, 2\): use images.reshape\(-1, 2\)"),
        (np.zeros((0, 2), int), "there are no images"),
        ([[0, 0], [15, 16]], r"image 1 holds 16 at \(1,\), .* takes 0 to 15"),
        ([[0, 0], [-1, 2]], r"image 1 holds -1 at \(0,\)"),
        (np.array([[2**64 - 1, 0]], np.uint64), "image 0 holds 18446744073709551615"),
    ],
)
def test_images_that_do_not_fit_are_refused(images: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Golden(mlp()).run(images)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 3), r"not \(4, 3\): the time axis of 5 timesteps is missing, bin the events in time"),
        ((3,), r"not \(3,\): the axes of images and time are missing"),
        ((5, 3), r"not \(5, 3\): add the axis of images, images\[None\]"),
        ((2, 4, 3), r"not \(2, 4, 3\): the network takes 5 timesteps, not 4"),
        ((5, 2, 3), r"not \(5, 2, 3\): the time axis comes after that of images"),
        ((2, 15), r"not \(2, 15\): use images.reshape\(-1, 5, 3\)"),
        ((2, 5, 4), r"not \(2, 5, 4\): these are images for another network"),
    ],
)
def test_images_without_the_time_axis_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Golden(timed()).run(np.zeros(shape, int))


def test_images_with_a_time_axis_that_the_network_does_not_take() -> None:
    with pytest.raises(DataError, match=r"not \(4, 5, 2\): its input is constant over time, sum "):
        Golden(mlp()).run(np.zeros((4, 5, 2), int))


def test_values_of_a_timestep_out_of_range() -> None:
    images = np.zeros((2, 5, 3), int)
    images[1, 4, 2] = 3
    with pytest.raises(DataError, match=r"image 1 holds 3 at \(4, 2\), .* takes 0 to 2"):
        Golden(timed()).run(images)


def test_traces_have_the_time_axis_first() -> None:
    result = Golden(timed()).run(np.ones((7, 5, 3), int), trace=True)
    assert result.trace is not None
    for name, shape in {"hidden": (4, 7, 2), "out": (6, 7, 2)}.items():
        for part in ("currents", "spikes", "potentials"):
            assert tuple(getattr(result.trace[name], part).shape) == shape
    assert tuple(result.counts["hidden"].shape) == (7, 2)
    assert tuple(result.logits.shape) == (7, 2)


def test_checked_images_are_returned_as_they_are() -> None:
    images = np.array([[0, 15]], np.uint8)
    assert check_images(mlp(), images) is images


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "8"])
def test_batch_sizes_below_one_are_refused(size: Any) -> None:
    with pytest.raises(ConfigError, match="batch_size must be an integer of at least 1, not"):
        Golden(mlp()).run([[0, 0]], batch_size=size)


@pytest.mark.parametrize("device", ["tpu9", "meta", "cuda:99", None])
def test_devices_that_cannot_be_used_are_refused(device: Any) -> None:
    with pytest.raises(ConfigError, match="device"):
        Golden(mlp(), device)


def test_a_neuron_without_dynamics_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(Dynamics.kinds, "ladder")
    with pytest.raises(
        UnsupportedError,
        match=r"layer 'hidden': .* no neurons of kind 'ladder'; it has burst, cuba, dual, if",
    ):
        Golden(mlp())


def count(source: str, weight: np.ndarray[Any, Any]) -> Connection:
    return Connection(source, "count", Linear(weight))


def mlp() -> Network:
    weight = np.array([[1, 2], [-1, 3]])
    hidden = Ladder(np.array([[1, 4, 9], [0, 2, 3]]))
    output = Logits(np.array([1, -1]), fraction_bits=1)
    return Network(
        DirectInput((2,), 4),
        (
            Layer("hidden", 3, hidden, (count("input", weight),)),
            Layer("out", 1, output, (count("hidden", weight),)),
        ),
    )


def timed() -> Network:
    """Return a network whose input has 5 timesteps, truncated to 4 and then replicated to 6."""
    hidden = Dual(np.array([3, 2]), np.array([1, 1]), np.array([0, -1]), fraction_bits=0)
    weight = np.array([[1, -2, 1], [2, 1, -1]])
    output = Logits(np.array([0, 0]), fraction_bits=0)
    return Network(
        SpikeInput((3,), timesteps=5, highest=2),
        (
            Layer("hidden", 4, hidden, (Connection("input", "truncate", Linear(weight)),)),
            Layer("out", 6, output, (Connection("hidden", "replicate", Linear(weight[:, :2])),)),
        ),
    )
