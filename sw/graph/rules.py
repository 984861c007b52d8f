"""The table of rules, which give each kind of node its value in a spiking network.

A rule is a function that gets the :class:`.Context`, a node, and the module that the node calls, if
it calls one; it returns the node's value, or raises :class:`.RefusalError`. Rules enter themselves
by the decorator :func:`rule`, in a module for each topic:

* :mod:`.end_rules`: inputs and outputs;
* :mod:`.input_rules`: normalisation of the input, and buffers;
* :mod:`.layer_rules`: weights and batch-norm;
* :mod:`.activation_rules`: activations;
* :mod:`.sum_rules`: additions;
* :mod:`.pool_rules`: pools;
* :mod:`.view_rules`: padding, slices, concatenations and splits;
* :mod:`.group_rules`: channels in groups, and axes in another order;
* :mod:`.shape_rules`: flattening, sizes, and nodes that are left out.

A new kind of node is one more function there; a new module of rules is imported by
:mod:`.analysis`. If a node is a module of a type that is not from torch, a trace has to keep that
type whole: :func:`keep_whole`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from torch import fx, nn

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.hints import HINTS
from spikeloom.sw.graph.joining import Grouped
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.values import Constant, Value

Rule = Callable[[Context, fx.Node, Any], Value]
Function = TypeVar("Function", bound=Rule)

#: Rules by module type, function, or name of a tensor's method; "placeholder", "output" and
#: "get_attr" for nodes of these kinds.
RULES: dict[Any, Rule] = {}

#: Keys of rules that judge buffers themselves.
TAKE_CONSTANTS: set[Any] = set()

#: Keys of rules that take channels in groups.
TAKE_GROUPS: set[Any] = set()

#: Module types that a trace keeps whole, and whose subclasses follow the same rule.
LEAVES: list[type[nn.Module]] = []


def rule(*keys: Hashable) -> Callable[[Function], Function]:
    """Enter a rule in the table under each of ``keys``."""

    def enter(function: Function) -> Function:
        RULES.update(dict.fromkeys(keys, function))
        return function

    return enter


def keep_whole(kind: type[nn.Module], like: type[nn.Module] | None = None) -> None:
    """Let a trace make one node of each module of a kind, instead of looking into it.

    Parameters
    ----------
    kind : type of nn.Module
        Subclasses included.
    like : type of nn.Module, optional
        Kind whose rule it follows; without it, ``kind`` needs a :func:`rule` of its own.
    """
    LEAVES.append(kind)
    if like is not None:
        RULES[kind] = RULES[like]


def options_of(node: fx.Node, module: nn.Module | None, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of a module, or of a function call whose first argument is the tensor.

    Parameters
    ----------
    node : fx.Node
    module : nn.Module or None
        The module that the node calls; None for a function or a method.
    names : tuple of str
        Attributes of the module; parameters of the function behind the tensor, in their order.

    Returns
    -------
    dict of str to object
        Options that a call leaves out are missing.
    """
    if module is not None:
        return {name: getattr(module, name) for name in names if hasattr(module, name)}
    positional = node.args[1:] if node.args else ()
    return dict(zip(names, positional, strict=False)) | dict(node.kwargs)


def refuse_constants(context: Context, node: fx.Node) -> None:
    """Raise RefusalError if a node reads a buffer, which only a normalisation may."""
    for value in context.input_values(node):
        if isinstance(value, Constant):
            raise RefusalError(
                f"uses the tensor {value.target!r} directly: use modules such as nn.Linear"
            )


def refuse_groups(context: Context, node: fx.Node) -> None:
    """Raise RefusalError if a node reads channels in groups, which only a shuffle may."""
    if any(isinstance(value, Grouped) for value in context.input_values(node)):
        raise RefusalError(
            "computes with channels that a view has split into groups: join them again before, by "
            "x.flatten(1, 2)"
        )


def apply_rule(context: Context, node: fx.Node) -> Value:
    """Return the value of ``node``.

    Raises
    ------
    RefusalError
        If it cannot be part of a spiking network.
    """
    key: Any = node.op
    module = None
    if node.op == "call_module":
        module = context.module.get_submodule(str(node.target))
        # A leaf's subclass is bound to keep its rule; that of any other module may do anything.
        key = next((leaf for leaf in LEAVES if isinstance(module, leaf)), type(module))
    elif node.op in ("call_function", "call_method"):
        key = node.target
    if key in RULES and key not in TAKE_CONSTANTS:
        refuse_constants(context, node)
    if key not in TAKE_GROUPS:
        refuse_groups(context, node)
    if key in RULES:
        return RULES[key](context, node, module)
    if key in HINTS:
        raise RefusalError(HINTS[key])
    known = (
        "Conv1d, Conv2d, Linear, BatchNorm, ReLU, LeakyReLU, clamps, additions, concatenations, "
        "slices, zero padding, average and max pools, Flatten, Dropout"
    )
    raise RefusalError(f"has no counterpart in a spiking network; supported are {known}")
