"""Operators of ONNX: one class for each, found by its ``op_type``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from spikeloom.sw.importing.onnx.calls import Call
from spikeloom.sw.importing.onnx.values import Value
from spikeloom.sw.registry import Registered


class Operator(Registered, ABC):
    """Reads the nodes of one operator; found by its ``op_type``.

    To add an operator, write a class in the module of its topic; the page ``docs/onnx.md`` has a
    row for each.

    Attributes
    ----------
    op_type : str
        Name of the operator.
    domains : tuple of str
        Domains that define it.
    becomes : str
        For the documentation: the torch operation or module, and conditions.
    """

    kinds: ClassVar[dict[str, type[Operator]]] = {}
    name_attribute = "op_type"
    op_type: ClassVar[str]
    domains: ClassVar[tuple[str, ...]] = ("", "ai.onnx")
    becomes: ClassVar[str]

    @abstractmethod
    def read(self, call: Call) -> Value | tuple[Value, ...]:
        """Return the results of a node.

        Raises
        ------
        UnsupportedError
            If it does something that no model in torch, or no spiking network, does.
        """
