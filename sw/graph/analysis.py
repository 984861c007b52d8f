"""Analysis of a traced model, node by node, for check, prepare and convert alike."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph import (  # noqa: F401  # they enter their rules
    activation_rules,
    end_rules,
    group_rules,
    input_rules,
    layer_rules,
    pool_rules,
    shape_rules,
    sum_rules,
    view_rules,
)
from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.layers import LayerSpec
from spikeloom.sw.graph.reports import NodeReport, RefusalError, describe
from spikeloom.sw.graph.rows import smaller_shapes
from spikeloom.sw.graph.rules import apply_rule
from spikeloom.sw.graph.tracing import WHERE
from spikeloom.sw.graph.values import Affine
from spikeloom.sw.network import INPUT

#: Batch size of the shape propagation: not 1, so that a flattening of the batch axis shows.
_PROBE_BATCH = 2
#: Largest number of obstacles that an error message lists.
_LISTED = 8


@dataclass(frozen=True)
class Analysis:
    """The spiking network that a traced model can become, and a report on each node.

    Parameters
    ----------
    module : fx.GraphModule
        The traced model.
    layers : tuple of LayerSpec
        In order of evaluation. Only complete if every report is ``supported``.
    reports : tuple of NodeReport
        One per node, in order of evaluation.
    redundant : tuple of str
        Names of nodes that can be replaced by their input.
    ends : tuple of str
        Those of them that turn logits into probabilities.
    shapes : mapping of node name to shape
        Without the batch axis; empty if the input's shape is not known.
    normalising : mapping of str to str
        Nodes that normalise the input, and the node that each of them reads the input from.
    """

    module: fx.GraphModule
    layers: tuple[LayerSpec, ...]
    reports: tuple[NodeReport, ...]
    redundant: tuple[str, ...]
    ends: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]]
    normalising: dict[str, str]

    @property
    def outputs(self) -> tuple[int, ...] | None:
        """Shape of the model's output without the batch axis; None if it is not known."""
        (result,) = next(n for n in self.module.graph.nodes if n.op == "output").args
        return self.shapes.get(getattr(result, "name", ""))

    def affine(self) -> Affine | None:
        """Return how the model normalises its input; None if it does not.

        Raises
        ------
        UnsupportedError
            If it reads the input in several ways.
        """
        found = {
            synapse.tap.affine
            for layer in self.layers
            for synapse in layer.synapses
            if synapse.tap.source == INPUT
        }
        if len(found) > 1:
            raise UnsupportedError(
                "the model reads its input normalised in several ways, or normalised and as it is: "
                "normalise it once, and read that everywhere"
            )
        return next(iter(found), None)

    def require(self) -> Analysis:
        """Return the analysis itself, of a model that can be converted.

        Raises
        ------
        UnsupportedError
            If the model cannot be converted; the message lists the obstacles.
        """
        bad = [report for report in self.reports if not report.supported]
        if bad:
            lines = [f"  {report}" for report in bad[:_LISTED]]
            if len(bad) > _LISTED:
                lines.append(f"  and {len(bad) - _LISTED} more")
            raise UnsupportedError("the model cannot be converted:\n" + "\n".join(lines))
        if not self.layers or self.layers[-1].activation is not None:
            raise UnsupportedError("the model's output does not depend on its input")
        return self


def analyse(
    module: fx.GraphModule, input_shape: Iterable[int] | None, task: str | None = None
) -> Analysis:
    """Apply the rules to every node of a traced model.

    Parameters
    ----------
    module : fx.GraphModule
        From :func:`.trace` or :func:`spikeloom.sw.quantized.prepare`.
    input_shape : tuple of int, optional
        Shape of one image. Without it, nothing that depends on shapes is checked. An image
        (C, 1, L) is also taken for a signal (C, L), and one (C, 1, 1) for features (C,), by a model
        that takes nothing else; the module then reshapes its input.
    task : str, optional
        Meaning of the outputs, a name of a :class:`~spikeloom.sw.tasks.Task`; models with a single
        output need it.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    failure: NodeReport | None = None
    if input_shape is not None:
        shapes, failure = _shapes(module, tuple(input_shape))
    used = _used(module.graph)
    context = Context(module, shapes, used, task)
    reports = [_judge(context, node, node in used) for node in module.graph.nodes]
    reports = [
        replace(r, reason="; ".join(filter(None, (r.reason, context.notes[r.node]))))
        if r.node in context.notes and r.supported
        else r
        for r in reports
    ]
    if failure is not None:
        reports = [
            replace(r, supported=False, reason=failure.reason)
            if r.node == failure.node and r.supported
            else r
            for r in reports
        ]
    return Analysis(
        module,
        tuple(context.layers),
        tuple(reports),
        tuple(context.redundant),
        tuple(context.ends),
        shapes,
        context.normalising,
    )


def _judge(context: Context, node: fx.Node, used: bool) -> NodeReport:
    """Set the value of a node by its rule, and return the report on it."""
    context.note = ""
    try:
        if used:
            context.set_value(node, apply_rule(context, node))
        else:
            _refuse_lost_effect(context.module, node)
            context.set_unknown(node)
            context.note = "not used: left out"
        supported, reason = True, context.note
    except RefusalError as refusal:
        context.set_unknown(node)
        supported, reason = False, str(refusal)
    where = str(node.meta.get(WHERE, ""))
    return NodeReport(node.name, describe(context.module, node), supported, reason, where)


def _refuse_lost_effect(module: fx.GraphModule, node: fx.Node) -> None:
    """Raise RefusalError if an unused node changes its input in place, which a graph loses."""
    called = module.get_submodule(str(node.target)) if node.op == "call_module" else None
    name = str(getattr(node.target, "__name__", node.target))
    in_place = getattr(called, "inplace", False) or node.kwargs.get("inplace")
    in_place = in_place or node.target is operator.iadd
    if in_place or (node.op != "call_module" and name.endswith("_")):
        raise RefusalError("changes its input in place, and its result is not used: assign it")


def _used(graph: fx.Graph) -> set[fx.Node]:
    """Return the inputs, and the nodes that the output depends on."""
    pending = [node for node in graph.nodes if node.op in ("output", "placeholder")]
    used = set(pending)
    while pending:
        for source in pending.pop().all_input_nodes:
            if source not in used:
                used.add(source)
                pending.append(source)
    return used


def _shapes(
    module: fx.GraphModule, input_shape: tuple[int, ...]
) -> tuple[dict[str, tuple[int, ...]], NodeReport | None]:
    """Return the result of :func:`_propagate`, of a model of signals or features in place.

    An image of one row is then reshaped to the signal, or to the features, that the model takes.
    """
    shapes, failure = _propagate(module, input_shape)
    for shape in () if failure is None else smaller_shapes(input_shape):
        if _propagate(module, shape)[1] is None:
            _insert_reshape(module, shape)
            return _propagate(module, input_shape)
    return shapes, failure


def _insert_reshape(module: fx.GraphModule, shape: tuple[int, ...]) -> None:
    """Let a module reshape each image to ``shape`` before all else."""
    image = next(node for node in module.graph.nodes if node.op == "placeholder")
    with module.graph.inserting_after(image):
        taken = module.graph.call_method("reshape", (image, -1, *shape))
    image.replace_all_uses_with(taken, lambda reader: reader is not taken)
    module.recompile()


def _propagate(
    module: fx.GraphModule, input_shape: tuple[int, ...]
) -> tuple[dict[str, tuple[int, ...]], NodeReport | None]:
    """Return the shape of each node's result, and a report on the node that fails, if one does."""
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
