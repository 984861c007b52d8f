"""Selection of one of several values by a one-hot signal, and of the lowest of several bits.

Also whether there are several at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

#: Bits that are looked at together: as many as a look-up table takes.
_TOGETHER = 4


def selected(one_hot: Value, choices: Iterable[Value]) -> Value:
    """Return the choice whose bit in ``one_hot`` is set; 0 if no bit is set."""
    result: Value = Const(0)
    for bit, choice in enumerate(choices):
        result = result | Mux(one_hot[bit], choice, 0)
    return result


def lowest(m: Module, bits: Value) -> Value:
    """Return a one-hot value: the lowest bit that is set in ``bits``; 0 if none is.

    It equals ``bits & -bits``, but is made without a carry chain, which takes longer to enter and
    leave than all of this takes. All that is needed more than once is a signal of ``m``: a value
    without a name would be written anew wherever it stands, and the Verilog grow by the square of
    the number of bits.
    """
    bits = _named(m, bits, "bits")
    parts = [bits[k : k + _TOGETHER] for k in range(0, len(bits), _TOGETHER)]
    open_parts = Const(1, 1)
    if len(parts) > 1:
        open_parts = _named(m, lowest(m, Cat(part.any() for part in parts)), "open_parts")
    return Cat(
        part[k] & ~part[:k].any() & chosen if k else part[k] & chosen
        for part, chosen in zip(parts, open_parts, strict=True)
        for k in range(len(part))
    )


def several(bits: Value) -> Value:
    """Return whether more than one of ``bits`` is set.

    Halves are looked at side by side, so that twice as many bits take one more look-up table on the
    way.
    """
    return _any_and_several(Value.cast(bits))[1]


def _named(m: Module, value: Value, name: str) -> Signal:
    """Return a signal that equals ``value``: itself, if it is one."""
    if isinstance(value, Signal):
        return value
    signal = Signal(len(value), name=name)
    m.d.comb += signal.eq(value)
    return signal


def _any_and_several(bits: Value) -> tuple[Value, Value]:
    """Return whether any of ``bits`` is set, and whether more than one is."""
    if len(bits) == 1:
        return bits, Const(0, 1)
    half = len(bits) // 2
    low, high = _any_and_several(bits[:half]), _any_and_several(bits[half:])
    return low[0] | high[0], low[1] | high[1] | (low[0] & high[0])
