"""Rules for the modules of a prepared model, so that a walk takes it as it takes the original."""

from __future__ import annotations

from torch import fx, nn

from spikeloom.sw.graph.activation_rules import fire
from spikeloom.sw.graph.nodes import Rectifier, RefusalError, Tap, Value, Walk
from spikeloom.sw.graph.rules import LEAVES, RULES, rule
from spikeloom.sw.quantized.activations import Activation
from spikeloom.sw.quantized.weights import QuantConv2d, QuantLinear

LEAVES.extend([Activation, QuantConv2d, QuantLinear])
RULES[QuantConv2d] = RULES[nn.Conv2d]
RULES[QuantLinear] = RULES[nn.Linear]


@rule(Activation)
def _activation(walk: Walk, node: fx.Node, module: Activation) -> Value:
    walk.use_once(str(node.target))
    if isinstance(walk.value(node), Tap):
        raise RefusalError(f"{type(module).__name__} must follow Conv2d or Linear: remove it")
    return fire(walk, node, Rectifier(module.slope, module), f", T = {module.levels}")
