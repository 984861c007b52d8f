"""Reports on nodes for the user, and the exception by which a rule refuses a node."""

from __future__ import annotations

import re
from dataclasses import dataclass

from torch import fx


@dataclass(frozen=True)
class NodeReport:
    """The verdict on one node of a model.

    Parameters
    ----------
    node : str
        Name of the node in the graph.
    what : str
        The module with its parameters, or the function.
    supported : bool
    reason : str
        Its conversion in words; or the reason why there is none, and the remedy.
    where : str
        Line of the model's code that the node comes from; empty if it is not known.
    """

    node: str
    what: str
    supported: bool
    reason: str
    where: str = ""

    def __str__(self) -> str:
        text = f"{self.node} ({self.what}): {self.reason}"
        return f"{text} [{self.where}]" if self.where else text


class RefusalError(Exception):
    """Raised by a rule: why a node cannot be part of a spiking network, and what to do."""


def describe(module: fx.GraphModule, node: fx.Node) -> str:
    """Return the module or function of a node as text, for a report."""
    if node.op == "call_module":
        return f"{node.target}: {module.get_submodule(str(node.target))}"
    if node.op == "call_function":
        name = getattr(node.target, "__name__", str(node.target))
        return name if name != "fn" else re.sub(r"_\d+$", "", node.name)
    return {"placeholder": "input", "output": "output"}.get(node.op, str(node.target))
