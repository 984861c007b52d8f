"""What is noise in a photograph? Learned on the left halves of two, measured on the right ones."""

import numpy as np
from sklearn.datasets import load_sample_images
from sklearn.feature_extraction.image import extract_patches_2d
from torch import nn


def split(name):
    """Return noisy patches of 16x16 grey pixels, and their noise, 256 values each."""
    seed, columns, count = (0, slice(320), 1000) if name == "train" else (1, slice(320, 640), 50)
    halves = [photo.mean(2)[:, columns] for photo in load_sample_images().images]
    clean = np.concatenate(
        [
            extract_patches_2d(half, (16, 16), max_patches=count, random_state=seed)
            for half in halves
        ]
    )
    noise = np.random.default_rng(seed).normal(0, 25, clean.shape)
    noisy = (clean + noise).round().clip(0, 255).astype("uint8")
    return noisy, (noisy - clean).reshape(len(clean), -1)


class Net(nn.Sequential):
    """Three convolutions, whose output is a feature map of values."""

    def __init__(self):
        super().__init__(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(16, 1, 3, padding=1), nn.Flatten()),
        )
