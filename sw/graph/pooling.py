"""Pools between a source and its reader, and two pools in a row as one."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    kind: str
    size: Pair
    stride: Pair = None  # type: ignore[assignment]  # the size
    padding: Pair = (0, 0)
    ceil: bool = False

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
        if self.ceil or other.ceil:
            return None
        one = []
        for k, s, p, k2, s2, p2 in zip(
            *(self.size, self.stride, self.padding),
            *(other.size, other.stride, other.padding),
            strict=True,
        ):
            size, padding = k + (k2 - 1) * s, p + p2
            # Windows further apart than 1 may leave out the last values of the source. And torch
            # takes a padding of at most half a window.
            if (s > k and k2 > 1) or (p2 and s > 1) or 2 * padding > size:
                return None
            one.append((size, s * s2, padding))
        rows, columns = one
        sizes, strides, paddings = zip(rows, columns, strict=True)
        return Pooling(self.kind, sizes, strides, paddings)
