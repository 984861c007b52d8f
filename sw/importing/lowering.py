"""From a graph to populations: every node that is no neuron becomes part of a way."""

from __future__ import annotations

import functools
import graphlib
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.importing.fields import Reals
from spikeloom.sw.importing.graph import (
    Affine,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Flatten,
    Graph,
    Input,
    Linear,
    Node,
    Norm,
    Output,
    Scale,
    SumPool2d,
)
from spikeloom.sw.importing.model import Model, Population, Way, require_room
from spikeloom.sw.importing.rules import Rule, by_channel
from spikeloom.sw.names import shortened
from spikeloom.sw.network import INPUT
from spikeloom.sw.network.record import Shape

#: Name of the layer that reads the last spikes.
READOUT = "readout"


@dataclass(frozen=True, eq=False)
class _Value:
    """The sum of some ways and a bias; ``flat`` behind a Flatten.

    The bias has as many axes as the values, and one number where those along an axis are equal, so
    that a large shape takes no memory.
    """

    ways: tuple[Way, ...]
    bias: Reals
    flat: bool = False

    @property
    def shape(self) -> Shape:
        return self.ways[0].shape


def lower(
    graph: Graph,
    rules: Mapping[str, Rule],
    input_shape: Sequence[int] | None = None,
    factor: float | Sequence[float] = 1.0,
) -> Model:
    """Return the populations of a graph.

    Parameters
    ----------
    graph : Graph
    rules : mapping of str to Rule
        Of each neuron.
    input_shape : sequence of int, optional
        Shape of one image without batch and time; by default the graph's, mended where needed.
    factor : float or sequence of float
        Real value of one unit of a pixel, of all channels or of each.

    Raises
    ------
    UnsupportedError, ConfigError
        If a node, or the way nodes are connected, has no place in the contract; the message names
        it.
    """
    return _Lowering(graph, rules).model(input_shape, factor)


class _Lowering:
    def __init__(self, graph: Graph, rules: Mapping[str, Rule]) -> None:
        self.graph, self.rules = graph, rules
        self.repairs: list[str] = []
        self.before: dict[str, list[str]] = defaultdict(list)
        self.behind: dict[str, list[str]] = defaultdict(list)
        for source, target in dict.fromkeys(graph.edges):
            self.before[target].append(source)
            self.behind[source].append(target)
        self.start = self.only(Input)
        self.end = self.only(Output)

    def where(self, name: str) -> str:
        return f"{self.graph.name}: node {name!r}"

    def only(self, kind: type[Node]) -> str:
        found = self.graph.of(kind)
        if len(found) != 1:
            raise UnsupportedError(
                f"{self.graph.name} has {len(found)} nodes of type {kind.kind}, not one: export a "
                f"network with one input and one output"
            )
        return found[0]

    def model(self, given: Sequence[int] | None, factor: float | Sequence[float]) -> Model:
        kept = self.needed()
        loops = self.loops(kept)
        order = self.order(kept, loops)
        shape = self.input_shape(given)
        names = self.names([name for name in order if name in self.rules])
        factors = np.broadcast_to(np.asarray(factor, float), (shape[0],)).copy()
        values = {self.start: _Value((Way(INPUT, shape, factors),), _nothing(shape))}
        done: dict[str, _Value] = {}
        for name in order:
            if name == self.start:
                continue
            sources = [source for source in self.before[name] if (source, name) not in loops]
            if not sources:
                raise UnsupportedError(f"{self.where(name)} gets no values: connect it")
            value = self.sum([values[source] for source in sources], name)
            if name in self.rules or name == self.end:
                done[name] = value
                shape_here = value.shape
                one = Way(names.get(name, READOUT), shape_here, np.ones(shape_here[0]))
                values[name] = _Value((one,), _nothing(shape_here))
            else:
                values[name] = self.apply(name, value)
        for source, target in loops:
            done[target] = self.looped(done[target], values[source], names[target], source)
        populations = [self.population(name, names[name], done[name]) for name in names]
        populations.append(self.population(self.end, READOUT, done[self.end]))
        return Model(shape, tuple(populations), tuple(self.repairs))

    def needed(self) -> set[str]:
        """Return the nodes from which the output can be reached."""
        found, left = {self.end}, [self.end]
        while left:
            for source in self.before[left.pop()]:
                if source not in found:
                    found.add(source)
                    left.append(source)
        if self.start not in found:
            raise UnsupportedError(
                f"{self.graph.name} has no way from its input to its output: export it again"
            )
        unused = sorted(set(self.graph.nodes) - found)
        if unused:
            self.repairs.append(
                f"left out {shortened(unused)}, from which no way leads to the output"
            )
        return found

    def loops(self, kept: set[str]) -> list[tuple[str, str]]:
        """Return the edges by which neurons get their own last spikes."""
        found = []
        for name in self.rules:
            if name not in kept:
                continue
            reached, left = set(), [name]
            while left:
                for target in self.behind[left.pop()]:
                    if target not in reached and target not in self.rules:
                        reached.add(target)
                        left.append(target)
            # A neuron that feeds itself without a node between is a loop, too.
            own = [s for s in self.before[name] if s in reached or s == name]
            found += [(source, name) for source in own]
        return found

    def order(self, kept: set[str], loops: Sequence[tuple[str, str]]) -> list[str]:
        leading = {
            name: [s for s in self.before[name] if s in kept and (s, name) not in loops]
            for name in self.graph.nodes
            if name in kept
        }
        try:
            return list(graphlib.TopologicalSorter(leading).static_order())
        except graphlib.CycleError as error:
            circle = shortened([str(name) for name in error.args[1]])
            raise UnsupportedError(
                f"{self.graph.name} has the loop {circle}, which leads through several populations "
                f"or through none: a layer can read its own last spikes only"
            ) from None

    def names(self, neurons: Sequence[str]) -> dict[str, str]:
        """Return a layer's name for each neuron, made of its node's."""
        found: dict[str, str] = {}
        for name in neurons:
            plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
            if not re.match(r"[a-z]", plain):
                plain = f"layer{plain}"
            plain = plain[:56]
            taken = {*found.values(), INPUT, READOUT}
            number = 2
            chosen = plain
            while chosen in taken:
                chosen, number = f"{plain}_{number}", number + 1
            found[name] = chosen
        return found

    def input_shape(self, given: Sequence[int] | None) -> Shape:
        """Return the shape of one image, without batch and time."""
        node = self.graph.nodes[self.start]
        assert isinstance(node, Input)
        stored = node.shape
        shape = tuple(given) if given is not None else stored
        first = self.first_weights()
        if isinstance(first, Conv2d):
            fitting = self.for_maps(shape, first, 2)
        elif isinstance(first, Conv1d):
            fitting = self.for_maps(shape, first, 1)
        elif isinstance(first, Linear):
            fitting = self.for_features(shape, first.weight.shape[1])
        elif shape is None:
            raise ConfigError(
                f"{self.graph.name} does not say how large its input is: give its shape "
                f"(--input-shape)"
            )
        else:
            fitting = shape if len(shape) in (1, 3) else (math.prod(shape),)
        if fitting != stored:
            self.repairs.append(f"the input has the shape {fitting}, where the graph has {stored}")
        return fitting

    def first_weights(self) -> Node | None:
        """Return the first node with weights behind the input."""
        seen, left = {self.start}, [self.start]
        while left:
            for target in self.behind[left.pop(0)]:
                node = self.graph.nodes[target]
                if isinstance(node, (Linear, Conv1d)):
                    return node
                if target not in seen:
                    seen.add(target)
                    left.append(target)
        return None

    def for_features(self, shape: Shape | None, features: int) -> Shape:
        if shape is None:
            return (features,)
        for start in range(len(shape)):
            rest = shape[start:]
            if math.prod(rest) == features:
                return rest if len(rest) in (1, 3) else (features,)
        # A pool may lie between; the node itself says so if the shape does not fit.
        return (
            shape if len(shape) in (1, 3) else shape[-3:] if len(shape) > 3 else (math.prod(shape),)
        )

    def for_maps(self, shape: Shape | None, first: Conv1d, axes: int) -> Shape:
        channels = first.weight.shape[1] * first.groups
        sizes = first.input_shape
        if shape is not None and len(shape) == axes and channels == 1:
            shape = (1, *shape)
        if shape is None and sizes is not None and len(sizes) == axes:
            shape = (channels, *sizes)
        if shape is None:
            raise ConfigError(
                f"{self.graph.name} does not say how large its input is: give its shape "
                f"(--input-shape)"
            )
        if axes == 1 and len(shape) == 3 and shape[1] == 1 and shape[0] == channels:
            return shape
        shape = shape[-(axes + 1) :]
        return (shape[0], 1, *shape[1:]) if axes == 1 and len(shape) == 2 else shape

    def sum(self, values: Sequence[_Value], name: str) -> _Value:
        first = values[0]
        vectors = [value for value in values if len(value.shape) == 1]
        if len(values) > 1 and vectors and len(vectors) < len(values):
            raise UnsupportedError(
                f"{self.where(name)} adds a vector and a feature map: give both one shape"
            )
        for value in values:
            if value.shape != first.shape:
                raise UnsupportedError(
                    f"{self.where(name)} adds values of shapes {first.shape} and {value.shape}: "
                    f"give both one shape"
                )
        ways = tuple(way for value in values for way in value.ways)
        bias = functools.reduce(np.add, [value.bias for value in values])
        return _Value(ways, bias, all(value.flat for value in values))

    def apply(self, name: str, value: _Value) -> _Value:
        """Return the values behind a node that is linear."""
        node, where = self.graph.nodes[name], self.where(name)
        if isinstance(node, Linear):
            ways = tuple(way.linear(node.weight, where) for way in value.ways)
            bias = node.weight @ np.broadcast_to(value.bias, value.shape).reshape(-1)
            return _Value(ways, bias + node.bias if isinstance(node, Affine) else bias)
        if isinstance(node, Conv1d):
            return self.convolved(node, value, where)
        if isinstance(node, SumPool2d):
            mean = isinstance(node, AvgPool2d)
            area = math.prod(node.kernel_size)
            part = np.full(1, 1 / area if mean else 1.0)
            size, stride, pad = node.kernel_size, node.stride, node.padding
            if value.bias.any() and pad != (0, 0):
                raise UnsupportedError(
                    f"{where} is a padded pool behind a bias: put it behind neurons"
                )
            ways = tuple(
                way.pooled(size, stride, pad, where).scaled(part, where) for way in value.ways
            )
            means = value.bias.reshape(len(value.bias), -1)[:, :1] * (1 if mean else area)
            return _Value(ways, means[:, :, None])
        if isinstance(node, Norm):
            ways = tuple(way.scaled(node.factor, where) for way in value.ways)
            each = (-1, *[1] * (len(value.shape) - 1))
            bias = value.bias * node.factor.reshape(each) + node.summand.reshape(each)
            return replace(value, ways=ways, bias=bias)
        if isinstance(node, Scale):
            ways = tuple(way.scaled(node.scale, where) for way in value.ways)
            scale = node.scale
            if scale.size == math.prod(value.shape):
                scale = scale.reshape(value.shape)
            elif scale.size == value.shape[0]:
                scale = scale.reshape(-1, *[1] * (len(value.shape) - 1))
            return replace(value, ways=ways, bias=value.bias * scale)
        # A Flatten, or the border of a graph within a graph: linear weights flatten by themselves.
        return replace(value, flat=value.flat or isinstance(node, Flatten))

    def convolved(self, node: Conv1d, value: _Value, where: str) -> _Value:
        if value.flat:
            raise UnsupportedError(f"{where} is a convolution of a vector, behind a Flatten")
        if value.bias.any():
            raise UnsupportedError(f"{where} follows a bias without neurons between")
        weight, stride, dilation = node.weight, node.stride, node.dilation
        if weight.ndim == 3:
            weight, stride, dilation = weight[:, :, None, :], (1, stride[1]), (1, dilation[1])
        out, channels, rows, columns = weight.shape
        reach = ((rows - 1) * dilation[0] + 1, (columns - 1) * dilation[1] + 1)
        require_room((out, channels, *reach), weight.size, where)
        spread = np.zeros((out, channels, *reach))
        spread[:, :, :: dilation[0], :: dilation[1]] = weight
        pad = node.padding
        if pad == "valid":
            pad = (0, 0)
        elif isinstance(pad, str):
            totals = (spread.shape[2] - 1, spread.shape[3] - 1)
            if any(total % 2 for total in totals) or stride != (1, 1):
                raise UnsupportedError(
                    f"{where} has the padding 'same' of an even kernel: give numbers"
                )
            pad = (totals[0] // 2, totals[1] // 2)
        elif node.weight.ndim == 3:
            pad = (0, pad[1])
        ways = tuple(way.conv(spread, stride, pad, node.groups, where) for way in value.ways)
        return _Value(ways, node.bias[:, None, None])

    def looped(self, value: _Value, own: _Value, name: str, source: str) -> _Value:
        where = self.where(source)
        if any(way.source != name for way in own.ways):
            raise UnsupportedError(
                f"{where} mixes a loop with other values: give each its own node"
            )
        if own.shape != value.shape:
            raise UnsupportedError(
                f"{where} sends values of shape {own.shape} back to neurons of shape {value.shape}"
            )
        ways = tuple(replace(way, recurrent=True) for way in own.ways)
        return _Value((*value.ways, *ways), value.bias + own.bias)

    def population(self, node: str, name: str, value: _Value) -> Population:
        where = self.where(node)
        shape, rule = value.shape, self.rules.get(node)
        bias = by_channel(value.bias, shape, "bias", where)
        if rule is not None:
            fields: dict[str, Any] = {
                part: by_channel(getattr(rule, part), shape, part, where)
                for part in ("gain", "threshold", "offset", "start")
            }
            rule = replace(rule, **fields)
            if (rule.threshold <= 0).any():
                raise UnsupportedError(
                    f"{where} has the threshold {rule.threshold.min():.6g} above its reset, which "
                    f"must be positive"
                )
            if (rule.gain <= 0).any() or not np.isfinite(rule.gain).all():
                raise UnsupportedError(
                    f"{where} has the gain {rule.gain.min():.6g}, not a positive one"
                )
        return Population(name, node, shape, rule, value.ways, bias)


def _nothing(shape: Shape) -> Reals:
    """Return the bias of values without one."""
    return np.zeros([1] * len(shape))
