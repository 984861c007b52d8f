"""What each kind of node means in a spiking network: a table, one small function per kind.

The functions are in :mod:`layer_rules`, :mod:`activation_rules`, :mod:`sum_rules` and
:mod:`shape_rules`, and enter themselves here; a new kind of node is one more of them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.graph.nodes import RefusalError, Value, Walk

Rule = Callable[[Walk, fx.Node, Any], Value]
Function = TypeVar("Function", bound=Rule)
#: Rules by module type, function, or name of a tensor's method. A rule gets the walk, the node and
#: the module that it calls, if any.
RULES: dict[Hashable, Rule] = {}

#: Module types that a trace keeps whole, and whose subclasses follow the same rule.
LEAVES: list[type[nn.Module]] = []

#: Why the most likely modules and functions without a rule are refused, and what to do.
HINTS: dict[Hashable, str] = {
    nn.ReLU6: "clips at 6; the prepared activation learns its own clip: use nn.ReLU",
    functional.relu6: "clips at 6; the prepared activation learns its own clip: use relu",
}


def _hint(text: str, *keys: Hashable) -> None:
    HINTS.update(dict.fromkeys(keys, text))


_hint(
    "does not change which class is largest: remove it, and train on the logits with cross_entropy",
    nn.Softmax,
    nn.LogSoftmax,
    functional.softmax,
    functional.log_softmax,
    torch.softmax,
    torch.log_softmax,
    "softmax",
    "log_softmax",
)
_hint(
    "learns its slope, which the amplitudes of spikes cannot follow: use LeakyReLU with a fixed "
    "slope, such as 0.125",
    nn.PReLU,
    functional.prelu,
    torch.prelu,
    "prelu",
)
_hint(
    "draws its slope at random in training: use LeakyReLU",
    nn.RReLU,
    functional.rrelu,
    torch.rrelu,
)
_hint(
    "is no rectifier, so spike counts cannot stand for it: use ReLU or LeakyReLU",
    nn.Sigmoid,
    nn.Tanh,
    nn.GELU,
    nn.SiLU,
    nn.ELU,
    nn.Hardtanh,
    nn.Softplus,
    functional.sigmoid,
    functional.gelu,
    functional.silu,
    functional.elu,
    torch.sigmoid,
    torch.tanh,
    "sigmoid",
    "tanh",
)
_hint(
    "subtracts, but branches can only be added: let the weights of one have the other sign",
    operator.sub,
    operator.isub,
    torch.sub,
    "sub",
    "sub_",
)
_hint(
    "joins branches side by side, which is not supported: add them up instead",
    torch.cat,
    torch.concat,
    torch.stack,
)
_hint(
    "depends on the data at run time and cannot be folded: use batch-norm",
    nn.LayerNorm,
    nn.GroupNorm,
    nn.InstanceNorm2d,
)
_hint(
    "takes its weights as arguments: use the module (nn.Linear, nn.Conv2d, ...)",
    functional.linear,
    functional.conv2d,
    torch.conv2d,
    functional.batch_norm,
)


def options_of(node: fx.Node, module: nn.Module | None, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of a module, or of a function call whose first argument is the tensor."""
    if module is not None:
        return {name: getattr(module, name) for name in names if hasattr(module, name)}
    positional = node.args[1:] if node.args else ()
    return dict(zip(names, positional, strict=False)) | dict(node.kwargs)


def rule(*keys: Hashable) -> Callable[[Function], Function]:
    """Enter a rule in the table under each of ``keys``."""

    def enter(function: Function) -> Function:
        RULES.update(dict.fromkeys(keys, function))
        return function

    return enter


def apply_rule(walk: Walk, node: fx.Node) -> Value:
    """Return what ``node`` yields.

    Raises
    ------
    RefusalError
        If it cannot be part of a spiking network.
    """
    key: Any = node.op
    module = None
    if node.op == "call_module":
        module = walk.module.get_submodule(str(node.target))
        # A leaf's subclass is bound to keep its rule; that of any other module may do anything.
        key = next((leaf for leaf in LEAVES if isinstance(module, leaf)), type(module))
    elif node.op in ("call_function", "call_method"):
        key = node.target
    if key in RULES:
        return RULES[key](walk, node, module)
    if key in HINTS:
        raise RefusalError(HINTS[key])
    known = (
        "Conv2d, Linear, BatchNorm, ReLU, LeakyReLU, additions, AvgPool2d, MaxPool2d, Flatten, "
        "Dropout"
    )
    raise RefusalError(f"has no counterpart in a spiking network; supported are {known}")
