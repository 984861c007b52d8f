"""Tracing a torch model, and the one walk over it that check, prepare and convert share."""

from __future__ import annotations

import copy
import operator
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph import (  # noqa: F401  # they enter their rules
    activation_rules,
    layer_rules,
    shape_rules,
    sum_rules,
)
from spikeloom.sw.graph.nodes import LayerSpec, NodeReport, Walk
from spikeloom.sw.graph.rules import LEAVES, apply_rule

#: Batch size of the shape propagation: not 1, so that a flattening of the batch axis shows.
_PROBE_BATCH = 2
#: How many obstacles an error message lists.
_LISTED = 8


class _Proxy(fx.Proxy):
    """A stand-in for a tensor that knows ``x += y`` from ``x = x + y``, as torch does."""

    def __iadd__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})


class Tracer(fx.Tracer):
    """A symbolic tracer that keeps our trainable modules whole."""

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Return what stands for the value of ``node`` while the model's code runs."""
        return _Proxy(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether ``m`` becomes one node."""
        return isinstance(m, tuple(LEAVES)) or super().is_leaf_module(m, module_qualified_name)


@dataclass(frozen=True)
class Walked:
    """A model whose every node has been looked at.

    Parameters
    ----------
    module : fx.GraphModule
        A trace of a copy of the model.
    layers : tuple of LayerSpec
    reports : tuple of NodeReport
        One per node, in order of evaluation.
    redundant : tuple of str
        Names of nodes that can be replaced by their input.
    shapes : mapping of node name to shape
        Without the batch axis; empty if the input's shape is unknown.
    """

    module: fx.GraphModule
    layers: tuple[LayerSpec, ...]
    reports: tuple[NodeReport, ...]
    redundant: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]]

    def require(self) -> Walked:
        """Return itself, or raise `UnsupportedError` with everything that stands in the way."""
        bad = [report for report in self.reports if not report.supported]
        if bad:
            lines = [f"  {report}" for report in bad[:_LISTED]]
            if len(bad) > _LISTED:
                lines.append(f"  and {len(bad) - _LISTED} more")
            raise UnsupportedError("the model cannot be converted:\n" + "\n".join(lines))
        if not self.layers or self.layers[-1].activation is not None:
            raise UnsupportedError("the model's output does not depend on its input")
        return self


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
        model = nn.Sequential(OrderedDict(layer=model))  # a single layer would be looked into
    try:
        graph = tracer.trace(model)
        return fx.GraphModule(model, graph, type(model).__name__)
    except Exception as error:  # whatever the user's forward() raises when it is given a proxy
        raise UnsupportedError(
            f"the forward pass of {type(model).__name__} cannot be traced: {error}. It must do the "
            f"same for every input: move 'if', 'for' and 'assert' that depend on a tensor out of it"
        ) from None


def walk(module: fx.GraphModule, input_shape: Iterable[int] | None) -> Walked:
    """Look at every node of a traced model.

    Parameters
    ----------
    module : fx.GraphModule
        From :func:`trace` or :func:`spikeloom.sw.quantized.prepare`.
    input_shape : tuple of int, optional
        Shape of one image. Without it, what depends on shapes is not checked.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    failure: NodeReport | None = None
    if input_shape is not None:
        shapes, failure = _propagate(module, tuple(input_shape))
    walking = Walk(module, shapes)
    reports = walking.run(apply_rule)
    if failure is not None:
        reports = [
            replace(r, supported=False, reason=failure.reason)
            if r.node == failure.node and r.supported
            else r
            for r in reports
        ]
    return Walked(module, tuple(walking.layers), tuple(reports), tuple(walking.redundant), shapes)


def _propagate(
    module: fx.GraphModule, input_shape: tuple[int, ...]
) -> tuple[dict[str, tuple[int, ...]], NodeReport | None]:
    """Return each node's shape, and the node at which the model fails, if it does."""
    shapes: dict[str, tuple[int, ...]] = {}
    failed: list[fx.Node] = []

    class Probe(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            try:
                result = super().run_node(n)
            except Exception:
                failed.append(n)
                raise
            if isinstance(result, torch.Tensor) and result.ndim:
                shapes[n.name] = tuple(result.shape[1:])
            return result

    reference = next((p for p in module.parameters()), torch.zeros(()))
    image = torch.zeros(
        (_PROBE_BATCH, *input_shape), dtype=reference.dtype, device=reference.device
    )
    training = {part: part.training for part in module.modules()}
    module.eval()  # batch statistics and scales must not move
    try:
        with torch.no_grad():
            Probe(module).run(image)
    except Exception as error:  # whatever torch raises for shapes that do not fit
        node = failed[0].name if failed else ""
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = f"fails for an input of shape {input_shape}: {text}. Check input_shape"
        return shapes, NodeReport(node, "", False, reason)
    finally:
        for part, mode in training.items():
            part.training = mode
    return shapes, None
