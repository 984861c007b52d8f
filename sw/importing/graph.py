"""The graph of a file of another toolkit: nodes with real parameters, and edges between them.

It is NIR's graph: a class for each kind of node, found by the name that NIR gives that kind. Every
reader builds it, and everything behind the readers knows no other form.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from spikeloom.sw.errors import FileFormatError, SpikeloomError, UnsupportedError
from spikeloom.sw.names import shortened
from spikeloom.sw.registry import Registered

Reals = npt.NDArray[np.float64]
#: Largest size of one axis, and of a whole shape.
MAX_SIZE = 1 << 20
#: Nodes that NIR has and Spikeloom does not take, each with the remedy.
REFUSED = {
    "LI": "a leaky integrator that never fires: let the last layer be linear or spiking instead",
    "CubaLI": "a leaky integrator that never fires: let the last layer be linear or spiking instead",
    "I": "an integrator that never fires: let the last layer be linear or spiking instead",
    "Delay": "a delay, for which the contract has no place: leave it out",
    "Threshold": "a threshold without a neuron: use IF",
}


def reals(value: Any, what: str) -> Reals:
    """Return ``value`` as an array of float64; infinities are kept, and NaN is refused."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        raise FileFormatError(f"{what} must hold real numbers, not {array.dtype}")
    array = array.astype(np.float64)
    if array.size == 0 or np.isnan(array).any():
        found = "nothing" if array.size == 0 else "NaN"
        raise FileFormatError(f"{what} must hold real numbers, not {found}")
    array.flags.writeable = False
    return array


def finite(value: Any, what: str) -> Reals:
    """Return ``value`` as an array of float64, none of them infinite."""
    array = reals(value, what)
    if np.isinf(array).any():
        raise FileFormatError(f"{what} must be finite, not inf")
    return array


def integer(value: Any, what: str) -> int:
    """Return the one integer that ``value`` holds."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.size != 1:
        raise FileFormatError(f"{what} must be one integer, not {_short(value)}")
    return int(array.reshape(())[()])


def pair(value: Any, what: str) -> tuple[int, int]:
    """Return the two integers, vertical and horizontal, that ``value`` holds; one stands for both.

    A sequence of one stands for both, too.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.size not in (1, 2) or array.ndim > 1:
        raise FileFormatError(f"{what} must be one or two integers, not {_short(value)}")
    numbers = [int(number) for number in array.reshape(-1)]
    for number in numbers:
        if not 0 <= number <= MAX_SIZE:
            raise FileFormatError(f"{what} must be from 0 to {MAX_SIZE}, not {number}")
    return (numbers[0], numbers[-1])


def padding(value: Any, what: str) -> tuple[int, int] | str:
    """Return the padding of both axes, or ``"same"`` or ``"valid"``."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        if value in ("same", "valid"):
            return value
        raise FileFormatError(f"{what} must be numbers, 'same' or 'valid', not {_short(value)}")
    return pair(value, what)


def shape(value: Any, what: str) -> tuple[int, ...] | None:
    """Return a shape, or None where the exporter did not know it."""
    if isinstance(value, Mapping):  # NIR's {"input": shape}
        value = next(iter(value.values()), None)
    if value is None:
        return None
    array = np.asarray(value)
    if array.dtype == object and all(item is None for item in array.reshape(-1)):
        return None
    if array.size == 0:
        return None
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise FileFormatError(f"{what} must be a shape, not {_short(value)}")
    sizes = tuple(int(size) for size in array.reshape(-1))
    if len(sizes) > 8 or min(sizes) < 1 or max(sizes) > MAX_SIZE:
        raise FileFormatError(f"{what} must be a shape of sizes from 1 to {MAX_SIZE}, not {sizes}")
    return sizes


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return a mapping; anything else is no metadata, and is left out."""
    return dict(value) if isinstance(value, Mapping) else {}


def _as(convert: Callable[[Any, str], Any], **options: Any) -> Any:
    return field(metadata={"convert": convert}, **options)


@dataclass(frozen=True, eq=False)
class Node(Registered):
    """A node of the graph; a class below joins under NIR's name of its kind."""

    kinds: ClassVar[dict[str, type[Node]]] = {}
    kind: ClassVar[str]

    #: What the exporter added for people and for itself.
    metadata: Mapping[str, Any] = _as(
        mapping, default_factory=dict, kw_only=True
    )

    @staticmethod
    def build(kind: Any, given: Mapping[str, Any], where: str) -> Node:
        """Return the node of a kind with the given fields, each checked.

        Parameters
        ----------
        kind : str
        given : mapping of str to Any
            Fields, as the file has them; those that the kind does not have are ignored.
        where : str
            Name of the node in messages, with the file's.

        Raises
        ------
        FileFormatError
            If a field is missing or not what it should be.
        UnsupportedError
            If Spikeloom has no such kind.
        """
        if kind in REFUSED:
            raise UnsupportedError(f"{where} is of type {kind}, {REFUSED[kind]}")
        message = f"{where} is of the type {_short(kind)}, which Spikeloom does not take; it takes"
        chosen = Node.member(kind if isinstance(kind, str) else None, UnsupportedError, message)
        values = {}
        for one in dataclasses.fields(chosen):
            what = f"{one.name} of {where}"
            if one.name in given:
                values[one.name] = one.metadata["convert"](given[one.name], what)
            elif (one.default, one.default_factory) == (dataclasses.MISSING, dataclasses.MISSING):
                present = shortened([_short(name) for name in given]) or "nothing"
                raise FileFormatError(
                    f"{where}, of type {kind}, has no {one.name!r} but {present}: the export broke "
                    f"off or the file is damaged; export it again"
                )
        try:
            return chosen(**values)
        except SpikeloomError as error:
            raise type(error)(f"{where}: {error}") from None


@dataclass(frozen=True, eq=False)
class Input(Node, kind="Input"):
    """Where values enter; the shape may be unknown, or have axes for batch and time in front."""

    shape: tuple[int, ...] | None = _as(shape, default=None)


@dataclass(frozen=True, eq=False)
class Output(Node, kind="Output"):
    """Where values leave."""

    shape: tuple[int, ...] | None = _as(shape, default=None)


@dataclass(frozen=True, eq=False)
class Linear(Node, kind="Linear"):
    """Fully connected, weights of shape (out, in)."""

    weight: Reals = _as(finite)

    def __post_init__(self) -> None:
        _require_axes(self.weight, 2, "weight")


@dataclass(frozen=True, eq=False)
class Affine(Linear, kind="Affine"):
    """Fully connected with a bias of shape (out,)."""

    bias: Reals = _as(finite)

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_bias(self.bias, self.weight)


@dataclass(frozen=True, eq=False)
class Conv1d(Node, kind="Conv1d"):
    """Cross-correlation over one axis, weights of shape (out, in / groups, length)."""

    weight: Reals = _as(finite)
    bias: Reals = _as(finite)
    stride: tuple[int, int] = _as(pair, default=(1, 1))
    padding: tuple[int, int] | str = _as(padding, default=(0, 0))
    dilation: tuple[int, int] = _as(pair, default=(1, 1))
    groups: int = _as(integer, default=1)
    input_shape: tuple[int, ...] | None = _as(shape, default=None)

    axes: ClassVar[int] = 3

    def __post_init__(self) -> None:
        _require_axes(self.weight, self.axes, "weight")
        _require_bias(self.bias, self.weight)
        if min(*self.stride, *self.dilation) < 1:
            raise FileFormatError("stride and dilation of a convolution must be at least 1")
        if self.groups < 1 or len(self.weight) % self.groups:
            raise FileFormatError(
                f"groups {self.groups} must divide the {len(self.weight)} output channels"
            )


@dataclass(frozen=True, eq=False)
class Conv2d(Conv1d, kind="Conv2d"):
    """Cross-correlation over two axes, weights of shape (out, in / groups, rows, columns)."""

    axes = 4


@dataclass(frozen=True, eq=False)
class SumPool2d(Node, kind="SumPool2d"):
    """Sum over windows."""

    kernel_size: tuple[int, int] = _as(pair)
    stride: tuple[int, int] = _as(pair)
    padding: tuple[int, int] = _as(pair, default=(0, 0))

    def __post_init__(self) -> None:
        if min(*self.kernel_size, *self.stride) < 1:
            raise FileFormatError("kernel_size and stride of a pool must be at least 1")


@dataclass(frozen=True, eq=False)
class AvgPool2d(SumPool2d, kind="AvgPool2d"):
    """Mean over windows."""


@dataclass(frozen=True, eq=False)
class Flatten(Node, kind="Flatten"):
    """A feature map as a vector; exporters disagree on the axes, so that none is read."""


@dataclass(frozen=True, eq=False)
class Scale(Node, kind="Scale"):
    """A factor for each value."""

    scale: Reals = _as(finite)


@dataclass(frozen=True, eq=False)
class Passage(Node):
    """Values pass it unchanged: the border of a graph within a graph, or a module that does nothing."""


@dataclass(frozen=True, eq=False)
class Norm(Node):
    """A factor and a summand for each channel: batch normalisation, as a module is read."""

    factor: Reals = _as(finite)
    summand: Reals = _as(finite)


@dataclass(frozen=True, eq=False)
class IF(Node, kind="IF"):
    """Integrate and fire."""

    v_threshold: Reals = _as(finite)
    r: Reals = _as(reals, default=None)
    v_reset: Reals | None = _as(finite, default=None)

    neuron: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class LIF(IF, kind="LIF"):
    """Leaky integrate and fire."""

    tau: Reals = _as(reals, kw_only=True)
    r: Reals = _as(reals, kw_only=True)
    v_leak: Reals | None = _as(finite, default=None)


@dataclass(frozen=True, eq=False)
class CubaLIF(IF, kind="CubaLIF"):
    """Leaky integrate and fire behind a synaptic current that decays, too."""

    tau_mem: Reals = _as(reals, kw_only=True)
    tau_syn: Reals = _as(reals, kw_only=True)
    r: Reals = _as(reals, kw_only=True)
    w_in: Reals | None = _as(reals, default=None)
    v_leak: Reals | None = _as(finite, default=None)


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes by name, and edges from node to node.

    Parameters
    ----------
    nodes : mapping of str to Node
    edges : tuple of (str, str)
        Source and target; each names a node.
    name : str
        Where the graph comes from, for messages.
    metadata : mapping of str to Any
        Of the whole graph.
    origin : str, optional
        The toolkit, if it is known for sure because a module of it was read.
    rules : mapping of str to Any
        Of neurons that were read from a module: their rules by node, which no file holds.

    Raises
    ------
    FileFormatError
        If an edge names a node that there is not.
    """

    nodes: Mapping[str, Node]
    edges: tuple[tuple[str, str], ...]
    name: str = "the graph"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    origin: str | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.nodes:
            raise FileFormatError(f"{self.name} has no nodes: export it again")
        for edge in self.edges:
            for end in edge:
                if end not in self.nodes:
                    raise FileFormatError(
                        f"{self.name} has an edge {_short(edge[0])} -> {_short(edge[1])}, but no "
                        f"node {_short(end)}: export it again"
                    )

    def sources(self, name: str) -> list[str]:
        """Return the nodes that have an edge to ``name``, each once, in the order of edges."""
        return list(dict.fromkeys(a for a, b in self.edges if b == name))

    def targets(self, name: str) -> list[str]:
        """Return the nodes that ``name`` has an edge to, each once, in the order of edges."""
        return list(dict.fromkeys(b for a, b in self.edges if a == name))

    def of(self, kind: type[Node]) -> list[str]:
        """Return the names of the nodes of a class or below."""
        return [name for name, node in self.nodes.items() if isinstance(node, kind)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _require_axes(weight: Reals, axes: int, what: str) -> None:
    if weight.ndim != axes:
        raise FileFormatError(f"{what} must have {axes} axes, not shape {weight.shape}")


def _require_bias(bias: Reals, weight: Reals) -> None:
    if bias.shape != (len(weight),):
        raise FileFormatError(
            f"bias must have shape ({len(weight)},), one for each output, not {bias.shape}"
        )
