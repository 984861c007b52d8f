"""Which module feeds which, found by torch.fx: a network in memory as nodes and edges.

A ``forward`` may be one timestep, or loop over timesteps: the modules that a loop calls again are
the same nodes. Neurons of snnTorch take and return their state beside their spikes; the state is
theirs, so that only the spikes are edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from spikeloom.sw.errors import UnsupportedError

_FLATTEN = ("flatten", "view", "reshape", "squeeze", "unsqueeze", "contiguous")
_JOIN = ("stack", "sum", "mean", "cat", "append")
_ADD = ("add", "iadd")


@dataclass(frozen=True)
class Traced:
    """Modules by name (``"input"``, ``"output"`` and ``"flatten"`` are texts), and edges."""

    modules: dict[str, nn.Module | str]
    edges: tuple[tuple[str, str], ...]


class _Tracer(fx.Tracer):
    def __init__(self, package: str) -> None:
        super().__init__()
        self.package = package

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        container = isinstance(m, (nn.Sequential, nn.ModuleList))
        first = type(m).__module__.split(".")[0]
        return not container and first in ("torch", self.package)


def trace(module: nn.Module, package: str) -> Traced:
    """Return the modules that a module calls, and the way values take between them.

    Parameters
    ----------
    module : torch.nn.Module
    package : str
        Whose modules are not looked into.

    Raises
    ------
    UnsupportedError
        If torch.fx cannot follow ``forward``, or something else than modules changes values.
    """
    mode = module.training
    try:
        module.eval()
        traced = _Tracer(package).trace(module)
    # Whatever the user's code raises under tracing.
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise UnsupportedError(
            f"torch.fx cannot follow {type(module).__name__}.forward ({reason}): give an "
            f"nn.Sequential, or a module whose forward is one timestep"
        ) from None
    finally:
        module.train(mode)
    return _Graph(module, traced).result()


class _Graph:
    def __init__(self, root: nn.Module, traced: fx.Graph) -> None:
        self.root, self.traced = root, traced
        self.modules: dict[str, nn.Module | str] = {"input": "input", "output": "output"}
        self.sources: dict[str, tuple[str, ...]] = {}
        #: Nodes of ours whose values a node of torch.fx has; none of a state or a constant.
        self.values: dict[fx.Node, tuple[str, ...]] = {}

    def result(self) -> Traced:
        entered = False
        for node in self.traced.nodes:
            if node.op == "placeholder":
                # The first argument is the input, others are states.
                self.values[node] = () if entered else ("input",)
                entered = True
            elif node.op == "get_attr":
                self.values[node] = ()
            elif node.op == "call_module":
                self.values[node] = self.called(node)
            elif node.op == "output":
                self.feed("output", self.first(node.args[0]))
            else:
                self.values[node] = self.function(node)
        edges = tuple((s, t) for t, found in self.sources.items() for s in found)
        return Traced(self.modules, edges)

    def called(self, node: fx.Node) -> tuple[str, ...]:
        name = str(node.target)
        self.modules[name] = self.root.get_submodule(name)
        given = self.first(node.args[0]) if node.args else ()
        self.feed(name, given)
        return (name,)

    def feed(self, name: str, given: tuple[str, ...]) -> None:
        """Note what a node gets; a loop over timesteps gives it the same each time."""
        before = self.sources.get(name, ())
        if before and given and set(before) != set(given):
            raise UnsupportedError(
                f"{name!r} is called with values of {', '.join(before)} and of {', '.join(given)}: "
                f"give each place a module of its own"
            )
        self.sources[name] = before or given

    def first(self, value: Any) -> tuple[str, ...]:
        """Return the nodes of a value; of several, as (spikes, potentials), of the first."""
        if isinstance(value, fx.Node):
            return self.values[value]
        if isinstance(value, (list, tuple)) and value:
            return self.first(value[0])
        return ()

    def function(self, node: fx.Node) -> tuple[str, ...]:
        name = node.target if isinstance(node.target, str) else node.target.__name__
        if name == "getitem":
            source, index = node.args
            called = isinstance(source, fx.Node) and source.op == "call_module"
            return self.first(source) if not called or index == 0 else ()
        if name in _FLATTEN:
            given = self.first(node.args[0])
            if name not in ("flatten", "view", "reshape") or not given:
                return given
            flat = f"flatten of {', '.join(given)}"
            self.modules[flat] = "flatten"
            self.feed(flat, given)
            return (flat,)
        if name in _JOIN:
            return self.first(node.args[0])
        if name in _ADD:
            sums = [self.first(argument) for argument in node.args]
            return tuple(dict.fromkeys(one for found in sums for one in found))
        if name in ("size", "zeros_like", "zeros", "getattr", "shape"):
            return ()
        raise UnsupportedError(
            f"{type(self.root).__name__}.forward calls {name}, which is no module that is known: use "
            f"modules, additions and flatten"
        )

