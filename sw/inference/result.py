"""What came of images, whatever ran them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy.typing as npt
import torch
from torch import Tensor

from spikeloom.sw.errors import DataError
from spikeloom.sw.link import Traffic

#: ``progress(stage, done, total)``: ``"run"`` counts images; a simulation has stages of its own.
Progress = Callable[[str, int, int], object]


@dataclass(frozen=True, eq=False)
class Inference:
    """What came of N images; tensors are of type int64, and the same whatever ran them.

    Parameters
    ----------
    target : str
        What ran them.
    logits : Tensor, shape (N, K)
    labels : Tensor, shape (N,)
        Index of the largest logit; of several, the lowest.
    counts : mapping of str to Tensor of shape (N, *shape)
        Spikes summed over the timesteps, of the layers that were asked for.
    seconds : float
        From the first image to the last result.
    cycles : Tensor of shape (N,), or None
        Clock cycles of each image, from its first value to its last logit, where that was counted.
    cycles_per_image : float or None
        Their average; in a simulation, all clock cycles by all images, which overlap there.
    counters : mapping of str to mapping of str to int, or None
        Of each layer, where there are some: ``cycles``, ``starved``, ``blocked``, ``events``. On a
        board, they also count while the accelerator waits for the link, and modulo 2^32.
    traffic : Traffic or None
        What passed on a board's link, and what of it was resent.
    """

    target: str
    logits: Tensor
    labels: Tensor
    counts: Mapping[str, Tensor]
    seconds: float
    cycles: Tensor | None = None
    cycles_per_image: float | None = None
    counters: Mapping[str, Mapping[str, int]] | None = None
    traffic: Traffic | None = field(default=None)

    @property
    def images_per_second(self) -> float:
        """Images by seconds, those of the link included."""
        return len(self.labels) / self.seconds

    def accuracy(self, labels: npt.ArrayLike | Tensor) -> float:
        """Return the fraction of ``labels``, shape (N,), that were found.

        Raises
        ------
        DataError
            If there is not one for each image.
        """
        wanted = torch.as_tensor(labels)
        if wanted.shape != self.labels.shape:
            raise DataError(
                f"there are {len(self.labels)} images, but labels of shape {tuple(wanted.shape)}"
            )
        return float((wanted == self.labels).double().mean())
