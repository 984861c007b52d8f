"""Labelled images as integer pixels: the embedded digits, image files, event recordings.

Nothing here is ever downloaded. ``digits`` comes inside scikit-learn; the others are read from
the original files in a folder that the user names.
"""

from spikeloom.sw.datasets import digits, idx, cifar, events  # noqa: I001  (in the order of help)
from spikeloom.sw.datasets.binning import Binning
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.images import load_images
from spikeloom.sw.datasets.loader import (
    SPLITS,
    Content,
    Loader,
    first_images,
    load,
    loader,
)

__all__ = [
    "SPLITS",
    "Binning",
    "Content",
    "Dataset",
    "Loader",
    "cifar",
    "digits",
    "events",
    "first_images",
    "idx",
    "load",
    "load_images",
    "loader",
]
