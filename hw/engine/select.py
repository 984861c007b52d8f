"""Selection of one of several values by a one-hot signal."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Const, Mux, Value


def selected(one_hot: Value, choices: Iterable[Value]) -> Value:
    """Return the choice whose bit in ``one_hot`` is set; 0 if no bit is set."""
    result: Value = Const(0)
    for bit, choice in enumerate(choices):
        result = result | Mux(one_hot[bit], choice, 0)
    return result
