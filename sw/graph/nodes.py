"""What a node of a model can mean in a spiking network, and the walk that finds it out.

:mod:`spikeloom.sw.graph.rules` says, per kind of node, what its value is. That is one of

* :class:`Tap`: values that a layer can read (the input, or the counts of a layer that fires),
  possibly through a pool;
* :class:`Pending`: the sum of synapses that waits for its activation. A residual connection adds a
  synapse to it;
* :data:`SCALAR`: a number such as ``x.size(0)``, which flattening needs;
* :data:`UNKNOWN`: what follows a node that is not understood.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from torch import fx, nn

from spikeloom.sw.network import INPUT


@dataclass(frozen=True)
class Pooling:
    """A pool whose stride equals its window.

    Parameters
    ----------
    kind : {"sum", "max"}
        As in the contract; an average is a sum whose 1/area goes into the next threshold.
    size : (int, int)
    """

    kind: str
    size: tuple[int, int]

    @property
    def area(self) -> int:
        """Values that a sum adds up, by which the average divides; 1 for a maximum."""
        return self.size[0] * self.size[1] if self.kind == "sum" else 1


@dataclass(frozen=True)
class Tap:
    """Values that synapses can read: pixels, or what a layer fired.

    Parameters
    ----------
    source : str
        Layer, or ``"input"``.
    pool : Pooling, optional
    flat : bool
        Whether they were flattened since.
    signed : bool
        Whether they can be negative.
    """

    source: str
    pool: Pooling | None = None
    flat: bool = False
    signed: bool = False

    @property
    def area(self) -> int:
        """Values that its pool adds up for an average; 1 without."""
        return 1 if self.pool is None else self.pool.area

    def __str__(self) -> str:
        if self.pool is None:
            return self.source
        return f"{self.source} through a {self.pool.kind}-pool of {self.pool.size}"


@dataclass(frozen=True)
class SynapseSpec:
    """One way into a layer: its weights, where it reads, and the batch-norm behind it.

    Parameters
    ----------
    target : str or None
        Path of the module of a convolution or fully connected layer; None for an identity, the
        shortcut of a residual connection, which adds what it reads as it is.
    tap : Tap
    norm : str, optional
        Path of the batch-norm's module.
    """

    target: str | None
    tap: Tap
    norm: str | None = None


@dataclass(frozen=True)
class Pending:
    """A layer that waits for its activation.

    Parameters
    ----------
    name : str
    synapses : tuple of SynapseSpec
        At least one with weights; identities come last.
    pool : Pooling, optional
        A max-pool ahead of the activation: it commutes with it, both being monotone.
    flat : bool
    """

    name: str
    synapses: tuple[SynapseSpec, ...]
    pool: Pooling | None = None
    flat: bool = False


class _Sentinel:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


SCALAR: Final = _Sentinel("SCALAR")
UNKNOWN: Final = _Sentinel("UNKNOWN")
Value = Tap | Pending | _Sentinel


@dataclass(frozen=True)
class Rectifier:
    """The activation of a layer that fires: ReLU, or LeakyReLU.

    Parameters
    ----------
    slope : float
        Slope below zero: 0 for ReLU, less than 1 for LeakyReLU.
    own : nn.Module, optional
        The activation that the model has here already, where it is a quantized one.
    """

    slope: float = 0.0
    own: nn.Module | None = field(default=None, compare=False)

    @property
    def signed(self) -> bool:
        """Whether what it yields can be negative."""
        return self.slope > 0


@dataclass(frozen=True)
class LayerSpec:
    """One layer of the network to come.

    Parameters
    ----------
    name : str
        Valid in the contract; derived from the path of the module.
    synapses : tuple of SynapseSpec
    activation : str, optional
        Name of the activation's node; None for the output layer.
    rectifier : Rectifier, optional
        The function that this node computes; None for the output layer.
    """

    name: str
    synapses: tuple[SynapseSpec, ...]
    activation: str | None
    rectifier: Rectifier | None = None


@dataclass(frozen=True)
class NodeReport:
    """The verdict on one node of a model.

    Parameters
    ----------
    node : str
        Name of the node in the graph.
    what : str
        What it is: the module with its parameters, or the function.
    supported : bool
    reason : str
        What becomes of it, or why it is refused and what to do.
    """

    node: str
    what: str
    supported: bool
    reason: str

    def __str__(self) -> str:
        return f"{self.node} ({self.what}): {self.reason}"


class RefusalError(Exception):
    """Raised by a rule: why a node cannot be part of a spiking network, and what to do."""


class Walk:
    """The state of a walk, which the rules read and extend."""

    def __init__(self, module: fx.GraphModule, shapes: dict[str, tuple[int, ...]]) -> None:
        self.module = module
        self.shapes = shapes
        self.layers: list[LayerSpec] = []
        self.redundant: list[str] = []
        self._values: dict[fx.Node, Value] = {}
        self._depths: dict[str, int] = {INPUT: 0}
        self._summed: set[fx.Node] = set()
        self._used: set[str] = set()
        self._names: set[str] = {INPUT}
        self.note = ""

    def value(self, node: fx.Node) -> Value:
        """Return what a node's tensor input is."""
        if not node.all_input_nodes:
            return UNKNOWN
        return self._values[node.all_input_nodes[0]]

    def value_of(self, node: fx.Node) -> Value:
        """Return what a node is that was visited before."""
        return self._values[node]

    def values(self, node: fx.Node) -> list[Value]:
        """Return what each of a node's inputs is."""
        return [self._values[source] for source in node.all_input_nodes]

    def depth(self, synapses: Iterable[SynapseSpec]) -> int:
        """Return how many layers lie between the input and a layer with these synapses."""
        return max(self._depths.get(synapse.tap.source, 0) for synapse in synapses)

    def shape_in(self, node: fx.Node) -> tuple[int, ...] | None:
        """Return the shape that a node reads, if known."""
        return self.shapes.get(node.all_input_nodes[0].name)

    def use_once(self, target: str) -> None:
        """Refuse the second call of a module with weights."""
        if target in self._used:
            raise RefusalError(
                f"the module {target!r} is called twice, but hardware holds each layer's weights "
                f"once: give each call a module of its own"
            )
        self._used.add(target)

    def name(self, target: str) -> str:
        """Return a fresh layer name for the module at ``target``."""
        stem = re.sub(r"[^a-z0-9_]+", "_", target.lower()).strip("_")[:56] or "layer"
        if not stem[0].isalpha():
            stem = f"layer_{stem}"
        name, number = stem, 2
        while name in self._names:
            name, number = f"{stem}_{number}", number + 1
        self._names.add(name)
        return name

    def fire(self, node: fx.Node, rectifier: Rectifier) -> Tap:
        """Close the pending layer with the activation ``node``."""
        pending = self.value(node)
        assert isinstance(pending, Pending)
        self.layers.append(LayerSpec(pending.name, pending.synapses, node.name, rectifier))
        self._depths[pending.name] = 1 + self.depth(pending.synapses)
        return Tap(pending.name, pending.pool, pending.flat, rectifier.signed)

    def run(self, rules: Callable[[Walk, fx.Node], Value]) -> list[NodeReport]:
        """Visit every node; what a rule refuses is reported and left `UNKNOWN`."""
        live = _live(self.module.graph)
        reports = []
        for node in self.module.graph.nodes:
            self.note = ""
            try:
                if node in live:
                    self._values[node] = rules(self, node)
                    self._use_sums_once(node)
                else:
                    self._values[node] = UNKNOWN
                    self._refuse_lost_effect(node)
                supported, reason = True, self.note
            except RefusalError as refusal:
                self._values[node] = UNKNOWN
                supported, reason = False, str(refusal)
            reports.append(NodeReport(node.name, self.describe(node), supported, reason))
        return reports

    def _use_sums_once(self, node: fx.Node) -> None:
        if self._values[node] is SCALAR:
            return  # asks for a size only
        for source in node.all_input_nodes:
            value = self._values[source]
            if isinstance(value, Pending) and source in self._summed:
                raise RefusalError(
                    f"reads the sums of layer {value.name!r} a second time, but a layer sends on "
                    f"only what it fires: put the activation behind {source.name!r} and read that "
                    f"in both places"
                )
            self._summed.add(source)

    def describe(self, node: fx.Node) -> str:
        """Return what a node is, for people."""
        if node.op == "call_module":
            return f"{node.target}: {self.module.get_submodule(str(node.target))}"
        if node.op == "call_function":
            name = getattr(node.target, "__name__", str(node.target))
            return name if name != "fn" else re.sub(r"_\d+$", "", node.name)
        return {"placeholder": "input", "output": "output"}.get(node.op, str(node.target))

    def _refuse_lost_effect(self, node: fx.Node) -> None:
        module = self.module.get_submodule(str(node.target)) if node.op == "call_module" else None
        name = str(getattr(node.target, "__name__", node.target))
        in_place = getattr(module, "inplace", False) or node.kwargs.get("inplace")
        in_place = in_place or node.target is operator.iadd
        if in_place or (node.op != "call_module" and name.endswith("_")):
            raise RefusalError("changes its input in place, and its result is not used: assign it")
        self.note = "not used: left out"


def _live(graph: fx.Graph) -> set[fx.Node]:
    """Return the nodes that the output depends on, and the inputs."""
    pending = [node for node in graph.nodes if node.op in ("output", "placeholder")]
    live = set(pending)
    while pending:
        for source in pending.pop().all_input_nodes:
            if source not in live:
                live.add(source)
                pending.append(source)
    return live
