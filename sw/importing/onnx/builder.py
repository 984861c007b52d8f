"""The torch model that is built while an ONNX file is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.importing.onnx.values import Signal


class Builder:
    """A graph of torch operations, with the modules and buffers that it uses.

    Parameters
    ----------
    batch : int or None
        Number of images that the file fixes; None if it is open.

    Attributes
    ----------
    graph : fx.Graph
    parts : dict of str to nn.Module or Tensor
        Modules and buffers by name.
    pixels : Pixels or None
        The grid to which the file rounds its input.
    """

    def __init__(self, batch: int | None) -> None:
        self.batch = batch
        self.graph = fx.Graph()
        self.parts: dict[str, nn.Module | Tensor] = {}
        self.pixels: Pixels | None = None
        self._made: dict[fx.Node, Signal] = {}

    def input(self, shape: tuple[int, ...]) -> Signal:
        """Return the model's input, images of a shape."""
        return self._signal(
            self.graph.placeholder("x"), torch.empty(self.batch or 1, *shape, device="meta")
        )

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Signal:
        """Return the result of a function of signals and other arguments, lists of them included.

        Raises
        ------
        RuntimeError, IndexError, ValueError
            Of torch, for shapes that do not fit.
        """
        made = function(*map(_probed, args), **kwargs)
        node = self.graph.call_function(function, tuple(map(_noded, args)), kwargs)
        return self._signal(node, made)

    def computed(
        self, function: Callable[..., Any], nodes: tuple[Any, ...], probe: Tensor
    ) -> Signal:
        """Return the result of a function of nodes and numbers, whose probe is known."""
        return self._signal(self.graph.call_function(function, nodes), probe)

    def module(self, name: str, module: nn.Module, read: Signal) -> Signal:
        """Return the result of a module, which lies on the device "meta" or has no tensors."""
        made = module(read.probe)
        path = self.new_name(name)
        self.parts[path] = module
        return self._signal(self.graph.call_module(path, (read.node,)), made)

    def buffer(self, value: Tensor) -> fx.Node:
        """Return a node for numbers that the model computes with."""
        path = self.new_name("constant")
        self.parts[path] = value
        return self.graph.get_attr(path)

    def called(self, signal: Signal) -> nn.Module | None:
        """Return the module that a signal is the result of; None if it is of none."""
        part = self.parts.get(str(signal.node.target))
        return part if signal.node.op == "call_module" and isinstance(part, nn.Module) else None

    def behind(self, signal: Signal) -> Signal | None:
        """Return what a signal was computed from; None if that is not one signal."""
        sources = signal.node.all_input_nodes
        return self._made.get(sources[0]) if len(sources) == 1 else None

    def new_name(self, wanted: str) -> str:
        """Return a free name for a module or buffer, an identifier of Python."""
        stem = re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_")[:60] or "part"
        if not stem[0].isalpha() or stem in _TAKEN:
            stem = f"part_{stem}"
        name, number = stem, 2
        while name in self.parts:
            name, number = f"{stem}_{number}", number + 1
        return name

    def _signal(self, node: fx.Node, probe: Any) -> Signal:
        signal = Signal(node, probe)
        self._made[node] = signal
        return signal


#: Names that a module of torch has itself.
_TAKEN = frozenset(dir(fx.GraphModule(nn.Module(), fx.Graph())))


def _probed(argument: Any) -> Any:
    if isinstance(argument, (list, tuple)):
        return type(argument)(map(_probed, argument))
    if isinstance(argument, fx.Node):
        raise TypeError("a node has no shape: pass a signal")
    return argument.probe if isinstance(argument, Signal) else argument


def _noded(argument: Any) -> Any:
    if isinstance(argument, (list, tuple)):
        return type(argument)(map(_noded, argument))
    return argument.node if isinstance(argument, Signal) else argument
