"""The network of signed pixels tells every error of a zero point or of a sign apart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from netlist.network import own_images, signed
from netlist.proofs import Fresh
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Conv2d, DirectInput, Network


def with_input(network: Network, source: DirectInput, padding: int = 1) -> Network:
    """Return the network with another input and another padding of its convolution."""
    (connection,) = network.layers[0].connections
    assert isinstance(connection.synapses, Conv2d)
    conv = Conv2d(connection.synapses.weight, padding=(padding, padding))
    connections = (dataclasses.replace(connection, synapses=conv),)
    first = dataclasses.replace(network.layers[0], connections=connections)
    return Network(source, (first, *network.layers[1:]))


def logits(network: Network, images: np.ndarray) -> list[list[int]]:
    found: list[list[int]] = Golden(network).run(images).logits.tolist()
    return found


@pytest.mark.parametrize("zero", [(0, 0), (19, -11), (-11, 18), (-12, 19), (-11, -11)])
def test_images_tell_wrong_zero_points(zero: tuple[int, int]) -> None:
    network = signed()
    images = own_images(network, Fresh.usual, None).pixels
    wrong = with_input(network, DirectInput((2, 6, 6), bits=6, signed=True, zero=zero))
    assert logits(network, images) != logits(wrong, images)


def test_padding_stands_for_the_zero_points() -> None:
    network = signed()
    images = own_images(network, Fresh.usual, None).pixels
    assert isinstance(network.input, DirectInput)
    larger = with_input(network, dataclasses.replace(network.input, shape=(2, 8, 8)), padding=0)
    by_zeros = np.stack(
        [
            np.pad(images[:, channel], ((0, 0), (1, 1), (1, 1)), constant_values=zero)
            for channel, zero in enumerate(network.input.zeros)
        ],
        axis=1,
    )
    assert logits(network, images) == logits(larger, by_zeros)
    by_zero = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for image, padded in zip(images, by_zero, strict=True):
        assert logits(network, image[None]) != logits(larger, padded[None])


def test_images_have_every_sign_and_labels_differ() -> None:
    network = signed()
    images = own_images(network, Fresh.usual, None).pixels
    assert (images.min(), images.max()) == (-32, 31)
    assert len(set(Golden(network).run(images).labels.tolist())) == 3
