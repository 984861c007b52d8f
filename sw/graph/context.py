"""State of an analysis, which the rules read and extend."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from torch import fx, nn

from spikeloom.sw.graph.layers import LayerSpec, Rectifier
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.values import UNKNOWN, Pending, SynapseSpec, Tap, Value
from spikeloom.sw.network import INPUT


class Context:
    """The findings of an analysis so far, which are passed to each rule with the node to judge.

    Parameters
    ----------
    module : fx.GraphModule
        The traced model.
    shapes : mapping of node name to shape
        Shapes without the batch axis, as far as they are known.
    used : collection of fx.Node
        Nodes that the model's output depends on.
    task : str, optional
        Meaning of the outputs, a name of a :class:`~spikeloom.sw.tasks.Task`, if it is stated.

    Attributes
    ----------
    layers : list of LayerSpec
        Finished layers, in order of evaluation.
    redundant : list of str
        Names of nodes that can be replaced by their input.
    ends : list of str
        Those of them that turn logits into probabilities.
    normalising : dict of str to str
        Nodes that normalise the input, and the node that each of them reads the input from.
    note : str
        For the rule to set: how the node is converted, as the report says it.
    notes : dict of str to str
        Additions to the reports on earlier nodes.
    """

    def __init__(
        self,
        module: fx.GraphModule,
        shapes: Mapping[str, tuple[int, ...]],
        used: Collection[fx.Node] = (),
        task: str | None = None,
    ) -> None:
        self.module = module
        self.used = used
        self.task = task
        self.layers: list[LayerSpec] = []
        self.redundant: list[str] = []
        self.ends: list[str] = []
        self.normalising: dict[str, str] = {}
        self.note = ""
        #: Further notes on nodes that have been reported already.
        self.notes: dict[str, str] = {}
        self._shapes = shapes
        self._values: dict[fx.Node, Value] = {}
        self._depths: dict[str, int] = {INPUT: 0}
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

    def fired(self, node: fx.Node) -> Value:
        """Return the value of a node for a reader of spikes: sums get an activation.

        A layer without an activation sends on what it adds up: it gets a quantized identity, or
        a ReLU where it adds up only values that are never negative.
        """
        value = self._values[node]
        if not isinstance(value, Pending):
            return value
        plain = all(
            s.target is None and s.norm is None and not s.tap.signed for s in value.synapses
        )
        rectifier = Rectifier() if plain else Rectifier(1.0)
        self.add_layer(LayerSpec(value.name, value.synapses, node.name, rectifier, implied=True))
        kind = "a quantized ReLU" if plain else "a quantized identity, signed spikes"
        self.notes[node.name] = (
            f"layer {value.name} has no activation of its own: prepare() puts {kind} here"
        )
        self._values[node] = Tap(value.name, value.pool, value.flat, rectifier.signed)
        return self._values[node]

    def layer(self, name: str) -> LayerSpec | None:
        """Return the finished layer of this name; None for the input."""
        return next((layer for layer in self.layers if layer.name == name), None)

    def channels(self, node: fx.Node) -> int:
        """Return the number of channels, or features, of a node's result.

        Raises
        ------
        RefusalError
            If its shape is not known.
        """
        return self.known_shape(node)[0]

    def known_shape(self, node: fx.Node) -> tuple[int, ...]:
        """Return the shape of a node's result, as :meth:`shape` does.

        Raises
        ------
        RefusalError
            If it is not known.
        """
        shape = self.shape(node)
        if shape is None:
            raise RefusalError("needs a feature map of known size: give input_shape")
        return shape

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
        """Set the value of a node; sums that several nodes read get an activation."""
        self._values[node] = value
        if isinstance(value, Pending) and self._readers(node) > 1:
            self.fired(node)

    def _readers(self, node: fx.Node) -> int:
        """Return the number of nodes that read a node's values, not only its size."""
        return sum(user in self.used and not _asks_for_size(user) for user in node.users)

    def set_unknown(self, node: fx.Node) -> None:
        """Set the value of a refused or unused node, which uses none of its inputs."""
        self._values[node] = UNKNOWN


def _asks_for_size(node: fx.Node) -> bool:
    return node.target == "size" or (node.target is getattr and node.args[1] == "shape")
