"""Arrays of the user's own: types, shapes and ranges that are taken, and remedies for others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.datasets.arrays import are_whole
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.network import BernoulliInput, DirectInput

PIXELS = np.arange(4 * 2 * 3 * 3, dtype=np.uint8).reshape(4, 2, 3, 3)
LABELS = [0, 1, 2, 1]


def data_of(images: Any = PIXELS, labels: Any = None, *args: Any, **kwargs: Any) -> Dataset:
    return Dataset.from_arrays(images, LABELS if labels is None else labels, *args, **kwargs)


@pytest.mark.parametrize(
    "images",
    [
        PIXELS,
        PIXELS.astype(np.int64),
        PIXELS.astype(">u2"),
        PIXELS.tolist(),
        list(PIXELS),
        torch.from_numpy(PIXELS),
        [torch.from_numpy(image) for image in PIXELS],
        np.asfortranarray(PIXELS),
    ],
    ids=["uint8", "int64", "big-endian", "lists", "arrays", "tensor", "tensors", "fortran"],
)
def test_images_of_any_integer_type_are_taken(images: Any) -> None:
    data = data_of(images)
    assert isinstance(data.images, np.ndarray)
    assert (data.images.dtype, data.bits, data.scale) == (np.uint8, 8, 1 / 255)
    assert np.array_equal(data.images, PIXELS)
    assert data.inputs().shape == (4, 2, 3, 3)


@pytest.mark.parametrize(
    ("images", "bits", "found"),
    [
        (PIXELS == 3, None, (np.uint8, 1, 1.0)),
        (PIXELS.astype(np.uint16) * 900, None, (np.int32, 16, 1 / 65535)),
        (PIXELS.astype(np.uint16) * 50, 12, (np.int32, 12, 1 / 4095)),
        (PIXELS // 5, 4, (np.uint8, 4, 1 / 15)),
    ],
)
def test_bits_are_those_of_the_pixels(images: Any, bits: int | None, found: Any) -> None:
    data = data_of(images, bits=bits)
    assert isinstance(data.images, np.ndarray)
    assert (data.images.dtype, data.bits, data.scale) == found
    assert np.array_equal(data.images, images)
    assert torch.equal(data.pixels([2]), torch.from_numpy(images[2:3].astype(found[0])))


def test_layouts_that_the_shape_shows() -> None:
    signals = np.arange(4 * 2 * 8, dtype=np.int16).reshape(4, 2, 8)
    assert data_of(signals).shape == (2, 1, 8)
    assert np.array_equal(data_of(signals).images[:, :, 0], signals)
    features = np.arange(20).reshape(4, 5)
    assert data_of(features).shape == (5, 1, 1)
    assert np.array_equal(data_of(features).images[:, :, 0, 0], features)
    grey = PIXELS[:, 0]
    assert data_of(grey).shape == (1, 3, 3)
    assert np.array_equal(data_of(grey).images[:, 0], grey)


def test_layouts_that_are_chosen() -> None:
    last = np.zeros((4, 6, 5, 3), np.uint8)
    assert data_of(last, layout="NHWC").shape == (3, 6, 5)
    assert data_of(last, layout="NCHW").take([1, 0]).shape == (6, 5, 3)
    assert data_of(last[..., 0], layout="NHW").shape == (1, 6, 5)
    assert data_of(last[..., 0], layout="NCL").shape == (6, 1, 5)
    assert data_of(last[..., 0, 0], layout="NF").shape == (6, 1, 1)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 32, 32, 3), np.uint8), r"before height and width: images\.transpose\(0, 3,"),
        (torch.zeros(4, 8, 8, 1, dtype=torch.uint8), r"images\.permute\(0, 3, 1, 2\); or say"),
        (np.zeros((4, 49, 10), int), r"images\[:, None\] .* signals are images\[:, :, None\]"),
        (np.zeros((4, 5, 2, 3, 3), int), r"from_events .* images\.sum\(1\)"),
        (np.zeros(4, int), r"shape \(4,\), but must have the shape \(N, channels"),
        (np.zeros((0, 1, 2, 2), int), r"empty, of shape \(0, 1, 2, 2\)"),
        ([[1, 2], [3]], "its items differ in shape"),
        (PIXELS / np.float32(255), r"float32 from 0 .*\(images \* 255\).*uint8.*are multiples"),
        (torch.from_numpy(PIXELS) / 255, r"\(images \* 255\)\.round\(\)\.to\(torch\.uint8\)"),
        (PIXELS / 71, r"float64 from 0 to 1, .*\(they are no multiples"),
        (PIXELS.astype(np.float32), r"float32 from 0 to 71, all .*images\.astype\('uint8'\)"),
        (PIXELS * 100.0, r"from 0 to 7100, all .*images\.astype\('int32'\)"),
        ((PIXELS - 30.0) / 7.3, r"before they were normalised.*\(images / 5.616 \* 127\)"),
        (PIXELS / 7.3, r"measured values, \(images / 9.726 \* 255\)\.round\(\)\.astype\('uint8'\)"),
        (
            torch.from_numpy(PIXELS) - 30.5,
            r"\(images / 40.5 \* 127\)\.round.*torch\.int8\)",
        ),
        (np.where(PIXELS == 50, np.nan, 0.5), r"hold nan at \(2, 1, 1, 2\): leave out the image 2"),
        (PIXELS.astype(str), r"are <U\d+ of shape \(4, 2, 3, 3\), but must be integers"),
        (PIXELS.astype(np.int32) - 70000, "pixel -70000, which does not fit 16 signed bits, -3"),
        (PIXELS.astype(np.int32) << 12, "pixel 290816, which does not fit 16 bits: divide"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_images_that_are_refused(images: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        data_of(images)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((4, 32, 32, 3), np.uint8).transpose(0, 3, 1, 2), LABELS),
        (np.zeros((4, 49, 10), int)[:, None], LABELS),
        (np.zeros((4, 49, 10), int)[:, :, None], LABELS),
        (((PIXELS - 30.0) / 7.3 / 5.616 * 127).round().astype("int8"), LABELS),
        (((torch.from_numpy(PIXELS) - 30.5) / 40.5 * 127).round().to(torch.int8), LABELS),
        ((torch.from_numpy(PIXELS) / 255 * 255).round().to(torch.uint8), LABELS),
        (PIXELS, np.array(LABELS)[:, None].ravel()),
        (PIXELS, np.eye(3)[LABELS].argmax(1)),
        (PIXELS, np.array(LABELS, float).astype("int64")),
    ],
)
def test_the_remedies_work(images: Any, labels: Any) -> None:
    assert data_of(images, labels).labels.tolist() == LABELS


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (PIXELS.astype(np.int8) - 5, Pixels(8, signed=True)),
        (torch.from_numpy(PIXELS).to(torch.int16) - 300, Pixels(16, signed=True)),
        (PIXELS.astype(np.int64) * 100, Pixels(16)),
        (PIXELS, Pixels(8)),
    ],
)
def test_negative_integers_are_signed_pixels(images: Any, found: Pixels) -> None:
    data = data_of(images)
    assert data.format == found
    assert np.array_equal(data.images, np.asarray(images))
    torch.testing.assert_close(data.inputs(), torch.as_tensor(images).float() * found.scales[0])


def test_pixels_say_what_a_model_sees() -> None:
    pixels = Pixels.normalised(0.5, 0.25)
    data = data_of(PIXELS, pixels=pixels)
    torch.testing.assert_close(data.inputs(), (torch.from_numpy(PIXELS) / 255 - 0.5) / 0.25)
    assert np.array_equal(data_of(data.inputs(), pixels=pixels).images, PIXELS)
    with pytest.raises(DataError, match="hold values from 3 to 3, but the network's pixels stand"):
        data_of(np.full((4, 1, 2, 2), 3.0), pixels=pixels)
    with pytest.raises(DataError, match=r"hold the pixel -5, .*say that they are signed, Pixels"):
        data_of(PIXELS.astype(int) - 5, pixels=Pixels())
    with pytest.raises(ConfigError, match="pixels have bits and a scale already: leave bits and"):
        data_of(PIXELS, bits=8, pixels=pixels)


class TestFewerBits:
    def test_are_rounded_alike_everywhere(self) -> None:
        raw = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16).repeat(4, 0)
        whole = data_of(raw)
        four = whole.with_pixels(Pixels(4))
        assert four.images[0].flatten().tolist() == [(2 * p + 17) // 34 for p in range(256)]
        source = DirectInput((1, 16, 16), 4)
        assert np.array_equal(whole.images_for(source), four.images)
        assert np.array_equal(four.images_for(source), four.images)
        # Pixels that become spikes in hardware are given as they are.
        assert np.array_equal(whole.images_for(BernoulliInput((1, 16, 16), 4, 6)), four.images)
        assert whole.images_for(BernoulliInput((1, 16, 16), 8, 6)) is whole.images
        assert torch.equal(Pixels(4).nearest(whole.inputs().double())[0], four.pixels()[0].long())

    @pytest.mark.parametrize("bits", range(1, 8))
    def test_of_signed_pixels_keep_0(self, bits: int) -> None:
        raw = np.arange(-128, 128).reshape(1, 1, 16, 16).repeat(4, 0)
        few = data_of(raw, pixels=Pixels(8, signed=True)).with_pixels(Pixels(bits, signed=True))
        step = 1 << (8 - bits)
        top = (1 << (bits - 1)) - 1
        expected = [min((p + step // 2) // step, top) for p in range(-128, 128)]
        assert few.images[0].flatten().tolist() == expected

    def test_streams_stay_streams(self, tmp_path: Path) -> None:
        raw = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16).repeat(4, 0)
        np.save(tmp_path / "images.npy", raw)
        mapped = data_of(np.load(tmp_path / "images.npy", mmap_mode="r"))
        few = mapped.with_pixels(Pixels(2))
        assert few.streams
        assert np.array_equal(few.images[:], data_of(raw).with_pixels(Pixels(2)).images)

    def test_there_are_no_more_bits_than_images_have(self) -> None:
        with pytest.raises(ConfigError, match="have 8 bits, unsigned, but were described by P"):
            data_of(PIXELS).with_pixels(Pixels(9))
        with pytest.raises(ConfigError, match="have 8 bits, unsigned, but were described by P"):
            data_of(PIXELS).with_pixels(Pixels(8, signed=True))


@pytest.mark.parametrize("layout", ["NHWC", "HWC"])
def test_layouts_that_do_not_fit(layout: str) -> None:
    with pytest.raises(DataError, match=r"which is not N, H, W, C|no layout is called 'HWC'"):
        data_of(PIXELS[:, 0], layout=layout)


def test_nothing_at_all() -> None:
    with pytest.raises(DataError, match="empty"):
        data_of(np.zeros((0, 1, 2, 2), int), [])


def test_bits_out_of_range() -> None:
    with pytest.raises(DataError, match="must be from 1 to 16, not 17"):
        data_of(bits=17)
    with pytest.raises(DataError, match="pixel 71, which does not fit 4 bits: say bits=7"):
        data_of(bits=4)


@pytest.mark.parametrize(
    "numbers",
    [
        np.arange(1 << 16, dtype=np.uint16).view(np.float16),
        np.array([0x7F800001, 0x7FC00000], np.uint32).view(np.float32),
        np.array([0x7FF0000000000001, 0x7FF8000000000000], np.uint64).view(np.float64),
    ],
)
def test_no_pattern_of_nan_warns(numbers: Any) -> None:
    assert not are_whole(numbers)
    assert are_whole(np.array([0.0, -3.0, 4.0], numbers.dtype))
    assert not are_whole(np.array([0.0, 0.5], numbers.dtype))
