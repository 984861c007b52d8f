"""Symbolic traces of torch models: graphs whose nodes the rules can judge."""

from __future__ import annotations

import copy
import operator
from collections import OrderedDict
from typing import Any

from torch import fx, nn

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph.rules import LEAVES


class _Proxy(fx.Proxy):
    """A stand-in for a tensor that tells ``x += y`` from ``x = x + y``, as torch does."""

    def __iadd__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})


class Tracer(fx.Tracer):
    """A symbolic tracer that makes one node of each module in :data:`.rules.LEAVES`."""

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Return the stand-in for the value of ``node`` while the model's code runs."""
        return _Proxy(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether ``m`` becomes one node."""
        return isinstance(m, tuple(LEAVES)) or super().is_leaf_module(m, module_qualified_name)


def trace(model: nn.Module) -> fx.GraphModule:
    """Return a symbolic trace of a copy of ``model``; the model itself stays as it is.

    Raises
    ------
    UnsupportedError
        If the forward pass cannot be traced, because it depends on the data, for instance.
    """
    model = copy.deepcopy(model)
    tracer = Tracer()
    if tracer.is_leaf_module(model, "") and not isinstance(model, nn.Sequential):
        model = nn.Sequential(OrderedDict(layer=model))  # a tracer always looks into the root
    try:
        graph = tracer.trace(model)
        return fx.GraphModule(model, graph, type(model).__name__)
    except Exception as error:  # whatever the user's forward() raises when it is given a proxy
        raise UnsupportedError(
            f"the forward pass of {type(model).__name__} cannot be traced: {error}. It must do the "
            f"same for every input: move 'if', 'for' and 'assert' that depend on a tensor out of it"
        ) from None
