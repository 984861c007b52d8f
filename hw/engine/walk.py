"""Walk: what is known of each place in a sequence, looked up ahead."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value


class Walk:
    """Walks along a sequence of places, such as the columns of the output, again and again.

    What is known of a place is looked up while the walk is still at the place before, so that it
    comes from registers.

    Parameters
    ----------
    m : Module
    name : str
        For signals.
    length : int
        Number of places.
    go : Signal
        Whether to go on to the next place; the first one follows the last.

    Attributes
    ----------
    last : Value
        Whether this is the last place.
    """

    def __init__(self, m: Module, name: str, length: int, go: Signal) -> None:
        self._m, self._name, self._go = m, name, go
        self._known: dict[tuple[int, ...], Value] = {}
        self._next = Signal(range(length), init=1 % length, name=f"{name}_next")
        with m.If(go):
            m.d.sync += self._next.eq(Mux(self._next == length - 1, 0, self._next + 1))
        self.last = self.known(int(k == length - 1) for k in range(length))

    def known(self, values: Iterable[int]) -> Value:
        """Return the one of ``values``, which are given by place, for this place."""
        listed = tuple(values)
        if listed not in self._known:
            self._known[listed] = self._register(listed)
        return self._known[listed]

    def ahead(self, values: Iterable[int]) -> Value:
        """Return the one of ``values`` for the place that comes next."""
        return table(list(values))[self._next]

    def _register(self, values: tuple[int, ...]) -> Value:
        width = max(max(values).bit_length(), 1)
        if len(set(values)) == 1:
            return Const(values[0], width)
        here = Signal(width, init=values[0], name=f"{self._name}_known{len(self._known)}")
        with self._m.If(self._go):
            self._m.d.sync += here.eq(self.ahead(values))
        return here


def table(values: list[int]) -> Array:
    """Return ``values`` as constants of one common width, to be indexed by a signal."""
    width = max(max(values).bit_length(), 1)
    return Array(Const(value, width) for value in values)
