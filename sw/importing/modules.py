"""Modules of other toolkits in memory, read attribute by attribute; no toolkit is imported.

What a file of NIR leaves out, a module says: how neurons reset, whether their input decays, and
parameters that are one number for a layer, on which exporters fail.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from spikeloom.sw.errors import SpikeloomError, UnsupportedError
from spikeloom.sw.importing import graph as g
from spikeloom.sw.importing.importer import Imported, from_nir
from spikeloom.sw.importing.rules import Rule, from_zero
from spikeloom.sw.importing.tracing import trace
from spikeloom.sw.registry import Registered


def from_snntorch(module: nn.Module, **options: Any) -> Imported:
    """Turn a network of snnTorch's modules in memory into an integer network.

    Takes `Leaky`, `RLeaky`, `Synaptic` and `RSynaptic`.

    Parameters
    ----------
    module : torch.nn.Module
        Sequential, or with a ``forward`` that torch.fx can trace: one timestep, or a loop over a
        fixed number of timesteps.
    **options
        Those of :func:`.from_nir`, without origin, dt and reset.

    Returns
    -------
    Imported

    Raises
    ------
    UnsupportedError
        If a module has no place in the contract; the message names it.
    """
    return from_nir(read_modules(module, "snntorch"), **options)


def from_spikingjelly(module: nn.Module, **options: Any) -> Imported:
    """Turn a network of SpikingJelly's modules in memory into an integer network.

    Takes `IFNode`, `LIFNode`, `ParametricLIFNode` and `CUBALIFNode`, with hard or soft reset.
    Parameters and errors are those of :func:`from_snntorch`.
    """
    return from_nir(read_modules(module, "spikingjelly"), **options)


def from_sinabs(module: nn.Module, **options: Any) -> Imported:
    """Turn a network of sinabs' modules in memory into an integer network.

    Takes `IAF`, `LIF` and their `Squeeze` forms. Parameters and errors are those of
    :func:`from_snntorch`.
    """
    inner = getattr(module, "spiking_model", module)
    return from_nir(read_modules(inner, "sinabs"), **options)


def read_modules(module: nn.Module, origin: str) -> g.Graph:
    """Return the graph of a network in memory, with the rules of its neurons.

    Parameters
    ----------
    module : torch.nn.Module
    origin : {"snntorch", "spikingjelly", "sinabs"}
    """
    toolkit = Toolkit.member(origin, UnsupportedError, f"no toolkit is called {origin!r}; there are")()
    traced = trace(module, toolkit.package)
    nodes: dict[str, g.Node] = {}
    edges = list(traced.edges)
    rules: dict[str, Rule] = {}
    for name, found in traced.modules.items():
        if isinstance(found, str):
            nodes[name] = {"input": g.Input(), "output": g.Output()}.get(found, g.Flatten())
            continue
        where = f"module {name!r} ({type(found).__name__})"
        if type(found).__name__ in toolkit.neurons:
            try:
                rules[name] = from_zero(toolkit.rule(found, where))
            except AttributeError as error:
                raise UnsupportedError(
                    f"{where} is of another version of {toolkit.package} than is known ({error}): "
                    f"docs/import.md names the versions"
                ) from None
            nodes[name] = g.IF(v_threshold=rules[name].threshold)
            loop = toolkit.loop(found, where)
            if loop is not None:
                inner = f"{name}.recurrent"
                nodes[inner] = loop
                edges += [(name, inner), (inner, name)]
        else:
            nodes[name] = _plain(found, where)
    if not rules:
        known = ", ".join(toolkit.neurons)
        raise UnsupportedError(
            f"there are no neurons of {toolkit.package} in {type(module).__name__}; known are {known}"
        )
    what = type(module).__name__
    return g.Graph(nodes, tuple(edges), what, origin=toolkit.package, rules=rules)


def _number(value: Any) -> float:
    return float(value.detach()) if isinstance(value, torch.Tensor) else float(value)


def _array(value: Any) -> g.Reals:
    array = value.detach().cpu().double().numpy() if isinstance(value, torch.Tensor) else value
    found = np.atleast_1d(np.asarray(array, np.float64))
    return found.copy()


def _one(value: Any, what: str, where: str) -> float:
    values = _array(value)
    if values.size and np.ptp(values) > 1e-6 * max(abs(values).max(), 1e-12):
        raise UnsupportedError(
            f"{where} has {what} from {values.min():.6g} to {values.max():.6g}, but a layer has one "
            f"leak for all its neurons: give them one {what}"
        )
    return float(values.flat[0])


def _plain(module: nn.Module, where: str) -> g.Node:
    """Return the node of a module of torch's own, or of a class of the same name."""
    made: Any = module
    names = [kind.__name__ for kind in type(module).__mro__]
    try:
        if "Linear" in names:
            weight = _array(made.weight)
            if made.bias is None:
                return g.Linear(weight=weight)
            return g.Affine(weight=weight, bias=_array(made.bias))
        for kind, node in (("Conv2d", g.Conv2d), ("Conv1d", g.Conv1d)):
            if kind in names:
                if made.padding_mode != "zeros":
                    raise UnsupportedError(f"{where} pads with {made.padding_mode}, not with zeros")
                zeros = np.zeros(made.out_channels)
                return node(
                    weight=_array(made.weight),
                    bias=zeros if made.bias is None else _array(made.bias),
                    stride=g.pair(made.stride, "stride"),
                    padding=g.padding(made.padding, "padding"),
                    dilation=g.pair(made.dilation, "dilation"),
                    groups=made.groups,
                )
        if "AvgPool2d" in names or "SumPool2d" in names:
            return _pool(made, where, "SumPool2d" in names)
        if {"BatchNorm1d", "BatchNorm2d"} & set(names):
            return _norm(made, where)
    except SpikeloomError as error:
        raise UnsupportedError(f"{where}: {error}") from None
    if "Flatten" in names:
        return g.Flatten()
    if {"Identity", "Dropout", "Dropout2d", "Dropout1d"} & set(names):
        return g.Passage()
    if any(name.startswith("MaxPool") for name in names):
        raise UnsupportedError(
            f"{where} takes the maximum of single spikes, which the contract has not: use an average "
            f"pool, or stride 2 in the convolution"
        )
    raise UnsupportedError(
        f"{where} is neither linear nor a neuron that is known: docs/import.md lists what is taken"
    )


def _pool(module: Any, where: str, total: bool) -> g.Node:
    if getattr(module, "ceil_mode", False) or getattr(module, "divisor_override", None) is not None:
        raise UnsupportedError(f"{where} has ceil_mode or divisor_override: leave them at their default")
    size = g.pair(module.kernel_size, "kernel_size")
    stride = size if module.stride is None else g.pair(module.stride, "stride")
    pad = g.pair(getattr(module, "padding", 0), "padding")
    if any(pad) and not getattr(module, "count_include_pad", True):
        raise UnsupportedError(f"{where} leaves padding out of its averages: use count_include_pad")
    kind = g.SumPool2d if total else g.AvgPool2d
    return kind(kernel_size=size, stride=stride, padding=pad)


def _norm(module: Any, where: str) -> g.Node:
    if module.running_mean is None:
        raise UnsupportedError(f"{where} keeps no running statistics: use track_running_stats=True")
    scale = 1 / np.sqrt(_array(module.running_var) + module.eps)
    if module.weight is not None:
        scale = scale * _array(module.weight)
    shift = -_array(module.running_mean) * scale
    return g.Norm(factor=scale, summand=shift if module.bias is None else shift + _array(module.bias))


class Toolkit(Registered, ABC):
    """What a toolkit's neuron modules mean.

    Attributes
    ----------
    package : str
        First part of its modules' names.
    neurons : tuple of str
        Names of the classes that are known.
    """

    kinds: ClassVar[dict[str, type[Toolkit]]] = {}
    name_attribute = "package"
    package: ClassVar[str]
    neurons: ClassVar[tuple[str, ...]]

    @abstractmethod
    def rule(self, module: Any, where: str) -> Rule:
        """Return the rule of a neuron module."""

    def loop(self, module: Any, where: str) -> g.Node | None:
        """Return the weights by which neurons get their own last spikes; None without."""
        return None


class SnnTorchModules(Toolkit, package="snntorch"):
    """snnTorch 1."""

    neurons = ("Leaky", "RLeaky", "Synaptic", "RSynaptic")

    def rule(self, module: Any, where: str) -> Rule:
        for part, what in (("inhibition", "inhibition"), ("state_quant", "a quantized state")):
            if getattr(module, part, False):
                raise UnsupportedError(f"{where} has {what}, which the contract has not: leave it out")
        if not getattr(module, "reset_delay", True):
            raise UnsupportedError(f"{where} has reset_delay=False: use the default, True")
        factor = getattr(module, "graded_spikes_factor", 1.0)
        if _one(factor, "graded_spikes_factor", where) != 1:
            raise UnsupportedError(f"{where} has graded spikes: scale the next layer's weights instead")
        decay = min(max(_one(module.beta, "beta", where), 0.0), 1.0)
        current = None
        if hasattr(module, "alpha"):
            current = min(max(_one(module.alpha, "alpha", where), 0.0), 1.0)
        rule = Rule(
            decay,
            np.ones(1),
            _array(module.threshold),
            strict=True,
            current_decay=current,
        )
        reset = module.reset_mechanism
        plain = type(module).__name__ == "Leaky"
        if reset == "subtract" and decay > 0:
            return Rule(**{**vars(rule), "delayed": True})
        if reset == "zero" and plain:
            return Rule(**{**vars(rule), "value": 0.0})
        remedy = "use reset_mechanism='subtract'" if decay > 0 else "use a beta above 0"
        raise UnsupportedError(
            f"{where} has the reset {reset!r} with beta {decay:g}, for which the contract has no "
            f"neuron: {remedy}"
        )

    def loop(self, module: Any, where: str) -> g.Node | None:
        """Return the node of `recurrent`."""
        inner = getattr(module, "recurrent", None)
        if inner is None:
            return None
        if isinstance(inner, (nn.Linear, nn.Conv2d)):
            return _plain(inner, f"the recurrent part of {where}")
        return g.Scale(scale=_array(inner.V))


class SpikingJellyModules(Toolkit, package="spikingjelly"):
    """SpikingJelly 2."""

    neurons = ("IFNode", "LIFNode", "ParametricLIFNode", "CUBALIFNode")

    def rule(self, module: Any, where: str) -> Rule:
        rest = 0.0 if module.v_reset is None else float(module.v_reset)
        common: dict[str, Any] = {
            "threshold": np.full(1, float(module.v_threshold)),
            "value": None if module.v_reset is None else rest,
            "start": np.full(1, rest),
        }
        kind = type(module).__name__
        if kind == "IFNode":
            return Rule(1.0, np.ones(1), **common)
        if kind == "CUBALIFNode":
            return Rule(
                float(module.v_decay), np.ones(1), current_decay=float(module.c_decay), **common
            )
        if kind == "ParametricLIFNode":
            part = _number(module.w.sigmoid())
        else:
            part = 1 / float(module.tau)
        gain = part if module.decay_input else 1.0
        return Rule(1 - part, np.full(1, gain), offset=np.full(1, part * rest), **common)


class SinabsModules(Toolkit, package="sinabs"):
    """sinabs 3."""

    neurons = ("IAF", "IAFSqueeze", "LIF", "LIFSqueeze")

    def rule(self, module: Any, where: str) -> Rule:
        if module.min_v_mem is not None:
            raise UnsupportedError(
                f"{where} keeps its potential above {_number(module.min_v_mem):g}, which the contract "
                f"has not: train with min_v_mem=None"
            )
        decay = _one(module.alpha_mem_calculated, "tau_mem", where)
        gain = 1 - decay if module.norm_input else 1.0
        current = None
        if module.tau_syn is not None:
            # sinabs lets new input decay at once: a gain of the current.
            current = _one(module.alpha_syn_calculated, "tau_syn", where)
            gain *= current
        fires = getattr(module.spike_fn, "__name__", type(module.spike_fn).__name__)
        if fires not in ("MultiSpike", "SingleSpike"):
            raise UnsupportedError(f"{where} fires by {fires}: use MultiSpike or SingleSpike")
        threshold = _array(module.spike_threshold)
        reset = module.reset_fn
        hard = type(reset).__name__ == "MembraneReset"
        amount = getattr(reset, "subtract_value", None)
        if (hard and reset.reset_value) or (amount is not None and _number(amount) != threshold.flat[0]):
            raise UnsupportedError(f"{where} resets by {reset}: use its default")
        several = fires == "MultiSpike"
        if several and (hard or current is not None):
            what = "a hard reset" if hard else "tau_syn"
            raise UnsupportedError(
                f"{where} has {what} and several spikes in one timestep, for which the contract has no "
                f"neuron: use spike_fn=SingleSpike"
            )
        return Rule(
            decay,
            np.full(1, gain),
            threshold,
            several=several,
            value=0.0 if hard else None,
            current_decay=current,
        )

