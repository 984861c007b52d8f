"""Trained networks that measurements share; a folder keeps them, so that a rerun is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from spikeloom.sw import datasets, models, training
from spikeloom.sw.training import Trained, checkpoint

#: Folder of the trained networks; ``make clean`` removes it.
CACHE = Path(__file__).parents[2] / "build" / "benchmarks"
#: L, the number of levels of every activation.
LEVELS = 4


def trained(
    name: str,
    data: str = "digits",
    root: Path | None = None,
    seed: int = 0,
    limit: int | None = None,
    folder: Path = CACHE,
    **recipe: Any,
) -> Trained:
    """Return a model of the zoo trained with L = 4: from the folder, or trained now.

    Parameters
    ----------
    name : str
        Name of the model in the zoo.
    data : str
    root : Path, optional
        Folder of the data set's original files.
    seed : int
        For the initial weights and the order of the images.
    limit : int, optional
        Train on that many images only, the first ones.
    folder : Path
    **recipe
        Options of :func:`spikeloom.sw.training.train`; by default those of ``spikeloom train``.
    """
    path = folder / f"{name}-{data}-{seed}.safetensors"
    if path.is_file():
        return checkpoint.load(path)
    examples, test = (datasets.load(data, split, root) for split in datasets.SPLITS)
    torch.manual_seed(seed)
    result = training.train(
        models.build(name),
        examples if limit is None else examples.head(limit),
        test,
        timesteps=LEVELS,
        seed=seed,
        spec=name,
        **({"shift": 1} | recipe),
    )
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.save(result, path)
    return result
