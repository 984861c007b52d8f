from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import CountInput, DirectInput, Input, Range, SpikeInput


def test_values_and_time_axes() -> None:
    shape = (2, 3, 4)
    for made, steps, image_shape, high in [
        (DirectInput(shape, 5), None, shape, 31),
        (CountInput(shape, 9), None, shape, 9),
        (SpikeInput(shape, 7, 3), 7, (7, *shape), 3),
        (SpikeInput((6,), 7), 7, (7, 6), 1),
    ]:
        assert (made.steps, made.image_shape) == (steps, image_shape)
        assert made.values() == Range(0, high)


def test_headers_build_the_same() -> None:
    for made in (DirectInput((2,), 5), CountInput((2,), 9), SpikeInput((2,), 7, 3)):
        assert Input.build(made.header(), {}, "it") == made
    left_out = {"kind": "spikes", "shape": [2], "timesteps": 7}
    assert Input.build(left_out, {}, "it") == SpikeInput((2,), 7, 1)


def test_signed_pixels_and_zero_points() -> None:
    shape = (2, 3, 4)
    for made, pixels, values in [
        (DirectInput(shape, 8, signed=True), Range(-128, 127), Range(-128, 127)),
        (DirectInput(shape, 1, signed=True), Range(-1, 0), Range(-1, 0)),
        (DirectInput(shape, 8, zero=128), Range(0, 255), Range(-128, 127)),
        (DirectInput(shape, 8, zero=(100, 120)), Range(0, 255), Range(-120, 155)),
        (DirectInput(shape, 4, True, (-3, 2)), Range(-8, 7), Range(-10, 10)),
        (DirectInput((2,), 8, zero=np.array([1, 2])), Range(0, 255), Range(-2, 254)),
    ]:
        assert (made.pixels(), made.values()) == (pixels, values)
        assert made.pixels().signed == (pixels.low < 0)
    assert DirectInput(shape, 8, zero=7).zeros == (7, 7)
    assert CountInput(shape, 9).zeros == SpikeInput(shape, 2).zeros == (0, 0)


def test_images_lose_the_zero_point_of_their_channel() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 3, 2)
    carried = DirectInput((2, 3, 2), 8, zero=(5, 20)).carried(images)
    assert carried[:, 0].tolist() == (images[:, 0].astype(int) - 5).tolist()
    assert carried[:, 1].tolist() == (images[:, 1].astype(int) - 20).tolist()
    assert DirectInput((2, 3, 2), 8).carried(images).tolist() == images.tolist()
    vectors = DirectInput((3,), 8, zero=(1, 2, 3)).carried(np.array([[1, 1, 1]]))
    assert vectors.tolist() == [[0, -1, -2]]


def test_headers_name_only_what_differs_from_plain_pixels() -> None:
    plain = {"kind": "direct", "shape": (2,), "bits": 5}
    assert DirectInput((2,), 5).header() == DirectInput((2,), 5, False, (0, 0)).header() == plain
    assert DirectInput((2,), 5, True).header() == plain | {"signed": True}
    assert DirectInput((2,), 5, zero=3).header() == plain | {"zero": [3, 3]}
    assert DirectInput((2,), 5, zero=3) == DirectInput((2,), 5, zero=(3, 3))
    assert DirectInput((2,), 5, zero=3) != DirectInput((2,), 5)
    for made in (DirectInput((2,), 5, True, (1, -2)), DirectInput((2, 1, 1), 5, zero=4)):
        assert Input.build(made.header(), {}, "it") == made


@pytest.mark.parametrize(
    ("zero", "message"),
    [
        (1.5, "the input's zero point must be an integer, not 1.5"),
        (65536, "the input's zero point must be from -65535 to 65535, not 65536"),
        ((1, -65536), "the input's zero point must be from -65535 to 65535, not -65536"),
        ((1, 2, 3), "the input has 2 channels but 3 zero points: give one for each, or one int"),
        ((), "the input has 2 channels but 0 zero points"),
        ("12", "the input's zero point must be an integer, not '12'"),
        (((1, 2), (3, 4)), r"the input's zero point must be an integer, not \(1, 2\)"),
    ],
)
def test_zero_points_that_are_refused(zero: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        DirectInput((2, 3, 3), 8, zero=zero)


def test_signed_is_true_or_false() -> None:
    with pytest.raises(ContractError, match="signed of the input must be true or false, not 1"):
        DirectInput((2,), 8, signed=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("highest", [0, -1, 65536, 1.5, None, True])
def test_highest_values_that_are_refused(highest: Any) -> None:
    for build in (lambda: CountInput((1,), highest), lambda: SpikeInput((1,), 2, highest)):
        with pytest.raises(ContractError, match="the input's highest value must be "):
            build()


@pytest.mark.parametrize("timesteps", [0, 4097, 2.0, None])
def test_timesteps_that_are_refused(timesteps: Any) -> None:
    with pytest.raises(ContractError, match="input timesteps must be "):
        SpikeInput((1,), timesteps)


def test_shapes_have_no_time_axis() -> None:
    for build in (
        lambda: SpikeInput((7, 2, 3, 4), 7),
        lambda: CountInput((2, 3), 7),
        lambda: SpikeInput("2", 7),  # type: ignore[arg-type]
    ):
        with pytest.raises(ContractError, match=r"input shape must be .channels, height, width. o"):
            build()
