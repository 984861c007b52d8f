"""Reasons why common modules and functions without a rule are refused, and what to do.

Nodes that are in neither table get a general message from :func:`.rules.apply_rule`.
"""

from __future__ import annotations

import operator
from collections.abc import Hashable

import torch
from torch import nn
from torch.nn import functional

#: By module type, function or name of a tensor's method: the reason, and what to do.
HINTS: dict[Hashable, str] = {}


def _hint(text: str, *keys: Hashable) -> None:
    HINTS.update(dict.fromkeys(keys, text))


_hint(
    "learns its slope, which the amplitudes of spikes cannot follow: use LeakyReLU with a fixed "
    "slope, such as 0.125",
    nn.PReLU,
    functional.prelu,
    torch.prelu,
    "prelu",
)
_hint(
    "draws its slope at random in training: use LeakyReLU",
    nn.RReLU,
    functional.rrelu,
    torch.rrelu,
)
_hint(
    "is no rectifier, so spike counts cannot stand for it: use ReLU or LeakyReLU",
    nn.Tanh,
    nn.GELU,
    nn.SiLU,
    nn.ELU,
    nn.Softplus,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Mish,
    nn.SELU,
    nn.CELU,
    functional.gelu,
    functional.silu,
    functional.elu,
    functional.tanh,
    functional.hardswish,
    functional.hardsigmoid,
    functional.mish,
    functional.selu,
    functional.celu,
    torch.tanh,
    "tanh",
)
_hint(
    "subtracts, but branches can only be added: let the weights of one have the other sign",
    operator.sub,
    operator.isub,
    torch.sub,
    "sub",
    "sub_",
)
_hint(
    "joins branches along a new axis: join their channels by torch.cat(..., dim=1)",
    torch.stack,
)
_hint(
    "repeats rows and columns, which no connection does: leave it out, and compare with results "
    "of the lower resolution",
    nn.Upsample,
    nn.UpsamplingNearest2d,
    nn.UpsamplingBilinear2d,
    functional.interpolate,
    functional.upsample,
)
_hint(
    "makes feature maps larger, which no connection does: use nn.Conv2d, and compare with results "
    "of the lower resolution",
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    functional.conv_transpose2d,
)
_hint(
    "depends on the data at run time and cannot be folded: use batch-norm",
    nn.LayerNorm,
    nn.GroupNorm,
    nn.InstanceNorm2d,
)
_hint(
    "carries a state from step to step, which layers do not: use nn.Conv1d over time, as temporal "
    "convolutional networks do, padded on the left and dilated",
    nn.RNN,
    nn.LSTM,
    nn.GRU,
)
_hint(
    "multiplies values by values, which no connection does: use convolutions",
    nn.MultiheadAttention,
    nn.TransformerEncoderLayer,
    nn.TransformerEncoder,
    functional.scaled_dot_product_attention,
    operator.matmul,
    torch.matmul,
    torch.bmm,
    torch.einsum,
    "matmul",
    "bmm",
)
_hint(
    "takes its weights as arguments: use the module (nn.Linear, nn.Conv2d, ...)",
    functional.linear,
    functional.conv2d,
    torch.conv2d,
    functional.batch_norm,
)
