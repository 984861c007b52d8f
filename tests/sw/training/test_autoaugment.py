"""AutoAugment: the published policy, and operations whose results are computed by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.models import small

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.training.augment import Augmentation
from spikeloom.sw.training.autoaugment import POLICIES, apply, draw, operate
from spikeloom.sw.training.options import FitOptions

GREY = np.arange(100, dtype=np.uint8).reshape(10, 10) * 2
#: Luminance of a colour, in Pillow's fixed point.
RED, LUMINANCE = (200, 100, 50), (200 * 19595 + 100 * 38470 + 50 * 7471 + 0x8000) >> 16


def after(image: Any, name: str, index: int, negative: bool = False) -> Any:
    return np.asarray(operate(Image.fromarray(np.asarray(image, np.uint8)), name, index, negative))


def test_the_policy_has_25_pairs_of_the_paper() -> None:
    pairs = POLICIES["cifar10"]
    assert len(pairs) == 25
    assert pairs[0] == (("invert", 0.1, 0), ("contrast", 0.2, 6))
    assert pairs[3] == (("shear-y", 0.5, 8), ("translate-y", 0.7, 9))
    assert pairs[24] == (("translate-y", 0.7, 9), ("autocontrast", 0.9, 0))
    assert all(0 <= p <= 1 and 0 <= i <= 9 for pair in pairs for _, p, i in pair)


@pytest.mark.parametrize("index", range(10))
def test_translations_are_whole_pixels(index: int) -> None:
    step = int(150 / 331 * 10 * index / 9)
    expected = np.zeros_like(GREY)
    expected[:, step:] = GREY[:, : 10 - step]
    assert (after(GREY, "translate-x", index) == expected).all()
    expected = np.zeros_like(GREY)
    expected[: 10 - step] = GREY[step:]
    assert (after(GREY, "translate-y", index, negative=True) == expected).all()


@pytest.mark.parametrize("index", range(10))
def test_operations_on_single_pixels(index: int) -> None:
    share = index / 9
    bits = [8, 8, 7, 7, 6, 6, 5, 5, 4, 4][index]  # 8 - round(4 · index / 9)
    assert (after(GREY, "posterize", index) == GREY & (0x100 - (1 << (8 - bits)))).all()
    limit = 255 - 255 * share
    assert (after(GREY, "solarize", index) == np.where(limit > GREY, GREY, 255 - GREY)).all()
    assert (after(GREY, "invert", index) == 255 - GREY).all()
    for negative in (False, True):
        factor = 1 + (-0.9 if negative else 0.9) * share
        bright = np.clip(GREY * factor, 0, 255)
        assert np.abs(after(GREY, "brightness", index, negative) - bright).max() <= 1
        mean = int(GREY.mean() + 0.5)
        contrast = np.clip(mean + (GREY - float(mean)) * factor, 0, 255)
        assert np.abs(after(GREY, "contrast", index, negative) - contrast).max() <= 1
        colour = np.clip(LUMINANCE + (np.array(RED) - LUMINANCE) * factor, 0, 255)
        assert np.abs(after([[RED]], "color", index, negative) - colour).max() <= 1


def test_shears_and_rotations() -> None:
    x, y = np.meshgrid(np.arange(10), np.arange(10))
    source = np.floor(x + 0.5 + 0.3 * (y + 0.5)).astype(int)
    expected = np.where(source < 10, GREY[y, source.clip(0, 9)], 0)
    assert (after(GREY, "shear-x", 9) == expected).all()
    source = np.floor(y + 0.5 - 0.3 * (x + 0.5)).astype(int)
    expected = np.where(source >= 0, GREY[source.clip(0, 9), x], 0)
    assert (after(GREY, "shear-y", 9, negative=True) == expected).all()
    # Against the clock, around the centre: by 30 degrees.
    cos, sin = math.cos(math.pi / 6), math.sin(math.pi / 6)
    dx, dy = x - 4.5, y - 4.5
    across = np.floor(cos * dx - sin * dy + 5).astype(int)
    down = np.floor(sin * dx + cos * dy + 5).astype(int)
    inside = (across >= 0) & (across < 10) & (down >= 0) & (down < 10)
    expected = np.where(inside, GREY[down.clip(0, 9), across.clip(0, 9)], 0)
    assert (after(GREY, "rotate", 9) == expected).mean() > 0.97


def test_histograms() -> None:
    values = np.array([[50, 60], [70, 101]])
    assert after(values, "autocontrast", 0).tolist() == [[0, 50], [100, 255]]
    # Steps of (4 - 1) // 255 = 0 leave an image as it is; larger ones spread its shares.
    assert (after(values, "equalize", 0) == values).all()
    wide = np.repeat(values, 510, axis=1)
    step = (2040 - 510) // 255
    lut = [(step // 2 + 510 * k) // step for k in range(4)]
    assert np.unique(after(wide, "equalize", 0)).tolist() == [min(v, 255) for v in lut]


def test_one_pair_is_drawn_for_each_image_and_devices_agree() -> None:
    images = torch.randint(0, 256, (64, 3, 8, 8), dtype=torch.uint8)
    drawn = draw("cifar10", 64, torch.Generator().manual_seed(0))
    assert set(drawn[0].long().tolist()) <= set(range(25))
    assert set(drawn[3:].flatten().tolist()) == {0.0, 1.0}
    changed = apply("cifar10", images, drawn)
    assert changed.dtype == torch.uint8
    for n in range(8):
        picture = Image.fromarray(images[n].permute(1, 2, 0).numpy())
        pair, *rest = drawn[:, n].tolist()
        for (name, p, index), chance, sign in zip(
            POLICIES["cifar10"][int(pair)], rest[:2], rest[2:], strict=True
        ):
            if chance <= p:
                picture = operate(picture, name, index, sign == 0)
        assert (changed[n].permute(1, 2, 0).numpy() == np.asarray(picture)).all()
    augmentation = Augmentation(shift=1, flip=True, autoaugment="cifar10")
    changes = augmentation.draw(64, torch.Generator().manual_seed(3))
    whole = augmentation.apply(images, changes)
    halves = [augmentation.apply(images[r::2], changes.part(r, 2)) for r in range(2)]
    assert all(torch.equal(whole[r::2], half) for r, half in enumerate(halves))
    # The other changes draw what they draw without it.
    plain = Augmentation(shift=1, flip=True).draw(64, torch.Generator().manual_seed(3))
    assert plain.moves is not None
    assert changes.moves is not None
    assert torch.equal(plain.moves, changes.moves)


def test_images_that_it_is_not_made_for() -> None:
    with pytest.raises(ConfigError, match="no autoaugment is called 'imagenet'; there are cifar10"):
        FitOptions(epochs=1, autoaugment="imagenet")
    with pytest.raises(ConfigError, match="8 bits with 1 or 3 channels, and digits has 5"):
        Augmentation(autoaugment="cifar10").require(small.digits("train"))
    eight = Dataset.from_arrays(np.zeros((4, 1, 8, 8), np.uint8), [0, 1, 0, 1])
    Augmentation(autoaugment="cifar10").require(eight)
