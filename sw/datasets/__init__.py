"""Labelled images as integer pixels: the embedded digits, image files, event recordings."""

from spikeloom.sw.datasets.dataset import (
    LOADERS,
    SPLITS,
    Binning,
    Dataset,
    load,
)

__all__ = ["LOADERS", "SPLITS", "Binning", "Dataset", "load"]
