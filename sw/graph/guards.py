"""Guards: models that a trace would change, or lose a part of, and what to do about each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from spikeloom.sw.graph.pruning import keeps_mask
from spikeloom.sw.graph.reports import NodeReport

#: Attributes with a module's hooks, and what the hooks are called.
_HOOKS = {
    "_forward_hooks": "forward hook",
    "_forward_pre_hooks": "forward pre-hook",
    "_backward_hooks": "backward hook",
    "_backward_pre_hooks": "backward pre-hook",
}
#: Hooks of torch's own utilities, by the name of their type: what they do, and what undoes it.
_UTILITIES = {
    "WeightNorm": (
        "computes its weights by weight_norm: torch.nn.utils.remove_weight_norm({module})"
    ),
    "SpectralNorm": (
        "computes its weights by spectral_norm: torch.nn.utils.remove_spectral_norm({module})"
    ),
}


def lost_by_tracing(model: nn.Module) -> list[NodeReport]:
    """Return a report on each part of a model that a trace would change or lose."""
    wrapped = _wrapper(model)
    if wrapped:
        return [NodeReport("forward", type(model).__name__, False, wrapped)]
    reports = []
    for path, module in model.named_modules():
        found = [*_hooks(path, module), *_parametrisations(path, module), *_not_finite(module)]
        found += [_wrapper(module)] if path else []
        what = type(module).__name__
        reports += [NodeReport(path or "model", what, False, text) for text in found if text]
    return reports


def _wrapper(model: nn.Module) -> str:
    """Return the reason why a model is refused as it is wrapped; empty if it is not."""
    if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return "spreads the model over devices: give the model inside, model.module"
    if isinstance(model, torch.jit.ScriptModule):
        return (
            "is compiled by torch.jit, which hides its modules: give the model that was scripted "
            "or traced, and load its weights by load_state_dict(scripted.state_dict())"
        )
    if hasattr(model, "_orig_mod"):
        return "is compiled by torch.compile: give the model inside, model._orig_mod"
    return ""


def _hooks(path: str, module: nn.Module) -> list[str]:
    reasons = []
    for attribute, kind in _HOOKS.items():
        for hook in getattr(module, attribute, {}).values():
            reasons.append(_of_hook(path, module, hook, kind))
    return list(dict.fromkeys(reasons))


def _of_hook(path: str, module: nn.Module, hook: Callable[..., Any], kind: str) -> str:
    name = type(hook).__name__
    where = f"model.get_submodule({path!r})" if path else "model"
    if name in _UTILITIES:
        return _UTILITIES[name].format(module=where)
    if hasattr(hook, "_tensor_name") and hasattr(hook, "apply_mask"):
        if keeps_mask(module, hook._tensor_name):
            return ""
        return (
            f"has a pruning mask for its {hook._tensor_name}, which would be lost: "
            f"torch.nn.utils.prune.remove({where}, {hook._tensor_name!r}) makes the zeros weights"
        )
    called = getattr(hook, "__qualname__", name)
    return (
        f"has a {kind}, {called}, which neither a trace nor hardware runs: call remove() on the "
        f"handle that register_{kind.replace(' ', '_').replace('-', '_')}() returned, and write "
        f"into forward() whatever it does"
    )


def _parametrisations(path: str, module: nn.Module) -> list[str]:
    if not parametrize.is_parametrized(module):
        return []
    where = f"model.get_submodule({path!r})" if path else "model"
    return [
        f"computes its {name} by {', '.join(type(p).__name__.lstrip('_') for p in made)}: "
        f"torch.nn.utils.parametrize.remove_parametrizations({where}, {name!r})"
        for name, made in module.parametrizations.items()  # type: ignore[union-attr,operator]
    ]


def _not_finite(module: nn.Module) -> list[str]:
    if any(is_lazy(p) for p in module.parameters(recurse=False)):
        return ["has no weights yet, since it is lazy: run the model on one batch of images first"]
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return [
        f"its {name} is not finite (NaN or infinite): its training has diverged; train again with "
        f"a lower learning rate, or from an earlier checkpoint"
        for name, tensor in tensors
        if tensor.is_floating_point() and not torch.isfinite(tensor).all()
    ]
