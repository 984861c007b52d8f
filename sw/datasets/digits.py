"""The embedded data set: scikit-learn's handwritten digits."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from spikeloom.sw.datasets.binning import Binning
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.loader import Loader
from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.files import read_bytes

#: Every fifth image, starting with the first, is a test image.
TEST_STRIDE = 5
#: The digits, inside the folder of scikit-learn: a line for each, 64 pixels and the label.
FILE = Path("datasets", "data", "digits.csv.gz")


class Digits(Loader):
    """1,797 handwritten digits, 8x8 pixels of 0 to 16, which come inside scikit-learn.

    The split is fixed: images 0, 5, 10, ... in scikit-learn's order are the test split (360), the
    others the training split (1,437). Their file is read directly, since importing scikit-learn
    takes longer than everything else here.
    """

    name = "digits"

    def load(self, split: str, root: str | Path | None, binning: Binning) -> Dataset:
        del root, binning  # neither files nor time
        path = _folder() / FILE
        lines = gzip.decompress(read_bytes(path, "file of the digits")).decode("ascii").splitlines()
        table = np.array([line.split(",") for line in lines], np.float64).astype(np.uint8)
        images, labels = table[:, :-1].reshape(-1, 1, 8, 8), table[:, -1].astype(np.int64)
        test = np.arange(len(table)) % TEST_STRIDE == 0
        chosen = test if split == "test" else ~test
        return Dataset(self.name, images[chosen], labels[chosen], 5, 10, 1 / 16)


def _folder() -> Path:
    """Return the folder of scikit-learn, which is not imported.

    Raises
    ------
    FileFormatError
        If it is not installed.
    """
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise FileFormatError("the digits come inside scikit-learn: pip install scikit-learn")
    return Path(found.origin).parent
