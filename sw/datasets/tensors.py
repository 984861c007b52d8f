"""Tensors of torch among values of any type, found without importing torch, which takes seconds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import TypeIs


def is_tensor(values: Any) -> TypeIs[Tensor]:
    """Return whether ``values`` is a tensor. While torch is not imported, nothing is one."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)
