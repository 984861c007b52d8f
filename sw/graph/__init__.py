"""Reading a torch model as a spiking network, node by node.

:func:`trace` makes a graph of a model, and :func:`analyse` goes through its nodes: :mod:`.rules` is
the table that has a rule for each kind of node. The result, an :class:`Analysis`, has the layers of
the spiking network, or says which nodes cannot be part of one, and why.

To add a kind of node, write a rule: see :mod:`.rules`.
"""

from spikeloom.sw.graph.activation_rules import close_layer, relay
from spikeloom.sw.graph.analysis import Analysis, analyse
from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.ends import without_end
from spikeloom.sw.graph.layer_rules import conv_padding, convolution, linear
from spikeloom.sw.graph.layers import LayerSpec, Rectifier
from spikeloom.sw.graph.pooling import Pooling
from spikeloom.sw.graph.pruning import copied, copyable, mask_of
from spikeloom.sw.graph.reports import NodeReport, RefusalError
from spikeloom.sw.graph.rows import taking_rows
from spikeloom.sw.graph.rules import keep_whole, rule
from spikeloom.sw.graph.shortcuts import weighted_shortcuts
from spikeloom.sw.graph.summary import LayerSummary, layers_in_hardware
from spikeloom.sw.graph.tracing import trace
from spikeloom.sw.graph.values import (
    SCALAR,
    UNKNOWN,
    Affine,
    Axis,
    Joined,
    Pending,
    Selection,
    SynapseSpec,
    Tap,
    Value,
    View,
    map_shape,
)

__all__ = [
    "SCALAR",
    "UNKNOWN",
    "Affine",
    "Analysis",
    "Axis",
    "Context",
    "Joined",
    "LayerSpec",
    "LayerSummary",
    "NodeReport",
    "Pending",
    "Pooling",
    "Rectifier",
    "RefusalError",
    "Selection",
    "SynapseSpec",
    "Tap",
    "Value",
    "View",
    "analyse",
    "close_layer",
    "conv_padding",
    "convolution",
    "copied",
    "copyable",
    "keep_whole",
    "layers_in_hardware",
    "linear",
    "map_shape",
    "mask_of",
    "relay",
    "rule",
    "taking_rows",
    "trace",
    "weighted_shortcuts",
    "without_end",
]
