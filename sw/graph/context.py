"""State of an analysis, which the rules read and extend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import fx, nn

from spikeloom.sw.graph.layers import LayerSpec
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.values import SCALAR, UNKNOWN, Pending, SynapseSpec, Value
from spikeloom.sw.network import INPUT


class Context:
    """The findings of an analysis so far, which are passed to each rule with the node to judge.

    Parameters
    ----------
    module : fx.GraphModule
        The traced model.
    shapes : mapping of node name to shape
        Shapes without the batch axis, as far as they are known.

    Attributes
    ----------
    layers : list of LayerSpec
        Finished layers, in order of evaluation.
    redundant : list of str
        Names of nodes that can be replaced by their input.
    normalising : dict of str to str
        Nodes that normalise the input, and the node that each of them reads the input from.
    note : str
        For the rule to set: how the node is converted, as the report says it.
    """

    def __init__(self, module: fx.GraphModule, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.module = module
        self.layers: list[LayerSpec] = []
        self.redundant: list[str] = []
        self.normalising: dict[str, str] = {}
        self.note = ""
        self._shapes = shapes
        self._values: dict[fx.Node, Value] = {}
        self._depths: dict[str, int] = {INPUT: 0}
        self._read: set[fx.Node] = set()
        self._used: set[str] = set()
        self._names: set[str] = {INPUT}

    def value(self, node: fx.Node) -> Value:
        """Return the value of a node that has been visited."""
        return self._values[node]

    def input_value(self, node: fx.Node) -> Value:
        """Return the value of a node's first input; `UNKNOWN` if the node has no input."""
        return self._values[node.all_input_nodes[0]] if node.all_input_nodes else UNKNOWN

    def input_values(self, node: fx.Node) -> list[Value]:
        """Return the value of each of a node's inputs."""
        return [self._values[source] for source in node.all_input_nodes]

    def shape(self, node: fx.Node) -> tuple[int, ...] | None:
        """Return the shape of a node's result without the batch axis; None if it is not known."""
        return self._shapes.get(node.name)

    def input_shape(self, node: fx.Node) -> tuple[int, ...] | None:
        """Return the shape of a node's first input; None if it is not known."""
        return self.shape(node.all_input_nodes[0])

    def called(self, node: fx.Node) -> nn.Module | None:
        """Return the module that a node calls; None if it calls none."""
        return self.module.get_submodule(str(node.target)) if node.op == "call_module" else None

    def depth(self, synapses: Iterable[SynapseSpec]) -> int:
        """Return the number of layers between the input and a layer with these synapses."""
        return max(self._depths.get(synapse.tap.source, 0) for synapse in synapses)

    def use_once(self, target: str) -> None:
        """Note that a module with weights is called.

        Raises
        ------
        RefusalError
            If it has been called before.
        """
        if target in self._used:
            raise RefusalError(
                f"the module {target!r} is called twice, but hardware holds each layer's weights "
                f"once: give each call a module of its own"
            )
        self._used.add(target)

    def layer_name(self, target: str) -> str:
        """Return a new name, valid in the contract, for the layer of the module at ``target``."""
        stem = re.sub(r"[^a-z0-9_]+", "_", target.lower()).strip("_")[:56] or "layer"
        if not stem[0].isalpha():
            stem = f"layer_{stem}"
        name, number = stem, 2
        while name in self._names:
            name, number = f"{stem}_{number}", number + 1
        self._names.add(name)
        return name

    def add_layer(self, layer: LayerSpec) -> None:
        """Add a finished layer."""
        self.layers.append(layer)
        self._depths[layer.name] = 1 + self.depth(layer.synapses)

    def set_value(self, node: fx.Node, value: Value) -> None:
        """Set the value of a node, which counts as a use of its inputs.

        Raises
        ------
        RefusalError
            If an input is the sum of a layer that another node has used already.
        """
        self._values[node] = value
        if value is SCALAR:
            return  # asks for a size only
        for source in node.all_input_nodes:
            read = self._values[source]
            if isinstance(read, Pending) and source in self._read:
                raise RefusalError(
                    f"reads the sums of layer {read.name!r} a second time, but a layer sends on "
                    f"only what it fires: put the activation behind {source.name!r} and read that "
                    f"in both places"
                )
            self._read.add(source)

    def set_unknown(self, node: fx.Node) -> None:
        """Set the value of a refused or unused node, which uses none of its inputs."""
        self._values[node] = UNKNOWN
