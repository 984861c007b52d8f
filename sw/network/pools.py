"""Pools of the contract: sums and maxima over windows of a source's values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import Record, Shape, require_pair
from spikeloom.sw.network.transports import Transport


@dataclass(frozen=True, eq=False)
class Pool(Record):
    """Pooling of the source's values before the synapses see them.

    Unless the kind says otherwise, windows do not overlap, and rows and columns that do not fill a
    window are left out, as torch does by default.

    Parameters
    ----------
    size : (int, int)
        Window in rows and columns.

    Attributes
    ----------
    transports : frozenset of Transport
        Those in which the pool is exact.
    """

    kinds: ClassVar[dict[str, type[Pool]]] = {}
    transports: ClassVar[frozenset[str]] = frozenset(Transport)
    size: tuple[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", require_pair(self.size, "pool size", 1, 1 << 12))

    @property
    def stride(self) -> tuple[int, int]:
        """Distance from a window to the next, in rows and columns."""
        return self.size

    @property
    def padding(self) -> tuple[int, int]:
        """Number of rows and columns by which the first window begins ahead of the source."""
        return (0, 0)

    @property
    def tiled(self) -> bool:
        """Whether windows lie side by side: they do not overlap, and none leaves the source."""
        return True

    def windows(self, length: int, axis: int) -> int:
        """Return the number of windows along an axis (0: rows, 1: columns) of a source."""
        return length // self.size[axis]

    def shape(self, source: Shape) -> Shape:
        """Return the shape of the pooled feature map."""
        if len(source) != 3:
            raise ContractError(
                f"a pool needs a source of shape (channels, height, width), not {source}"
            )
        pooled = (source[0], self.windows(source[1], 0), self.windows(source[2], 1))
        if min(pooled) < 1:
            raise ContractError(f"a pool of {self.size} is larger than its source {source}")
        return pooled

    def values(self, source: Range) -> Range:
        """Return the range of a pooled value."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class SumPool(Pool, kind="sum"):
    """Sum over each window; 1/area of an average pool is absorbed in the target's threshold."""

    def values(self, source: Range) -> Range:
        return source.times(math.prod(self.size))


@dataclass(frozen=True, eq=False)
class MaxPool(Pool, kind="max"):
    """Maximum over each window: exact on counts, and on nothing else.

    Windows may overlap, and may reach beyond the source. What lies beyond is never the maximum:
    windows are cut off there, as in ``torch.nn.MaxPool2d``.

    Parameters
    ----------
    size : (int, int)
        Window in rows and columns.
    stride : (int, int), optional
        Distance from a window to the next; by default the size.
    padding : (int, int), optional
        Number of rows and columns by which the first window begins ahead of the source. As many may
        lie behind it. Less than the size.
    ceil : bool, optional
        Whether there is one more window where the last one leaves out rows or columns of the
        source, though it reaches beyond the padding. It has to begin on the source.
    """

    transports = frozenset({Transport.COUNT})
    stride: tuple[int, int] = None  # type: ignore[assignment]  # the size
    padding: tuple[int, int] = (0, 0)
    ceil: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        stride = self.size if self.stride is None else self.stride
        object.__setattr__(self, "stride", require_pair(stride, "pool stride", 1, 1 << 12))
        padding = require_pair(self.padding, "pool padding", 0, 1 << 12)
        object.__setattr__(self, "padding", padding)
        for axis, name in enumerate(("vertical", "horizontal")):
            if padding[axis] >= self.size[axis]:
                raise ContractError(
                    f"{name} padding {padding[axis]} must be smaller than the pool's "
                    f"{self.size[axis]}: a window of padding alone has no maximum"
                )
        if not isinstance(self.ceil, bool):
            raise ContractError(f"ceil of a pool must be true or false, not {self.ceil!r}")

    def header(self) -> dict[str, Any]:
        """Return the JSON part, without what is left at its default.

        So networks without overlapping pools keep their digests and files.
        """
        header = super().header()
        defaults = {"stride": self.size, "padding": (0, 0), "ceil": False}
        return {k: v for k, v in header.items() if k not in defaults or v != defaults[k]}

    @property
    def tiled(self) -> bool:
        return self.stride == self.size and self.padding == (0, 0) and not self.ceil

    def windows(self, length: int, axis: int) -> int:
        size, stride, padding = self.size[axis], self.stride[axis], self.padding[axis]
        room = length + 2 * padding - size
        if not self.ceil:
            return room // stride + 1
        # The last window begins on the source or in the padding ahead of it.
        return min(-(-room // stride), (length + padding - 1) // stride) + 1

    def values(self, source: Range) -> Range:
        return source
