from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import naive

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import (
    BernoulliInput,
    Connection,
    Input,
    Layer,
    Linear,
    Logits,
    Network,
    Range,
)

WIDTHS = {1: 24, 5: 25, 6: 24, 7: 28, 8: 24, 9: 27, 10: 30, 11: 33, 12: 24, 13: 26, 15: 30, 16: 32}


def test_images_have_no_time_axis_and_what_connections_carry_has() -> None:
    source = BernoulliInput((2, 3, 4), bits=5, timesteps=7)
    assert (source.steps, source.image_steps) == (7, None)
    assert (source.image_shape, source.carried_shape) == ((2, 3, 4), (7, 2, 3, 4))
    assert (source.pixels(), source.values()) == (Range(0, 31), Range(0, 1))
    assert (source.zeros, source.unit) == ((0, 0), Fraction(31, 7))
    assert source.draws.shape == source.carried_shape
    assert not source.draws.flags.writeable


def test_headers_build_the_same() -> None:
    source = BernoulliInput((2,), 5, 7, 9)
    header = {"kind": "bernoulli", "shape": (2,), "bits": 5, "timesteps": 7, "seed": 9}
    assert source.header() == header
    assert Input.build(header, {}, "it") == source != BernoulliInput((2,), 5, 7)
    del header["seed"]
    assert Input.build(header, {}, "it") == BernoulliInput((2,), 5, 7, 0)


@pytest.mark.parametrize("bits", range(1, 17))
def test_registers_hold_a_pixel_several_times(bits: int) -> None:
    source = BernoulliInput((1,), bits, 1)
    width = source.register.width
    assert width == WIDTHS.get(bits, 24 if bits < 5 else 28)
    assert width % bits == 0
    pixel = (1 << bits) * 5 // 7
    assert f"{pixel * source.ones:b}".zfill(width) == f"{pixel:b}".zfill(bits) * (width // bits)


@pytest.mark.parametrize("bits", range(1, 17))
def test_the_rate_of_a_period_is_the_share_of_a_pixel(bits: int) -> None:
    """All numbers from 1 to 2^n - 1 are drawn once: as many as its threshold are not above it."""
    source = BernoulliInput((1,), bits, 1)
    highest = (1 << bits) - 1
    for pixel in {0, 1, highest // 3, highest - 1, highest}:
        assert Fraction(pixel * source.ones, source.register.period) == Fraction(pixel, highest)


def test_all_spikes_of_a_period() -> None:
    """Some pixels of 8 bits, counted over all 2^24 - 1 draws of their register."""
    source = BernoulliInput((1,), 8, 1)
    drawn = source.register.draws(0, source.register.period)
    for pixel in (1, 100, 254):
        spikes = int(np.count_nonzero(drawn <= pixel * source.ones))
        assert Fraction(spikes, len(drawn)) == Fraction(pixel, 255)


@settings(max_examples=60)
@given(st.data())
def test_spikes_are_those_of_plain_loops(data: st.DataObject) -> None:
    bits = data.draw(st.integers(1, 16))
    sides = st.integers(1, 4)
    shape = data.draw(st.one_of(st.tuples(sides), st.tuples(sides, sides, sides)))
    timesteps, seed = data.draw(st.integers(1, 9)), data.draw(st.integers(0, (1 << 32) - 1))
    source = BernoulliInput(shape, bits, timesteps, seed)
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    images = rng.integers(0, 1 << bits, (2, *shape))
    size = int(np.prod(shape))
    out = Layer(
        "out",
        1,
        Logits(np.array([0]), 0),
        (Connection("input", "count", Linear(np.ones((1, size), int))),),
    )
    carried = source.carried(images)
    assert carried.shape == (2, timesteps, *shape)
    for image, spikes in zip(images, carried, strict=True):
        frames = naive.frames(Network(source, (out,)), image.tolist())
        for frame, given_spikes in zip(frames, spikes, strict=True):
            assert all(frame[index] == spike for index, spike in np.ndenumerate(given_spikes))


@pytest.mark.parametrize("timesteps", [1, 50])
@pytest.mark.parametrize("bits", [1, 8, 11, 16])
def test_black_is_silent_and_white_always_spikes(bits: int, timesteps: int) -> None:
    source = BernoulliInput((2, 3, 3), bits, timesteps, seed=3)
    ends = source.carried(
        np.stack([np.zeros(source.shape, int), np.full(source.shape, (1 << bits) - 1)])
    )
    assert not ends[0].any()
    assert ends[1].all()


def test_spikes_depend_on_the_pixel_and_the_seed_alone() -> None:
    source = BernoulliInput((1, 4, 4), 8, 5, seed=1)
    image = np.arange(0, 256, 16).reshape(1, 1, 4, 4)
    alone = source.carried(image)
    assert (source.carried(np.concatenate([image + 3, image]))[1] == alone[0]).all()
    assert (BernoulliInput((1, 4, 4), 8, 5, seed=2).carried(image) != alone).any()
    # A brighter pixel has all spikes of a darker one.
    assert (source.carried(image + 15) >= alone).all()


def test_rates_of_many_timesteps_are_near_the_share() -> None:
    counts = BernoulliInput((256,), 8, 4096).carried(np.arange(256)[None]).sum(1)[0]
    assert np.abs(counts / 4096 - np.arange(256) / 255).max() < 4 * 0.5 / 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": 0}, "input bits must be from 1 to 16, not 0"),
        ({"bits": 17}, "input bits must be from 1 to 16, not 17"),
        ({"timesteps": 0}, "input timesteps must be from 1 to 4096, not 0"),
        ({"timesteps": 4097}, "input timesteps must be from 1 to 4096, not 4097"),
        ({"seed": -1}, "the seed of the input must be from 0 to 4294967295, not -1"),
        ({"seed": 1 << 32}, "the seed of the input must be from 0 to 4294967295, not 4294967296"),
        ({"seed": None}, "the seed of the input must be an integer, not None"),
        (
            {"shape": (2, 3)},
            r"input shape must be \(channels, height, width\) or \(features,\), not",
        ),
    ],
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"shape": (2, 3, 3), "bits": 8, "timesteps": 4, "seed": 0}
    with pytest.raises(ContractError, match=message):
        BernoulliInput(**(given | change))


def test_the_spikes_of_a_network_have_a_limit() -> None:
    out = Layer(
        "out",
        1,
        Logits(np.array([0]), 0),
        (Connection("input", "count", Linear(np.ones((1, 1 << 15), int))),),
    )
    with pytest.raises(ContractError, match="the input has 4096x32768 values, which are more than"):
        Network(BernoulliInput((1 << 15,), 1, 4096), (out,))
