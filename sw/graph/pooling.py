"""Pools between a source and its reader, and two pools in a row as one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from spikeloom.sw.network import MaxPool, SumPool

Pair = tuple[int, int]


@dataclass(frozen=True)
class Pooling:
    """A pool of the contract.

    Parameters
    ----------
    kind : {"sum", "max"}
        As in the contract. An average is a sum: its 1/area goes into the next threshold.
    size : (int, int)
        Rows and columns of the window.
    stride : (int, int), optional
        Distance from a window to the next; by default the size. Of a sum nothing else.
    padding : (int, int)
        Rows and columns ahead of the first ones and behind the last ones. Of a maximum only.
    ceil : bool
        Whether one more window may reach beyond the padding. Of a maximum only.
    source : (int, int), optional
        Rows and columns of the source, if they are known.
    """

    kind: str
    size: Pair
    stride: Pair = None  # type: ignore[assignment]  # the size
    padding: Pair = (0, 0)
    ceil: bool = False
    source: Pair | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.stride is None:
            object.__setattr__(self, "stride", self.size)

    @property
    def area(self) -> int:
        """Number of values in a sum, by which an average divides; 1 for a maximum."""
        return self.size[0] * self.size[1] if self.kind == "sum" else 1

    def __str__(self) -> str:
        text = f"{self.kind}-pool of {self.size}"
        if self.stride != self.size:
            text += f", stride {self.stride}"
        if any(self.padding):
            text += f", padding {self.padding}"
        return text + (", ceil_mode" if self.ceil else "")

    def then(self, other: Pooling) -> Pooling | None:
        """Return the one pool that this one and another of the same kind are, if there is one.

        Every window of the other is a window of the source: they must leave no gaps in between, and
        be cut off at the border of the source alone.
        """
        one = []
        for axis in (0, 1):
            k, s = self.size[axis], self.stride[axis]
            size = k + (other.size[axis] - 1) * s
            padding = self.padding[axis] + other.padding[axis] * s
            gaps = s > k and other.size[axis] > 1
            cut = other.padding[axis] > 0 or other.ceil
            # torch takes a padding of at most half a window.
            if gaps or (cut and not self._covers(axis)) or 2 * padding > size:
                return None
            one.append((size, s * other.stride[axis], padding))
        sizes, strides, paddings = zip(*one, strict=True)
        found = Pooling(self.kind, sizes, strides, paddings, source=self.source)
        if not (self.ceil or other.ceil):
            return found
        for ceil in (False, True):
            found = replace(found, ceil=ceil)
            if self.source is not None and all(
                found.windows(self.source[axis], axis)
                == other.windows(self.windows(self.source[axis], axis), axis)
                for axis in (0, 1)
            ):
                return found
        return None

    def windows(self, length: int, axis: int) -> int:
        """Return the number of windows along an axis (0: rows, 1: columns) of a source."""
        if self.kind == SumPool.kind:
            return SumPool(self.size).windows(length, axis)
        return MaxPool(self.size, self.stride, self.padding, self.ceil).windows(length, axis)

    def _covers(self, axis: int) -> bool:
        """Return whether it is known that the last window along an axis leaves nothing out."""
        k, s, p = self.size[axis], self.stride[axis], self.padding[axis]
        if self.source is None:
            return s == 1 and not self.ceil
        length = self.source[axis]
        return (self.windows(length, axis) - 1) * s - p + k >= length
