"""Rules for the ends of a model: inputs and outputs."""

from __future__ import annotations

from torch import fx

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.layers import LayerSpec
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import rule
from spikeloom.sw.graph.values import UNKNOWN, Pending, Tap, Value
from spikeloom.sw.network import INPUT


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
    if isinstance(value, Tap):
        raise RefusalError(
            "the model ends without a final Linear or Conv2d whose sums are the logits: end with "
            "one, and with no activation or pool behind it"
        )
    if not isinstance(value, Pending):
        return UNKNOWN
    for synapse in value.synapses:
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
    context.add_layer(LayerSpec(value.name, value.synapses, None))
    context.note = f"logits of layer {value.name}"
    return value
