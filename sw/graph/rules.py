"""What each kind of node means in a spiking network: a table, one small function per kind.

The functions are in :mod:`spikeloom.sw.graph.layer_rules` and
:mod:`spikeloom.sw.graph.shape_rules`, and enter themselves here; a new kind of node is one more of
them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.graph.nodes import (
    RefusalError,
    Value,
    Walk,
)

Rule = Callable[[Walk, fx.Node, Any], Value]
#: Rules by module type, function, or name of a tensor's method. A rule gets the walk, the node and
#: the module that it calls, if any.
RULES: dict[Hashable, Rule] = {}

#: Why the most likely modules and functions without a rule are refused, and what to do.
HINTS: dict[Hashable, str] = {
    nn.ReLU6: "clips at 6; the prepared activation learns its own clip: use nn.ReLU",
    functional.relu6: "clips at 6; the prepared activation learns its own clip: use relu",
    nn.LeakyReLU: "needs negative spikes, which are not supported yet: use nn.ReLU",
    functional.leaky_relu: "needs negative spikes, which are not supported yet: use relu",
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
    "is no rectifier, so spike counts cannot stand for it: use ReLU",
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
    "residual connections are not supported yet: remove the addition",
    operator.add,
    operator.iadd,
    torch.add,
    "add",
    "add_",
)
_hint(
    "branches that meet again are not supported yet: use a chain of layers",
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


def rule(*keys: Hashable) -> Callable[[Rule], Rule]:
    """Enter a rule in the table under each of ``keys``."""

    def enter(function: Rule) -> Rule:
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
        key = type(module)
    elif node.op in ("call_function", "call_method"):
        key = node.target
    if key in RULES:
        return RULES[key](walk, node, module)
    if key in HINTS:
        raise RefusalError(HINTS[key])
    known = "Conv2d, Linear, BatchNorm, ReLU, AvgPool2d, MaxPool2d, Flatten, Dropout"
    raise RefusalError(f"has no counterpart in a spiking network; supported are {known}")
