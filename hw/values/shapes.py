"""Shapes: the number of bits that a signal needs for a proven range of values."""

from __future__ import annotations

from amaranth.hdl import Shape, signed, unsigned

from spikeloom.sw.network import Range


def shape_of(values: Range) -> Shape:
    """Return the narrowest Amaranth shape that holds every value of a range."""
    return signed(values.width) if values.signed else unsigned(values.width)
