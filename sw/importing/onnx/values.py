"""Values that the nodes of an ONNX file pass on.

* :class:`Signal`: values of the model that depend on its input;
* :class:`Constant`: numbers that do not, such as weights, possibly with a :class:`Grid`, the
  integers that they are multiples of;
* :class:`Levels`: the integers between ``QuantizeLinear`` and ``DequantizeLinear``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from torch import Tensor, fx

#: Stands for the number of images, where that is open, among the sizes of a tensor.
BATCH: Final = -(1 << 40)


@dataclass(frozen=True)
class Signal:
    """Values that depend on the model's input.

    Parameters
    ----------
    node : fx.Node
        The node of the torch model that computes them.
    probe : tensor on the device "meta"
        Has their shape, with the axis of the batch, and no memory.
    readers : int
        Number of nodes of the file that read them.
    """

    node: fx.Node
    probe: Tensor
    readers: int = 1

    @property
    def rank(self) -> int:
        """Number of axes, that of the batch included."""
        return self.probe.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image's values."""
        return tuple(self.probe.shape[1:])


@dataclass(frozen=True)
class Grid:
    """Integers q, and the scale s of each, with ``value = q * s``.

    Parameters
    ----------
    integers : tensor of int64
        Of the value's shape.
    scale : tensor of float32, shape (1,) or (channels,)
    axis : int
        Axis of the channels; any, if there is one scale.
    bits : int
        Bits that were meant for the integers.
    """

    integers: Tensor
    scale: Tensor
    axis: int
    bits: int


@dataclass(frozen=True)
class Constant:
    """Numbers that do not depend on the model's input.

    Parameters
    ----------
    value : tensor
        Of floats or of int64.
    kind : int
        Type in the file, a member of ``onnx.TensorProto.DataType``.
    name : str
        Of the initialiser that it comes from; empty for others.
    grid : Grid, optional
        Integers that the numbers are multiples of.
    """

    value: Tensor
    kind: int
    name: str = ""
    grid: Grid | None = None


@dataclass(frozen=True)
class Levels:
    """Integers that a ``QuantizeLinear`` makes of values.

    Parameters
    ----------
    source : Signal
    scale : float
    low, high : int
        Least and largest multiple of the scale.
    zero : int
        Integer that stands for 0.
    """

    source: Signal
    scale: float
    low: int
    high: int
    zero: int


Value = Signal | Constant | Levels
