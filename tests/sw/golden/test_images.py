"""Images that do not fit are refused with a remedy; those that stay in a file are read in parts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from spikeloom.sw.errors import DataError
from spikeloom.sw.golden import check_images, check_parts
from spikeloom.sw.network import BernoulliInput, DirectInput


class Stored:
    """Images that are made when a slice asks for them, the last of them too bright."""

    shape = (7, 2, 1, 3)

    def __init__(self) -> None:
        self.asked: list[slice] = []

    def __len__(self) -> int:
        return 7

    def __getitem__(self, which: slice) -> np.ndarray[Any, Any]:
        self.asked.append(which)
        numbers = np.arange(7)[which] + 10
        return np.broadcast_to(numbers[:, None, None, None], (len(numbers), 2, 1, 3))


def test_images_that_stay_where_they_are_are_checked_in_parts() -> None:
    stored = Stored()
    assert check_parts(SimpleNamespace(input=DirectInput((2, 1, 3), 5)), stored, 3) is stored
    assert stored.asked == [slice(0, 3), slice(3, 6), slice(6, 9)]
    tight = SimpleNamespace(input=DirectInput((2, 1, 3), 4))
    with pytest.raises(DataError, match=r"^image 6 holds 16 at "):
        check_parts(tight, stored, 3)


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_images_in_memory_become_an_array_with_all_axes(kind: Any) -> None:
    signals = np.arange(12).reshape(2, 2, 3)
    found = check_parts(SimpleNamespace(input=DirectInput((2, 1, 3), 4)), kind(signals), 1)
    assert isinstance(found, np.ndarray)
    assert np.array_equal(found, signals[:, :, None])


def test_images_whose_channels_come_last() -> None:
    maps = SimpleNamespace(input=DirectInput((2, 3, 5), 4))
    assert len(check_images(maps, np.zeros((7, 2, 3, 5), int))) == 7
    expected = r"must have the shape \(N, 2, 3, 5\), not \(7, 3, 5, 2\): the channels come before"
    with pytest.raises(DataError, match=expected):
        check_images(maps, np.zeros((7, 3, 5, 2), int))


def test_pixels_that_become_spikes_have_no_time_axis() -> None:
    vectors = SimpleNamespace(input=BernoulliInput((3,), 4, 5))
    assert check_images(vectors, np.full((2, 3), 15)).shape == (2, 3)
    with pytest.raises(DataError, match=r"must have the shape \(N, 3\), not \(2, 5, 3\): it makes"):
        check_images(vectors, np.zeros((2, 5, 3), int))
    with pytest.raises(
        DataError, match=r"image 0 holds 16 at .*, but the network's input takes 0 to 15"
    ):
        check_images(vectors, np.full((2, 3), 16))
