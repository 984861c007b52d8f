"""The embedded data set: scikit-learn's handwritten digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.sw.datasets.binning import Binning
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.loader import Loader

#: Every fifth image, starting with the first, is a test image.
TEST_STRIDE = 5


class Digits(Loader):
    """1,797 handwritten digits, 8x8 pixels of 0 to 16, which come inside scikit-learn.

    The split is fixed: images 0, 5, 10, ... in scikit-learn's order are the test split (360), the
    others the training split (1,437).
    """

    name = "digits"

    def load(self, split: str, root: str | Path | None, binning: Binning) -> Dataset:
        del root, binning  # neither files nor time
        from sklearn.datasets import load_digits

        bunch: Any = load_digits()
        test = np.arange(len(bunch.target)) % TEST_STRIDE == 0
        chosen = test if split == "test" else ~test
        images = bunch.images[chosen].astype(np.uint8)[:, np.newaxis]
        return Dataset(self.name, images, bunch.target[chosen].astype(np.int64), 5, 10, 1 / 16)
