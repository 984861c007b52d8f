"""Symbolic traces of torch models: graphs whose nodes the rules can judge."""

from __future__ import annotations

import inspect
import linecache
import operator
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph.guards import lost_by_tracing
from spikeloom.sw.graph.pruning import copied, make_permanent
from spikeloom.sw.graph.rules import LEAVES

#: Key of a node's ``meta`` for the line of code that it comes from.
WHERE = "where"
#: Key of a model's ``meta`` for the function that returns its ``repr``.
SUMMARY = "summary"
_TORCH = str(Path(torch.__file__).parent)


class Traced(fx.GraphModule):
    """A traced model, whose ``repr`` is that of its summary, if its ``meta`` has one."""

    def __repr__(self) -> str:
        summary = self.meta.get(SUMMARY)
        return super().__repr__() if summary is None else str(summary(self))


class _Proxy(fx.Proxy):
    """A stand-in for a tensor that tells ``x += y`` from ``x = x + y``, as torch does."""

    def __iadd__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})


class Tracer(fx.Tracer):
    """A symbolic tracer that makes one node of each module in :data:`.rules.LEAVES`."""

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        """Return a new node, which remembers the line of code that it comes from."""
        node = super().create_node(*args, **kwargs)
        node.meta[WHERE] = _line()
        return node

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Return the stand-in for the value of ``node`` while the model's code runs."""
        return _Proxy(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether ``m`` becomes one node."""
        return isinstance(m, tuple(LEAVES)) or super().is_leaf_module(m, module_qualified_name)


def trace(model: nn.Module) -> fx.GraphModule:
    """Return a symbolic trace of a copy of ``model``; the model itself stays as it is.

    Arguments of the forward pass other than the image take their defaults.

    Raises
    ------
    UnsupportedError
        If the model does something that a trace would lose, or the forward pass cannot be traced,
        because it depends on the data, for instance.
    """
    obstacles = lost_by_tracing(model)
    if obstacles:
        lines = "\n".join(f"  {report}" for report in obstacles)
        raise UnsupportedError(f"the model cannot be converted:\n{lines}")
    model = copied(model)
    make_permanent(model)
    tracer = Tracer()
    if tracer.is_leaf_module(model, "") and not isinstance(model, nn.Sequential):
        model = nn.Sequential(OrderedDict(layer=model))  # a tracer always looks into the root
    try:
        defaults = _defaults(model)
        graph = tracer.trace(model, defaults)
        _drop_defaults(graph, defaults)
        return Traced(model, graph, type(model).__name__)
    except Exception as error:  # whatever the user's forward() raises when it is given a proxy
        raise UnsupportedError(
            f"the forward pass of {type(model).__name__} cannot be traced: {error}. It must do the "
            f"same for every input: move 'if', 'for' and 'assert' that depend on a tensor out of it"
        ) from None


def _line() -> str:
    """Return file, line and code of the innermost line of the user's that is being executed."""
    frame = inspect.currentframe()
    found: tuple[str, int] | None = None
    while frame is not None:
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if path == __file__ and name == "trace":
            break
        if path != __file__ and not path.startswith(_TORCH):
            found = found or (path, frame.f_lineno)
            if name == "forward":
                if found[0].startswith("<"):
                    return ""  # generated code, of which the user has no file
                code = linecache.getline(*found).strip()
                return f"{Path(found[0]).name}, line {found[1]}: {code}"
        frame = frame.f_back
    return ""


def _defaults(model: nn.Module) -> dict[str, Any]:
    """Return the defaults of all arguments of a forward pass but the first."""
    if isinstance(model, fx.GraphModule):
        return {}
    arguments = list(inspect.signature(model.forward).parameters.values())
    return {a.name: a.default for a in arguments[1:] if a.default is not a.empty}


def _drop_defaults(graph: fx.Graph, defaults: Collection[str]) -> None:
    """Remove the placeholders of arguments that have taken their defaults, and their checks."""
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    for node in inputs[1:]:
        name = str(node.target)
        if name.startswith("*") and not node.users:
            graph.erase_node(node)
        elif name.rpartition("_")[0] in defaults:
            equal = list(node.users)
            checks = [user for each in equal for user in each.users]
            for dead in (*checks, *equal, node):
                graph.erase_node(dead)
