"""Images of one row for models of signals, and images of one pixel for models of features."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def smaller_shapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shapes that an image of one row can stand for.

    They are that of a signal, (C, L) of (C, 1, L), and of features, (C,) of (C, 1, 1).
    """
    if len(shape) != 3 or shape[1] != 1:
        return []
    channels, _, length = shape
    signal: list[tuple[int, ...]] = [(channels, length)]
    return [(channels,), *signal] if length == 1 else signal


class Reshaped(nn.Module):
    """A model of signals or of features that takes images of one row.

    Parameters
    ----------
    model : nn.Module
        It is shared, not copied.
    shape : tuple of int
        Of what it takes: (channels, length) or (features,).
    """

    def __init__(self, model: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.model = model
        self.shape = shape
        self.training = model.training  # not train(), which would reach into the model

    def forward(self, images: Tensor) -> Tensor:
        """Return the model's outputs for images of shape (N, C, 1, L)."""
        outputs: Tensor = self.model(images.reshape(-1, *self.shape))
        return outputs


def taking_rows(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """Return a model that takes images of a shape: the model itself, mostly.

    A model that takes signals (C, L) or features (C,), but no images of one row, is wrapped.

    Parameters
    ----------
    model : nn.Module
    shape : tuple of int
        Of one image.
    """
    smaller = smaller_shapes(shape)
    if not smaller or _takes(model, shape):
        return model
    return next((Reshaped(model, s) for s in smaller if _takes(model, s)), model)


def _takes(model: nn.Module, shape: tuple[int, ...]) -> bool:
    """Return whether a model has outputs (N, K) for images of a shape."""
    training = {part: part.training for part in model.modules()}
    reference = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    images = torch.zeros((2, *shape), dtype=reference.dtype, device=reference.device)
    model.eval()
    try:
        with torch.no_grad():
            return bool(len(model(images)) == 2)
    except Exception:  # whatever torch raises for shapes that do not fit
        return False
    finally:
        for part, mode in training.items():
            part.training = mode
