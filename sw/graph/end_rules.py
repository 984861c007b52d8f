"""Rules for the ends of a model: inputs and outputs."""

from __future__ import annotations

import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.layers import LayerSpec
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import options_of, rule
from spikeloom.sw.graph.values import UNKNOWN, Joined, Pending, Tap, Value
from spikeloom.sw.network import INPUT
from spikeloom.sw.tasks import CLASSES, LABELS, VALUES

#: Meaning of the last layer's sums, by task.
_MEANT: dict[str | None, str] = {LABELS: "logits of several labels", VALUES: "values"}
#: Function of torch that trains logits, by task.
_LOSSES: dict[str | None, str] = {LABELS: "binary_cross_entropy_with_logits"}


@rule("placeholder")
def _placeholder(context: Context, node: fx.Node, module: None) -> Value:
    first = next(n for n in context.module.graph.nodes if n.op == "placeholder")
    if node is not first:
        raise RefusalError("the model takes more than one input: only one image can enter")
    context.note = "pixels"
    return Tap(INPUT)


@rule("output")
def _output(context: Context, node: fx.Node, module: None) -> Value:
    (result,) = node.args
    if not isinstance(result, fx.Node):
        raise RefusalError(
            "the model returns something else than one tensor: return the logits only"
        )
    value = context.input_value(node)
    if isinstance(value, (Tap, Joined)):
        raise RefusalError(
            "the model ends without a final Linear or Conv2d whose sums are the logits: end with "
            "one, and with no activation or pool behind it"
        )
    if not isinstance(value, Pending):
        return UNKNOWN
    for synapse in value.synapses:
        if synapse.target is None:
            raise RefusalError(
                "the logits are values of earlier layers: end with a Linear or Conv2d of their own"
            )
        if synapse.norm:
            raise RefusalError(
                f"the batch-norm {synapse.norm!r} follows the output layer, whose logits must "
                f"share one scale: remove it"
            )
    if value.pool:
        raise RefusalError("a max-pool follows the output layer: remove it")
    shape = context.input_shape(node)
    if shape is not None and len(shape) != 1:
        raise RefusalError(f"the output has the shape {shape} per image: flatten it to the logits")
    if shape == (1,) and context.task is None:
        raise RefusalError(
            "there is one logit, which would always be the largest: say what it means, "
            "task='classes' if its sign decides between two classes, or task='values' if it is a "
            "value; or end with nn.Linear(..., 2), one logit for each class, and train with "
            "cross_entropy"
        )
    context.add_layer(LayerSpec(value.name, value.synapses, None))
    meant = _MEANT.get(context.task or CLASSES, "logits")
    if shape == (1,) and context.task == CLASSES:
        meant = "one logit, whose sign decides between two classes,"
    context.note = f"{meant} of layer {value.name}"
    return value


@rule(
    nn.Softmax,
    nn.LogSoftmax,
    functional.softmax,
    functional.log_softmax,
    torch.softmax,
    torch.log_softmax,
    "softmax",
    "log_softmax",
)
def _softmax(context: Context, node: fx.Node, module: nn.Softmax | None) -> Value:
    if context.task in (LABELS, VALUES):
        meant = "labels that do not exclude each other" if context.task == LABELS else "values"
        raise RefusalError(f"makes outputs shares of one whole, but they are {meant}: remove it")
    dim = options_of(node, module, ("dim",)).get("dim")
    if dim not in (1, -1, None):
        raise RefusalError(f"is over dim={dim}, and classes are in dim=1: use dim=1")
    return _at_the_end(context, node)


@rule(
    nn.Sigmoid, nn.LogSigmoid, functional.sigmoid, functional.logsigmoid, torch.sigmoid, "sigmoid"
)
def _sigmoid(context: Context, node: fx.Node, module: nn.Module | None) -> Value:
    if context.task == VALUES:
        raise RefusalError("changes the values, so it cannot be left out: remove it")
    return _at_the_end(context, node)


def _at_the_end(context: Context, node: fx.Node) -> Value:
    """Leave out a function that keeps the order of logits, if nothing but the output reads it."""
    value = context.input_value(node)
    if any(user.op != "output" for user in node.users):
        raise RefusalError(
            "is no rectifier, so spike counts cannot stand for it: use ReLU or LeakyReLU"
        )
    if isinstance(value, Pending):
        context.redundant.append(node.name)
        context.ends.append(node.name)
        context.note = (
            "left out: does not change which class is largest; the prepared model returns logits, "
            f"so train it on them, with {_LOSSES.get(context.task, 'cross_entropy')}"
        )
    return value
