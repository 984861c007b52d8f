from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.network import Range

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_the_largest_pixel_stands_for_1_by_default() -> None:
    assert Pixels() == Pixels(8, 1 / 255, 0.0, False)
    assert (Pixels(4).scale, Pixels(16, signed=True).scale) == (1 / 15, 1 / 32768)
    assert (Pixels(4).range(), Pixels(4, signed=True).range()) == (Range(0, 15), Range(-8, 7))
    assert (Pixels(4).reals(), Pixels(8, signed=True).reals()) == ((0, 1), (-1, 127 / 128))
    assert Pixels().plain
    assert not Pixels(offset=3).plain
    assert not Pixels(signed=True).plain
    assert not Pixels(scale=(0.1, 0.2)).plain


@given(st.integers(0, 2**32 - 1), st.sampled_from([torch.float32, torch.float64]))
def test_normalised_images_are_those_of_torchvision(seed: int, dtype: torch.dtype) -> None:
    """Normalize((mean), (std)) behind ToTensor()."""
    raw = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (2, 3, 4, 5)))
    mean, std = (torch.tensor(x, dtype=dtype).reshape(3, 1, 1) for x in (MEAN, STD))
    theirs = (raw.to(dtype) / 255 - mean) / std
    pixels = Pixels.normalised(MEAN, STD)
    torch.testing.assert_close(pixels.real(raw, dtype), theirs)
    assert torch.equal(pixels.nearest(theirs), raw)


@given(st.integers(1, 16), st.booleans(), st.data())
def test_every_pixel_comes_back(bits: int, signed: bool, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, 3))
    scale = tuple(data.draw(st.floats(1e-4, 10)) for _ in range(number))
    offset = tuple(data.draw(st.floats(-300, 300)) for _ in range(number))
    pixels = Pixels(bits, scale, offset, signed)
    ends = pixels.range()
    raw = torch.tensor([[ends.low] * number, [ends.high] * number, [0 if signed else 1] * number])
    assert torch.equal(pixels.nearest(pixels.real(raw, torch.float64)), raw)
    assert Pixels.from_dict(pixels.as_dict()) == pixels


def test_values_beyond_the_range_are_refused_with_two_remedies() -> None:
    images = torch.tensor([[[[-2.1]]], [[[2.6]]]])
    with pytest.raises(
        DataError, match=r"^the images hold values from -2\.1 to 2\.6, but the net"
    ) as e:
        Pixels().require(images)
    assert "stand for 0 to 1" in str(e.value)
    assert "prepare(..., pixels=Pixels.normalised(mean=..., std=...))" in str(e.value)
    assert "images / 255" in str(e.value)
    Pixels().require(torch.tensor([[0.0, 1.0]]))
    with pytest.raises(DataError, match=r"from 0 to 255, but .* stand for 0 to 1"):
        Pixels().nearest(torch.tensor([[0.0, 255.0]]))
    with pytest.raises(DataError, match="not finite"):
        Pixels().require(torch.tensor([[float("nan")]]))
    with pytest.raises(DataError, match="there are no images"):
        Pixels().require(torch.zeros(0, 1, 2, 2))


def test_fewer_bits_than_images_have_round_to_the_nearest_step() -> None:
    raw = torch.arange(256)
    four = Pixels(4).nearest(Pixels().real(raw, torch.float64)[:, None])[:, 0]
    assert four.tolist() == [(2 * p + 17) // 34 for p in range(256)]  # 255 / 15 = 17


def test_one_description_for_every_channel() -> None:
    assert Pixels(scale=0.1, offset=(1, 2)).channels(2) == Pixels(8, (0.1, 0.1), (1.0, 2.0))
    with pytest.raises(ConfigError, match="the images have 3 channels, but their pixels have 2 of"):
        Pixels(offset=(1, 2)).channels(3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 0}, "bits of pixels must be from 1 to 16, not 0"),
        ({"bits": 17}, "bits of pixels must be from 1 to 16, not 17"),
        ({"bits": 8.0}, "bits of pixels must be an integer, not 8.0"),
        ({"signed": 1}, "signed of pixels must be True or False, not 1"),
        ({"scale": 0}, "the scale of pixels must be positive, not 0"),
        ({"scale": (1, -1)}, "the scale of pixels must be positive, not -1"),
        ({"scale": "1/255"}, "scale of pixels must be a number, or one for each channel, not '1/"),
        ({"offset": float("inf")}, "offset of pixels must be finite, not inf"),
        ({"offset": ()}, "offset of pixels is empty: give one number for each channel"),
        ({"scale": (1, 2), "offset": (1, 2, 3)}, "pixels have 2 scales but 3 offsets: give one"),
    ],
)
def test_descriptions_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Pixels(**options)


def test_std_is_positive() -> None:
    with pytest.raises(ConfigError, match="std of pixels must be positive, not 0"):
        Pixels.normalised(0.5, (0.2, 0.0))


@pytest.mark.parametrize("content", [{"bytes": 8}, {"bits": "8"}])
def test_damaged_descriptions(content: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="pixels"):
        Pixels.from_dict(content)


def test_pixels_that_stand_for_zero() -> None:
    assert Pixels(8).zeros == (0,)
    assert Pixels(8, signed=True).zeros == (0,)
    # 0.485 * 255 = 123.7, 0.456 * 255 = 116.3, and 0.406 * 255 = 103.5.
    normalised = Pixels.normalised([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert normalised.zeros == (124, 116, 104)
    # Nearer ones there are none.
    assert Pixels(4, 1.0, -3.0).zeros == (0,)
    assert Pixels(4, 1.0, 99.0).zeros == (15,)
