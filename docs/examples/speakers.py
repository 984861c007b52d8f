"""Which of nine men speaks? Vowels as 12 cepstral coefficients at 25 times (Kudo et al., 1999)."""

from importlib.metadata import distribution
from pathlib import Path

import numpy as np
from torch import nn

DATA = Path(distribution("aeon").locate_file("aeon/datasets/data/JapaneseVowels"))


def split(name):
    """Return signals as signed integers, and the names of the speakers."""
    lines = (DATA / f"JapaneseVowels_eq_{name.upper()}.ts").read_text().splitlines()
    rows = [line.split(":") for line in lines[lines.index("@data") + 1 :]]
    signals = np.array([[channel.split(",") for channel in row[:-1]] for row in rows], float)
    integers = (signals * 58).round().clip(-128, 127).astype("int8")  # the largest is 2.18
    return integers[:, :, None], [row[-1] for row in rows]


class Net(nn.Sequential):
    """A one-dimensional network, which normalises its channels itself."""

    def __init__(self):
        super().__init__(
            nn.BatchNorm1d(12),
            *(nn.Conv1d(12, 32, 3, padding=1), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(32, 32, 3, padding=1), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Flatten(), nn.Dropout(0.5), nn.Linear(32 * 6, 9)),
        )
