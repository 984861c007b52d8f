"""Base of what stands before the first layers, and the registry of kinds."""

from __future__ import annotations

from typing import ClassVar

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.values import shape_of
from spikeloom.sw.network import Input, Range
from spikeloom.sw.registry import Registered


class InputUnit(Registered, wiring.Component):
    """Turns the pixels of images into the values that connections carry.

    A subclass is found by the ``kind`` of the contract's inputs. It defines :meth:`built` and
    ``elaborate``. Inputs of a kind that has none go to the layers as they are.

    Parameters
    ----------
    pixels, values : Range
        Values that come in, and that go out.

    Attributes
    ----------
    kinds : dict of str to type
        The subclasses, by the kind of their inputs.
    label : str
        Name of the component in an accelerator.

    Members
    -------
    i : In(stream)
        Pixels: row by row, column by column, the channel fastest; images back to back.
    o : Out(stream)
        Values in the same order; of several timesteps, these are the fastest.
    """

    kinds: ClassVar[dict[str, type[InputUnit]]] = {}
    label: ClassVar[str]

    def __init__(self, pixels: Range, values: Range) -> None:
        self.pixels = pixels
        self.values = values
        super().__init__(
            {
                "i": In(stream.Signature(shape_of(pixels))),
                "o": Out(stream.Signature(shape_of(values))),
            }
        )

    @staticmethod
    def of(source: Input) -> InputUnit | None:
        """Return the component for a network's input; None if it needs none."""
        kind = InputUnit.kinds.get(source.kind)
        return None if kind is None else kind.built(source)

    @classmethod
    def built(cls, source: Input) -> InputUnit | None:
        """Return the component for an input of its kind; None if that needs none."""
        raise NotImplementedError
