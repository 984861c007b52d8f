"""Models without the softmax or sigmoid at their ends, as they are trained: on logits."""

from __future__ import annotations

from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph.analysis import analyse
from spikeloom.sw.graph.tracing import trace

#: Functions that are told once, when they are traced, whether the model is in training.
_TOLD_ONCE = (
    functional.dropout,
    functional.dropout1d,
    functional.dropout2d,
    functional.alpha_dropout,
)


def without_end(
    model: nn.Module, input_shape: tuple[int, ...], task: str | None = None
) -> nn.Module:
    """Return a copy of a model that returns logits; a model that does so is returned itself.

    Parameters
    ----------
    model : nn.Module
        A model that can be converted, perhaps with a softmax or sigmoid behind its last layer.
    input_shape : tuple of int
        Shape of one image.
    task : str, optional
        Meaning of its outputs.

    Raises
    ------
    UnsupportedError
        If the function cannot be left out, because the model calls a function for its dropout.
    """
    analysis = analyse(trace(model), input_shape, task).require()
    if not analysis.ends:
        return model
    module = analysis.module
    if any(node.target in _TOLD_ONCE for node in module.graph.nodes):
        raise UnsupportedError(
            f"{analysis.ends[0]} at the end makes shares of logits, which cannot be trained well: "
            f"remove it, or use nn.Dropout in place of functional.dropout, so that it can be left "
            f"out"
        )
    nodes: dict[str, fx.Node] = {node.name: node for node in module.graph.nodes}
    for name in analysis.ends:
        nodes[name].replace_all_uses_with(nodes[name].all_input_nodes[0])
        module.graph.erase_node(nodes[name])
    module.graph.lint()
    module.recompile()
    return module.train(model.training)
