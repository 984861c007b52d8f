"""Values for reports: spikes and traces as the golden model has them, and pictures of images."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from support.networks.examples import every_kind, everything

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Connection, DirectInput, Layer, Linear, Logits, Network
from spikeloom.sw.report.values import SHOWN_NEURONS, activity, picture, trace


@pytest.mark.parametrize("network", [everything(), every_kind()], ids=lambda x: x.name)
def test_spikes_are_those_of_the_golden_model(network: Network) -> None:
    pixels = network.input.pixels()
    shape = (6, *network.input.image_shape)
    images = np.random.default_rng(1).integers(pixels.low, pixels.high + 1, shape)
    golden = Golden(network).run(images, trace=True)
    assert golden.trace is not None
    labels = golden.labels.numpy().copy()
    labels[0] += 1
    found = activity(network, images, labels, None, "some")
    assert (found["images"], found["source"], found["accuracy"]) == (6, "some", 5 / 6)
    for layer in found["layers"]:
        spikes = golden.trace[layer["name"]].spikes
        assert layer["spikes"] == int((spikes != 0).sum()) / 6
        assert layer["rate"] == int((spikes != 0).sum()) / spikes.numel()
    assert [x["name"] for x in found["layers"]] == [
        x.name for x in network.layers if x.neuron.fires
    ]
    traced = trace(network, images[2], {})
    assert traced["label"] == golden.labels[2]
    for layer in traced["layers"]:
        values = golden.trace[layer["name"]]
        spikes, potentials = values.spikes.flatten(2), values.potentials.flatten(2)
        assert 0 < len(layer["neurons"]) <= SHOWN_NEURONS
        for neuron in layer["neurons"]:
            assert neuron["spikes"] == spikes[:, 2, neuron["index"]].tolist()
            assert neuron["potentials"] == potentials[:, 2, neuron["index"]].tolist()
            shape_of = network.shapes[layer["name"]]
            assert np.ravel_multi_index(neuron["place"], shape_of) == neuron["index"]


def test_neurons_can_be_chosen() -> None:
    network = everything()
    image = np.ones(network.input.image_shape, np.int64)
    name = network.layers[0].name
    found = trace(network, image, {name: [3, 1]})["layers"][0]
    assert [neuron["index"] for neuron in found["neurons"]] == [3, 1]
    with pytest.raises(ConfigError, match="neurons are 0 to"):
        trace(network, image, {name: [10**6]})
    with pytest.raises(ConfigError, match="the layers are"):
        trace(network, image, {"none": [0]})


def test_accuracy_by_timestep_where_the_output_sees_spikes() -> None:
    network = every_kind()
    layers = list(network.layers)
    pixels = network.input.pixels()
    images = np.random.default_rng(1).integers(
        pixels.low, pixels.high + 1, (5, *network.input.image_shape)
    )
    labels = np.zeros(5, np.int64)
    found = activity(network, images, labels, None, "")["accuracy_by_timestep"]
    constant = network.output.constant or network.output.timesteps == 1
    assert (found is None) == constant
    source = layers[0]
    size = int(np.prod(network.shapes[source.name]))
    weight = np.random.default_rng(0).integers(-5, 6, (3, size))
    out = Layer(
        "out",
        source.timesteps,
        Logits(np.zeros(3, np.int64), 0),
        (Connection(source.name, "spikes", Linear(weight)),),
    )
    timed = Network(network.input, (source, out))
    scores = activity(timed, images, labels, None, "")["accuracy_by_timestep"]
    traced = Golden(timed).run(images, trace=True).trace
    assert traced is not None
    by_step = traced["out"].potentials.numpy()
    assert scores == [float((step.argmax(1) == labels).mean()) for step in by_step]


def decoded(url: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    head, text = url.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def network_of(channels: int, bits: int) -> Network:
    shape = (channels, 2, 2)
    first = Layer(
        "one",
        1,
        Logits(np.zeros(channels, np.int64), 0),
        (Connection("input", "count", Linear(np.ones((channels, channels * 4), np.int64))),),
    )
    return Network(DirectInput(shape, bits), (first,))


def test_pictures() -> None:
    grey = np.array([[[0, 3], [1, 2]]])
    assert decoded(picture(network_of(1, 2), grey)).tolist() == [[0, 255], [85, 170]]
    red = np.zeros((3, 2, 2), np.int64)
    red[0] = 15
    assert decoded(picture(network_of(3, 4), red))[0, 0].tolist() == [255, 0, 0]
    two = np.array([[[0, 1], [0, 1]], [[0, 0], [0, 1]]])
    assert decoded(picture(network_of(2, 2), two)).tolist() == [[0, 128], [0, 255]]
    network = every_kind()
    events = np.ones(network.input.image_shape, np.int64)
    assert decoded(picture(network, events)).tolist() == np.full((4, 4), 255).tolist()
