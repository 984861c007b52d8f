"""Labelled images as integer pixels: the embedded digits, image files, event recordings.

Nothing here is ever downloaded. ``digits`` comes inside scikit-learn; the others are read from
the original files in a folder that the user names.

:mod:`.dataset` and :mod:`.labelled` hold the form of every data set, :mod:`.pixels` the meaning of
its integers. :mod:`.arrays`, :mod:`.labels` and :mod:`.targets` check what users give;
:mod:`.seen` remembers which files were found to be as published.

Data sets with names are in :mod:`.digits`, :mod:`.idx`, :mod:`.cifar`, :mod:`.imagenet`,
:mod:`.events`, :mod:`.cameras` and :mod:`.shd`. What the recordings among them share is in
:mod:`.event_data`, and the formats of files in :mod:`.aedat` and :mod:`.packed`.
"""

# In the order of help:
from spikeloom.sw.datasets import digits, idx, cifar, imagenet, events, cameras, shd  # noqa: I001
from spikeloom.sw.datasets.binning import Binning
from spikeloom.sw.datasets.coerce import DataLike, as_dataset, inputs_of, is_data, sample
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.images import load_images
from spikeloom.sw.datasets.loader import (
    SPLITS,
    Content,
    Loader,
    first_images,
    load,
    loader,
    images_to_run,
)
from spikeloom.sw.datasets.recordings import from_events
from spikeloom.sw.datasets.pixels import Pixels

__all__ = [
    "SPLITS",
    "Binning",
    "Content",
    "DataLike",
    "Dataset",
    "Loader",
    "Pixels",
    "as_dataset",
    "cameras",
    "cifar",
    "digits",
    "events",
    "first_images",
    "from_events",
    "idx",
    "imagenet",
    "images_to_run",
    "inputs_of",
    "is_data",
    "load",
    "load_images",
    "loader",
    "sample",
    "shd",
]
