"""Pruning: masks of ``torch.nn.utils.prune``, which stay with the weights that they make 0."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import prune

#: Modules whose weights can have a mask in training, too.
_MASKED = (nn.Conv1d, nn.Conv2d, nn.Linear)
#: Name of the buffer that keeps a mask once the weights themselves are 0 under it.
_MASK = "pruning_mask"


def copied(model: nn.Module) -> nn.Module:
    """Return a deep copy of a model, which may have pruning masks.

    torch computes a weight under a mask in every forward pass, and refuses to copy it.
    """
    computed: dict[int, Any] = {id(value): value.detach().clone() for value in _computed(model)}
    return copy.deepcopy(model, computed)


def copyable(model: nn.Module) -> nn.Module:
    """Return the model itself or, if it has pruning masks, a copy that ``copy.deepcopy`` takes."""
    return copied(model) if _computed(model) else model


def _computed(model: nn.Module) -> list[Tensor]:
    return [
        value
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    ]


def keeps_mask(module: nn.Module, name: str) -> bool:
    """Return whether a pruning mask for the tensor ``name`` of a module can be kept."""
    return type(module) in _MASKED and name == "weight"


def make_permanent(model: nn.Module) -> None:
    """Turn weights under masks into plain weights, in place; :func:`mask_of` returns the masks."""
    for module in model.modules():
        if keeps_mask(module, "weight") and prune.is_pruned(module):
            mask = module.get_buffer("weight_mask")
            prune.remove(module, "weight")  # type: ignore[no-untyped-call]
            module.register_buffer(_MASK, mask, persistent=False)


def mask_of(module: nn.Module) -> Tensor | None:
    """Return where a module's weights are not pruned, as 1 and 0; None if they all are not."""
    mask = getattr(module, _MASK, None)
    return mask if isinstance(mask, Tensor) else None
