"""From a graph to a network: equal to the float simulation where integers can be."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import nir
from torch.nn import functional

from spikeloom.sw.errors import ConfigError, DataError, FileFormatError, UnsupportedError
from spikeloom.sw.golden import Golden
from spikeloom.sw.importing import from_nir, read_nir
from spikeloom.sw.importing.lowering import lower
from spikeloom.sw.importing.origins import rules_of
from spikeloom.sw.importing.simulation import simulate
from spikeloom.sw.network import Burst, CountInput, DirectInput, SpikeInput

RNG = np.random.default_rng(0)
#: Weights that are integers of 8 bits over a power of two, the largest in each channel.
HIDDEN = RNG.integers(-100, 101, (6, 8)) / 128
HIDDEN[:, 0] = 127 / 128
OUT = RNG.integers(-100, 101, (3, 6)) / 128
OUT[:, 0] = 127 / 128
BIAS = RNG.integers(-20, 21, 6) / 128
IMAGES = RNG.integers(0, 2, (60, 5, 8))
#: Decays that one shift is exact for, but for its rounding.
LEAKS = {
    "snntorch": (nir.snntorch_leaky(6, 0.875), nir.snntorch_leaky(3, 0.5)),
    "sinabs": (nir.fire(6), nir.fire(3)),
    "norse": (nir.fire(6), nir.fire(3)),
}


def network(tmp_path: Path, origin: str) -> Path:
    first, second = LEAKS[origin]
    tree = nir.chain(nir.affine(HIDDEN, BIAS), first, nir.affine(OUT), second, shape=(8,))
    return nir.write(tmp_path / "net.nir", tree)


@pytest.mark.parametrize(
    ("origin", "options"),
    [
        ("snntorch", {"reset": "subtract"}),
        ("snntorch", {"reset": "hard"}),
        ("sinabs", {"origin": "sinabs"}),
        ("norse", {"origin": "norse"}),
    ],
)
def test_integer_weights_give_every_spike_of_the_float_simulation(
    origin: str, options: dict[str, Any], tmp_path: Path
) -> None:
    path = network(tmp_path, origin)
    found, report = from_nir(path, timesteps=5, images=IMAGES, fraction_bits=12, **options)
    assert isinstance(found.input, SpikeInput)
    assert report.agreement is not None
    layers = report.agreement.layers
    assert all(layer.rate > 0.01 for layer in layers.values())
    # A leak's shift rounds, which next to a threshold is seen.
    within = 0.0 if origin in ("sinabs", "norse") else 0.005
    assert max(layer.spikes for layer in layers.values()) <= within
    assert report.agreement.labels >= 1 - 4 * within
    assert all(fit.weight_error == 0 and fit.residual == 0 for fit in report.layers.values())


def test_the_last_neurons_are_read_by_ones_over_their_counts(tmp_path: Path) -> None:
    found, report = from_nir(network(tmp_path, "norse"), origin="norse", timesteps=5, images=IMAGES)
    readout = found.output
    assert (readout.timesteps, readout.neuron.kind) == (1, "logits")
    assert readout.connections[0].synapses.weight.tolist() == [1, 1, 1]
    result = Golden(found).run(IMAGES)
    assert torch.equal(result.logits, result.counts[found.layers[-2].name])
    assert report.model is not None


def test_bursts_are_as_long_as_images_show_or_weights_allow(tmp_path: Path) -> None:
    path = network(tmp_path, "sinabs")
    shown, _ = from_nir(path, origin="sinabs", timesteps=5, images=IMAGES)
    proven, _ = from_nir(path, origin="sinabs", timesteps=5, input=SpikeInput((8,), 5))
    chosen, _ = from_nir(path, origin="sinabs", timesteps=5, input=SpikeInput((8,), 5), largest=2)
    most = [
        [layer.neuron.largest for layer in one.layers if isinstance(layer.neuron, Burst)]
        for one in (shown, proven, chosen)
    ]
    assert most[0][0] <= most[1][0] < 4096
    assert most[2] == [2, 2]


def test_labels_accuracy_and_other_images_to_compare(tmp_path: Path) -> None:
    path, done = network(tmp_path, "norse"), []
    labels = np.zeros(len(IMAGES), int)
    _, report = from_nir(
        path,
        origin="norse",
        timesteps=5,
        images=IMAGES[:10],
        compared=IMAGES,
        labels=labels,
        progress=lambda now, of: done.append((now, of)),
    )
    agreement = report.agreement
    assert agreement is not None
    assert (agreement.images, done) == (60, [(60, 60)])
    assert agreement.accuracy == pytest.approx(agreement.float_accuracy, abs=0.05)
    text = "\n".join(report.lines())
    assert "origin: norse: as you said" in text
    assert "60 images: " in text
    assert "accuracy: float " in text
    with pytest.raises(DataError, match="60 images but 3 labels"):
        from_nir(path, origin="norse", timesteps=5, images=IMAGES, labels=labels[:3])


def test_inputs(tmp_path: Path) -> None:
    path = network(tmp_path, "norse")
    still = IMAGES.sum(1)
    found, _ = from_nir(path, origin="norse", timesteps=4, images=still, input_bits=3)
    assert found.input == DirectInput((8,), 3)
    assert from_nir(path, origin="norse", timesteps=4).network.input == DirectInput((8,), 8)
    counts = CountInput((8,), 5)
    assert (
        from_nir(path, origin="norse", timesteps=4, images=still, input=counts).network.input
        == counts
    )
    with pytest.raises(ConfigError, match="no number of timesteps"):
        from_nir(path, origin="norse")
    with pytest.raises(ConfigError, match="bits of weights must be from 2"):
        from_nir(path, origin="norse", timesteps=5, bits=1)
    with pytest.raises(DataError, match="images must be integers"):
        from_nir(path, origin="norse", timesteps=5, images=IMAGES / 2)
    with pytest.raises(DataError, match=r"images have the shape \(3,\)"):
        from_nir(path, origin="norse", timesteps=5, images=np.zeros((2, 3), int))


def _ways(tmp_path: Path, *nodes: nir.Tree, shape: tuple[int, ...] | None, images: Any) -> Any:
    """Return the currents of neurons behind nodes, as populations without neurons."""
    end = nir.fire((1,), 1.0)
    graph = read_nir(nir.write(tmp_path / "net.nir", nir.chain(*nodes, end, shape=shape)))
    rules, _ = rules_of(graph, "norse", None, None)
    model = lower(graph, rules)
    assert len(model.populations) == 2
    from spikeloom.sw.importing.simulation import currents

    values = torch.from_numpy(images.reshape(len(images), *model.shape)).double()[None]
    return currents(model.populations[0], {"input": values}, 1)[0], model


MAPS = RNG.integers(0, 5, (4, 2, 9, 8))
KERNEL = RNG.normal(size=(3, 2, 3, 2))


@pytest.mark.parametrize("kind", ["SumPool2d", "AvgPool2d"])
def test_pools_ahead_of_weights_and_behind(kind: str, tmp_path: Path) -> None:
    values = torch.from_numpy(MAPS).double()
    kernel, bias = torch.from_numpy(KERNEL.astype(np.float32)).double(), np.array([1.0, 2, 3])
    area = 4 if kind == "SumPool2d" else 1
    conv = nir.conv(KERNEL, bias, stride=np.array([2, 1]), padding=np.array([1, 0]))
    bias_ = torch.tensor(bias).double()
    found, _ = _ways(tmp_path, nir.pool(kind, 2), conv, shape=(2, 9, 8), images=MAPS)
    pooled = functional.avg_pool2d(values, 2) * area
    expected = functional.conv2d(pooled, kernel, bias_, stride=(2, 1), padding=(1, 0))
    assert torch.allclose(found, expected)
    found, _ = _ways(tmp_path, conv, nir.pool(kind, 2), shape=(2, 9, 8), images=MAPS)
    convolved = functional.conv2d(values, kernel, bias_, stride=(2, 1), padding=(1, 0))
    assert torch.allclose(found, functional.avg_pool2d(convolved, 2) * area)


def test_dilation_groups_flatten_and_scale(tmp_path: Path) -> None:
    values = torch.from_numpy(MAPS).double()
    weight = RNG.normal(size=(4, 1, 2, 2)).astype(np.float32)
    conv = nir.conv(weight, dilation=np.array([2, 3]), groups=np.int64(2))
    scale = {"type": "Scale", "scale": np.array([2.0, 3.0])}
    found, _ = _ways(tmp_path, scale, conv, shape=(2, 9, 8), images=MAPS)
    scaled = values * torch.tensor([2.0, 3.0]).reshape(2, 1, 1)
    kernel = torch.from_numpy(weight).double()
    assert torch.allclose(found, functional.conv2d(scaled, kernel, dilation=(2, 3), groups=2))
    first, second = RNG.normal(size=(5, 144)), RNG.normal(size=(3, 5))
    flat = {"type": "Flatten", "start_dim": np.int64(1), "end_dim": np.int64(-1)}
    nodes = [flat, nir.affine(first, np.ones(5)), nir.affine(second)]
    found, _ = _ways(tmp_path, *nodes, shape=(2, 9, 8), images=MAPS)
    inner = values.flatten(1) @ torch.tensor(first.astype(np.float32)).double().T + 1
    assert torch.allclose(found, inner @ torch.tensor(second.astype(np.float32)).double().T)


def test_signals_are_maps_of_one_row(tmp_path: Path) -> None:
    signals = RNG.integers(0, 5, (4, 2, 9))
    weight = RNG.normal(size=(3, 2, 4)).astype(np.float32)
    conv = nir.conv(weight, stride=np.int64(2), padding=np.int64(1), dilation=np.int64(1))
    conv["type"] = "Conv1d"
    for shape in ((2, 9), None, (7, 2, 9)):
        conv["input_shape"] = np.int64(9)
        found, model = _ways(tmp_path, conv, shape=shape, images=signals)
        expected = functional.conv1d(
            torch.from_numpy(signals).double(),
            torch.from_numpy(weight).double(),
            stride=2,
            padding=1,
        )
        assert torch.allclose(found[:, :, 0], expected)
        assert model.shape == (2, 1, 9)
        assert bool(model.repairs)


@pytest.mark.parametrize("shape", [None, (8,), (1, 8), (16, 2, 4)])
def test_an_input_s_shape_is_mended(shape: tuple[int, ...] | None, tmp_path: Path) -> None:
    _, model = _ways(tmp_path, nir.affine(HIDDEN), shape=shape, images=IMAGES[:, 0])
    assert model.shape == (8,)
    assert bool(model.repairs) == (shape != (8,))


def test_what_has_no_place_is_named(tmp_path: Path) -> None:
    conv, fc = nir.conv(np.ones((2, 1, 2, 2))), nir.affine(np.ones((3, 18)))
    padded = {**nir.pool("AvgPool2d", 2), "padding": np.array([1, 1])}
    far = nir.conv(np.ones((2, 1, 2, 2)), dilation=np.array([524288, 524288]))
    wide = {**nir.pool("SumPool2d", 65536), "stride": np.array([1, 1])}
    for nodes, shape, message in [
        ((conv, fc), (1, 4, 4), "node '1' follows other weights without neurons between"),
        ((nir.affine(np.ones((4, 5))),), (7,), "node '0' has weights for 5 values, but gets 7"),
        ((conv,), (3, 4, 4), "node '0' has weights for 1 channels"),
        ((conv,), (1, 1, 1), "larger than its source"),
        ((conv, padded), (1, 8, 8), "a padded pool behind"),
        ((nir.pool("SumPool2d", 9),), (1, 4, 4), "larger than"),
        ((conv, nir.pool("SumPool2d", 9)), (1, 8, 8), r"a pool of \(9, 9\), larger than"),
        ((far,), (1, 9, 9), r"kernel of shape \(2, 1, 524289, 524289\), far larger than what the"),
        ((wide,), (1, 9, 9), r"kernel of shape \(1, 1, 65536, 65536\), far larger"),
    ]:
        with pytest.raises(UnsupportedError, match=message):
            _ways(tmp_path, *nodes, shape=shape, images=np.zeros((1, 1)))
    with pytest.raises(ConfigError, match=r"how large its input is.*--input-shape"):
        _ways(tmp_path, conv, shape=None, images=np.zeros((1, 1)))


def test_sums_of_values_that_only_have_the_same_number_are_named(tmp_path: Path) -> None:
    wide = nir.conv(np.ones((4, 1, 2, 2)), stride=np.array([2, 2]))
    tree = nir.chain(wide, nir.fire((4, 2, 2)), shape=(1, 4, 4))
    tree["nodes"]["same"] = nir.conv(np.ones((1, 1, 1, 1)))
    tree["edges"] = [*tree["edges"], ("input", "same"), ("same", "1")]
    graph = read_nir(nir.write(tmp_path / "net.nir", tree))
    with pytest.raises(
        UnsupportedError, match=r"node '1' adds values of shapes \(4, 2, 2\) and \(1, 4, 4\)"
    ):
        lower(graph, rules_of(graph, "norse", None, None)[0])


def test_a_large_shape_takes_no_memory(tmp_path: Path) -> None:
    size = 1 << 20
    conv = nir.conv(np.ones((2, 2, 1, 1)), [1.0, 2.0])
    tree = nir.chain(conv, nir.fire((1,)), nir.affine(np.ones((3, 8))), shape=(2, size, 2))
    graph = read_nir(nir.write(tmp_path / "net.nir", tree))
    rules, _ = rules_of(graph, "norse", None, None)
    tracemalloc.start()
    try:
        with pytest.raises(UnsupportedError, match=r"node '2' has weights for 8 values, but gets"):
            lower(graph, rules)
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


def test_thresholds_and_biases_beyond_all_ranges_are_named(tmp_path: Path) -> None:
    tiny = nir.affine(np.full((2, 3), 1e-30), [1.0, 1.0])
    path = nir.write(tmp_path / "net.nir", nir.chain(tiny, nir.fire(2), shape=(3,)))
    with pytest.raises(UnsupportedError, match=r"node '1': its threshold or bias would be an inte"):
        from_nir(path, origin="nir", reset="subtract", dt=1e-4, timesteps=4)


def test_a_wrong_field_is_shown_in_one_line(tmp_path: Path) -> None:
    tree = nir.chain(nir.pool("SumPool2d", 2), nir.fire((1, 2, 2)), shape=(1, 4, 4))
    tree["nodes"]["0"]["padding"] = np.zeros((2, 2), np.int64)
    with pytest.raises(FileFormatError, match=r"one or two integers, not array\(\[\[0, 0\], \["):
        read_nir(nir.write(tmp_path / "net.nir", tree))


def test_loops_lead_through_one_population(tmp_path: Path) -> None:
    tree = nir.chain(
        nir.affine(np.eye(2)), nir.fire(2), nir.affine(np.eye(2)), nir.fire(2), shape=(2,)
    )
    tree["nodes"]["back"] = nir.affine(np.full((2, 2), 0.5), [1, 2])
    edges = tree["edges"]
    tree["edges"] = [*edges, ("1", "back"), ("back", "1")]
    graph = read_nir(nir.write(tmp_path / "net.nir", tree))
    model = lower(graph, rules_of(graph, "norse", None, None)[0])
    first = model.populations[0]
    assert [way.recurrent for way in first.ways] == [False, True]
    assert first.bias.tolist() == [1, 2]
    # Currents by hand: 0.6 + bias, then with the own last spikes.
    images = np.array([[[1, 0], [0, 0], [0, 0]]])
    spikes = simulate(model, images, 3).spikes[first.name][:, 0].tolist()
    assert spikes == [[1, 1], [1, 1], [1, 1]]
    tree["edges"] = [*edges, ("3", "back"), ("back", "1")]
    graph = read_nir(nir.write(tmp_path / "net.nir", tree))
    with pytest.raises(UnsupportedError, match="leads through several populations"):
        lower(graph, rules_of(graph, "norse", None, None)[0])
