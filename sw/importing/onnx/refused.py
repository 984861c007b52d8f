"""Operators that no spiking network has: the reason, and what to do."""

from __future__ import annotations

from typing import Final

_SMOOTH = "is no rectifier, so spike counts cannot stand for it: use ReLU or LeakyReLU"
_DATA = "depends on the data at run time and cannot be folded: use batch-norm"
_LARGER = (
    "makes feature maps larger, which no connection does: use convolutions, and compare with "
    "results of the lower resolution"
)
_STATE = (
    "carries a state from step to step, which layers do not: use Conv1d over time, padded on the "
    "left and dilated"
)
_VALUES = "multiplies values by values, which no connection does: use convolutions"
_BRANCH = "chooses what is computed at run time: export one path, by torch.export or tracing"
_COMPARE = "compares values, or chooses by a comparison, as Threshold does: use ReLU or Clip"
_INTEGERS = (
    "computes with integers in a format of its own: export with QuantizeLinear and "
    "DequantizeLinear (QDQ), or as QONNX"
)
_LABELS = "decides among outputs, which Spikeloom does itself: end the model at its logits"
_CURVE = "is not linear and no rectifier: leave it out, or compute it outside of the model"
_REDUCE = "reduces values in a way that no layer does: use a pool"
_SHUFFLE = "moves pixels into channels: use a convolution with a stride, or do it with the images"
_REPEAT = "repeats values: let additions and layers have values of one shape"

#: By operator: the reason, and what to do.
REFUSED: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "Celu", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "Mish", "Selu", "Softplus",
            "Softsign", "Swish", "Tanh", "ThresholdedRelu",
        ),
        _SMOOTH,
    ),
    "PRelu": "learns its slope, which the amplitudes of spikes cannot follow: use LeakyReLU with a "
    "fixed slope, such as 0.125",
    **dict.fromkeys(
        (
            "GroupNormalization", "InstanceNormalization", "LRN", "LayerNormalization",
            "LpNormalization", "MeanVarianceNormalization", "RMSNormalization",
        ),
        _DATA,
    ),
    **dict.fromkeys(("ConvTranspose", "MaxUnpool", "Resize", "Upsample"), _LARGER),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _STATE),
    **dict.fromkeys(("Attention", "Einsum"), _VALUES),
    **dict.fromkeys(("If", "Loop", "Scan"), _BRANCH),
    **dict.fromkeys(
        ("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Where"),
        _COMPARE,
    ),
    **dict.fromkeys(
        (
            "ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "MultiThreshold",
            "QLinearConv", "QLinearMatMul", "Trunc",
        ),
        _INTEGERS,
    ),
    **dict.fromkeys(("ArgMax", "ArgMin", "Hardmax", "TopK"), _LABELS),
    **dict.fromkeys(
        (
            "Abs", "Exp", "Floor", "Log", "Pow", "Reciprocal", "Round", "Sign", "Sqrt",
        ),
        _CURVE,
    ),
    **dict.fromkeys(("LpPool", "ReduceL2", "ReduceMax", "ReduceMin", "ReduceSum"), _REDUCE),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _SHUFFLE),
    **dict.fromkeys(("Expand", "Tile"), _REPEAT),
}  # fmt: skip
