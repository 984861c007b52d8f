"""Inputs in time: what real images become at each timestep, found by the kind of the input."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from spikeloom.sw.coding import Coding
from spikeloom.sw.network import BernoulliInput
from spikeloom.sw.registry import Registered


class InputInTime(Registered):
    """An input whose images are the values that connections carry: all but those of a subclass.

    Parameters
    ----------
    coding : Coding
    """

    kinds: ClassVar[dict[str, type[InputInTime]]] = {}

    def __init__(self, coding: Coding) -> None:
        self.coding = coding

    @staticmethod
    def of(coding: Coding) -> InputInTime:
        """Return the input of a coding."""
        return InputInTime.kinds.get(coding.input.kind, InputInTime)(coding)

    def values(self, images: Tensor) -> Tensor:
        """Return the real values of images at each timestep.

        Parameters
        ----------
        images : tensor, shape (N, *image_shape)
            Real values, as the prepared model sees them.

        Returns
        -------
        tensor, shape (T, N, *shape), or (1, N, *shape) if constant
        """
        return images[None] if self.coding.input.steps is None else images.transpose(0, 1)


class BernoulliInTime(InputInTime, kind=BernoulliInput.kind):
    """Pixels that become the spikes of the contract, each worth a count of the input.

    Images are rounded to pixels. No gradients reach them.
    """

    def values(self, images: Tensor) -> Tensor:
        source = self.coding.input
        assert isinstance(source, BernoulliInput), "it is found by its kind"
        pixel = float(self.coding.input_scale / source.unit)
        highest = source.pixels().high
        pixels = (images.detach() / pixel).round().clamp(0, highest).to(torch.int64)
        draws = torch.tensor(source.draws, device=images.device)[:, None]
        spikes = draws <= pixels.reshape(-1, *source.shape) * source.ones
        return spikes.to(images.dtype) * float(self.coding.input_scale)
