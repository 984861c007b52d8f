"""The embedded digits."""

from __future__ import annotations

import numpy as np
from support.models import small

from spikeloom.sw import datasets


def test_digits_are_split_without_overlap() -> None:
    train, test = small.digits("train"), small.digits("test")
    assert (len(train), len(test)) == (1437, 360)
    assert train.shape == (1, 8, 8)
    assert train.images.dtype == np.uint8
    assert (int(train.images.max()), train.bits, train.classes) == (16, 5, 10)
    seen = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in seen for image in test.images)
    assert set(test.labels) == set(range(10))


def test_digits_follow_the_order_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    original = load_digits()
    assert np.array_equal(small.digits("test").images[:, 0], original.images[::5])
    assert np.array_equal(small.digits("test").labels, original.target[::5])


def test_digits_need_no_files() -> None:
    assert list(datasets.loader("digits").contents("train", None)) == []
    assert datasets.loader("digits").published == {}
