"""Files of spoken digits as the Spiking Heidelberg Digits have them, of a few recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

#: (times in seconds, channels) of a recording.
Heard = tuple[Sequence[float], Sequence[int]]


def write_spoken(
    path: Path,
    recordings: Sequence[Heard],
    labels: Sequence[int],
    times: str = "<f2",
    **options: Any,
) -> Path:
    """Write recordings, with the HDF5 library's ``options`` of the arrays of rows."""
    with h5py.File(path, "w") as file:
        file["labels"] = np.array(labels, np.uint16)
        spikes = file.create_group("spikes")
        for place, (name, dtype) in enumerate((("times", times), ("units", "<u2"))):
            rows = spikes.create_dataset(
                name, (len(recordings),), h5py.vlen_dtype(np.dtype(dtype)), **options
            )
            for index, recording in enumerate(recordings):
                rows[index] = np.array(recording[place], dtype)
        file["extra/speaker"] = np.zeros(len(labels), np.uint16)
    return path
