"""One node of an ONNX file, with the values that it reads, as an operator's class sees it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.importing.onnx.builder import Builder
from spikeloom.sw.importing.onnx.values import Constant, Levels, Signal, Value

#: Numbers that constants computed from others may have, if these have fewer.
MAX_COMPUTED = 1 << 12


class Call:
    """A node of the file.

    Parameters
    ----------
    title : str
        The node for messages: ``"ONNX file net.onnx: Gelu '/act/Gelu'"``.
    name : str
        Name of the node in the file.
    inputs : sequence of Value or None
        None for those that are left out.
    attributes : mapping of str to object
        Numbers, strings, lists and constants.
    outputs : sequence of str
        Names of the results that are read.
    final : bool
        Whether its first result is the model's.
    opset : int
    builder : Builder
    """

    def __init__(
        self,
        title: str,
        name: str,
        inputs: Sequence[Value | None],
        attributes: Mapping[str, Any],
        outputs: Sequence[str],
        final: bool,
        opset: int,
        builder: Builder,
    ) -> None:
        self.title = title
        self.name = name
        self.inputs = inputs
        self.attributes = attributes
        self.outputs = outputs
        self.final = final
        self.opset = opset
        self.builder = builder

    def refusal(self, reason: str) -> UnsupportedError:
        """Return the error that refuses the node, for the caller to raise."""
        return UnsupportedError(f"{self.title}: {reason}")

    def value(self, index: int) -> Value | None:
        """Return an input; None if it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def signal(self, index: int = 0) -> Signal:
        """Return an input that depends on the images."""
        value = self.value(index)
        if isinstance(value, Levels):
            raise self.refusal(
                "reads the integers of a QuantizeLinear: put the DequantizeLinear right behind it"
            )
        if not isinstance(value, Signal):
            raise self.refusal(
                f"its input {index + 1} is constant or missing, where values of the network are "
                f"expected: let the exporter fold constants"
            )
        return value

    def constant(self, index: int) -> Constant | None:
        """Return an input that does not depend on the images; None if it is left out."""
        value = self.value(index)
        if value is None or isinstance(value, Constant):
            return value
        raise self.refusal(
            f"its input {index + 1} is computed from the image, and hardware holds it as a "
            f"constant: use layers with weights of their own"
        )

    def needed(self, index: int) -> Constant:
        """Return an input that does not depend on the images and must be there."""
        value = self.constant(index)
        if value is None:
            raise self.refusal(f"its input {index + 1} is missing: export the model again")
        return value

    def constants(self) -> list[Constant] | None:
        """Return all inputs, if none depends on the images; None otherwise."""
        found = [value for value in self.inputs if isinstance(value, Constant)]
        return found if found and len(found) == len(self.inputs) else None

    def option(self, name: str, default: Any, index: int | None = None) -> Any:
        """Return an option: an attribute, or, in later opsets, an input.

        Parameters
        ----------
        name : str
            Name of the attribute.
        default : object
            For an option that is left out.
        index : int, optional
            Place among the inputs.

        Returns
        -------
        int, float, str, list of int or of float
        """
        if name in self.attributes:
            return self.attributes[name]
        found = None if index is None else self.constant(index)
        if found is None:
            return default
        if found.value.numel() > MAX_COMPUTED:
            raise self.refusal(f"{name} has {found.value.numel():,} numbers: export it again")
        return found.value.tolist()

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is one integer."""
        found = self.attributes.get(name, default)
        if not isinstance(found, int):
            raise self.refusal(f"{name} must be an integer: export the model again")
        return found

    def real(self, name: str, default: float) -> float:
        """Return an attribute that is one number, as :func:`shortest` writes it."""
        found = self.attributes.get(name, default)
        if not isinstance(found, (int, float)) or not math.isfinite(found):
            raise self.refusal(f"{name} must be a finite number: export the model again")
        return shortest(found)

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a word."""
        found = self.attributes.get(name, default)
        if not isinstance(found, str) or not found.isprintable():
            raise self.refusal(f"{name} must be a word: export the model again")
        return found

    def number(self, name: str, default: float | None, index: int) -> float | None:
        """Return an option that is one number."""
        found = self.option(name, None, index)
        while isinstance(found, list) and len(found) == 1:
            found = found[0]
        if found is None:
            return default
        if not isinstance(found, (int, float)):
            raise self.refusal(f"{name} must be one number: use one for all channels")
        return shortest(found)

    def whole(self, name: str, default: list[int] | None, index: int | None = None) -> list[int]:
        """Return an option that is a list of integers.

        Raises
        ------
        UnsupportedError
            If it is not, or it is left out and has no default.
        """
        found = self.option(name, default, index)
        found = [found] if isinstance(found, int) else found
        if not isinstance(found, list) or not all(isinstance(n, int) for n in found):
            raise self.refusal(f"{name} must be given as integers: export the model again")
        return found

    def axis(self, value: int, rank: int) -> int:
        """Return the number of an axis, counted from the first."""
        if not -rank <= value < rank:
            raise self.refusal(f"has no axis {value}: export the model again")
        return value % rank

    def weights(self, index: int) -> Tensor:
        """Return numbers of a layer, in float32."""
        return self.floats(self.needed(index))

    def floats(self, found: Constant) -> Tensor:
        """Return a constant's numbers, which must be of float32."""
        if found.value.dtype != torch.float32:
            raise self.refusal(
                f"its weights are of {found.value.dtype}: export the model in float32, by "
                f"model.float()"
            )
        if not found.value.numel():
            raise self.refusal("its weights are empty: export the model again")
        return found.value

    def apply(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Signal:
        """Return the result of a function of torch; see :meth:`.Builder.call`."""
        try:
            return self.builder.call(function, *args, **kwargs)
        except (ArithmeticError, RuntimeError, IndexError, ValueError, TypeError) as error:
            raise self._misfit(error) from None

    def module(
        self, make: Callable[[], nn.Module], read: Signal, name: str | None = None
    ) -> tuple[Any, Signal]:
        """Return a new module, and its result for ``read``; see :meth:`.Builder.module`."""
        try:
            made = make()
            return made, self.builder.module(name or module_name(self.name), made, read)
        except (ArithmeticError, RuntimeError, IndexError, ValueError, TypeError) as error:
            raise self._misfit(error) from None

    def _misfit(self, error: Exception) -> UnsupportedError:
        shapes = " and ".join(
            str(tuple(v.probe.shape)) for v in self.inputs if isinstance(v, Signal)
        )
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        return self.refusal(f"does not fit values of shape {shapes}: {text}. Export it again")


def shortest(number: float) -> float:
    """Return the shortest decimal number that is the same in float32: 0.1 in place of 0.1000000015.

    Exporters write in float32 what a model has in float64, and in which torch computes with it.
    """
    rounded = float(np.float32(number))
    return float(str(np.float32(number))) if rounded == number else float(number)


def module_name(node: str, weight: str = "") -> str:
    """Return a name for the module of a node, as near to that in the exported model as possible.

    Parameters
    ----------
    node : str
        Name of the node, such as ``"/layer1/layer1.0/conv1/Conv"``.
    weight : str
        Name of its weights, such as ``"layer1.0.conv1.weight"``.
    """
    path, dot, last = weight.rpartition(".")
    if dot and last == "weight" and not weight.startswith("onnx::"):
        return path
    found = ""
    for part in node.strip("/").split("/")[:-1]:
        found = part if not found or part.startswith(f"{found}.") else f"{found}.{part}"
    return found or node
