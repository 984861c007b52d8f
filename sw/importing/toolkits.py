"""Toolkits that write NIR: what each of them means by a node, and how its files are recognised.

NIR leaves out the reset's kind, the length of a timestep, whether a neuron fires at its threshold
or only above, and whether it can fire several times in one timestep. `docs/import.md` has a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.importing.fields import Reals
from spikeloom.sw.importing.graph import IF, LIF, AvgPool2d, CubaLIF, Graph, Input, SumPool2d
from spikeloom.sw.importing.origin import DT, Origin
from spikeloom.sw.importing.rules import Rule, uniform

#: The base comes with those that are found by it.
__all__ = ["Nir", "Norse", "Origin", "Sinabs", "SnnTorch", "SpikingJelly"]


def ones() -> Reals:
    """Return a gain of 1."""
    return np.ones(1)


def leak_of(node: Any) -> Reals:
    """Return a node's ``v_leak``; 0 where it has none."""
    found: Reals = np.zeros(1) if node.v_leak is None else node.v_leak
    return found


def reset_of(node: IF, where: str) -> float:
    """Return the potential behind a hard reset."""
    return 0.0 if node.v_reset is None else uniform(node.v_reset, "v_reset", where)


def _every(graph: Graph, kind: type[IF], test: Callable[[Any], bool]) -> bool:
    """Return whether all nodes of exactly this kind pass a test."""
    nodes = [node for node in graph.nodes.values() if type(node) is kind]
    return all(test(node) for node in nodes)


def _equal(a: Any, b: Any, within: float = 1e-3) -> bool:
    with np.errstate(invalid="ignore"):
        close = np.isclose(np.asarray(a, float), np.asarray(b, float), rtol=within, atol=0)
    return bool(np.all(close))


def _named_input(graph: Graph) -> bool:
    """Return whether inputs have the name that nirtorch's ``extract_nir_graph`` gives them."""
    return graph.of(Input) == ["input"]


def _zero(values: Reals | None) -> bool:
    return values is None or not values.any()


class SnnTorch(Origin, name="snntorch"):
    """snnTorch 1: the reset comes one timestep late, and fires above the threshold only."""

    resets = ("subtract", "hard")

    def signs(self, graph: Graph) -> str | None:
        def of_lif(node: LIF) -> bool:
            endless = np.isinf(node.tau).all() and np.isinf(node.r).all()
            return bool(endless) or _equal(node.r, node.tau / DT)

        def of_cuba(node: CubaLIF) -> bool:
            if node.w_in is None:
                return False
            kept = np.isinf(node.r).all() or _equal(node.r, node.tau_mem / DT)
            of_current = np.isinf(node.w_in).all() or _equal(node.w_in, node.tau_syn / DT)
            return bool(kept and of_current)

        if not (
            _named_input(graph) and _every(graph, LIF, of_lif) and _every(graph, CubaLIF, of_cuba)
        ):
            return None
        plain = all(
            _zero(node.v_reset) and _zero(getattr(node, "v_leak", None))
            for node in graph.nodes.values()
            if isinstance(node, IF)
        )
        others = any(type(node) is IF for node in graph.nodes.values()) or graph.of(SumPool2d) != (
            graph.of(AvgPool2d)
        )
        return None if others or not plain else "r = tau / 1e-4 s, as only snnTorch writes it"

    def said_of_dt(self, graph: Graph) -> str:
        return "1e-4 s: r = tau / dt says so"

    def rule(self, node: IF, where: str, dt: float | None, reset: str) -> Rule:
        strict: dict[str, Any] = {"gain": ones(), "threshold": node.v_threshold, "strict": True}
        if isinstance(node, CubaLIF):
            if reset == "hard":
                raise UnsupportedError(
                    f"{where} is a Synaptic neuron with reset to zero, which loses a whole "
                    f"timestep's input behind each spike; the contract has no such neuron: use "
                    f"reset by subtraction"
                )
            decay, current = (
                _kept(_steps(tau, gain, where), where)
                for tau, gain in ((node.tau_mem, node.r), (node.tau_syn, node.w_in))
            )
            return _late(Rule(decay, current_decay=current, **strict), where)
        if not isinstance(node, LIF):
            raise UnsupportedError(
                f"{where} is an IF node, which snnTorch does not write: see origin"
            )
        decay = _kept(_steps(node.tau, node.r, where), where)
        if reset == "hard":
            return Rule(decay, value=0.0, **strict)
        return _late(Rule(decay, **strict), where)


def _late(rule: Rule, where: str) -> Rule:
    """Return the rule with a reset one timestep late."""
    if rule.decay == 0:
        raise UnsupportedError(f"{where} keeps nothing of its potential (beta = 0): use beta > 0")
    return Rule(**{**vars(rule), "delayed": True})


def _steps(tau: Reals, gain: Reals | None, where: str) -> float:
    """Return tau / dt, which is the gain of exporters whose neurons have none."""
    if gain is None:
        raise UnsupportedError(f"{where} has no w_in, which its toolkit always writes: see origin")
    return uniform(gain, "r", where)


def _kept(steps: float, where: str) -> float:
    """Return the share of the potential that stays, ``1 - dt/tau``."""
    kept = 1 - 1 / steps if steps else -math.inf
    if not 0 <= kept <= 1:
        raise UnsupportedError(
            f"{where} has a time constant of {steps:.4g} timesteps, which must be at least 1: give "
            f"the dt that it was exported with (--dt)"
        )
    return kept


class SpikingJelly(Origin, name="spikingjelly"):
    """SpikingJelly 2: hard reset, fires at the threshold."""

    resets = ("hard",)

    def signs(self, graph: Graph) -> str | None:
        if _named_input(graph) or graph.of(SumPool2d) != graph.of(AvgPool2d):
            return None

        def of_lif(node: LIF) -> bool:
            return _zero(node.v_leak if node.v_reset is None else leak_of(node) - node.v_reset)

        found = _every(graph, LIF, of_lif) and _every(graph, IF, lambda node: node.r is not None)
        return (
            "inputs have the names of torch.fx's trace, as SpikingJelly writes them"
            if found
            else None
        )

    def said_of_dt(self, graph: Graph) -> str:
        seen = self.seen_dt(graph)
        return f"{seen or DT:g} s: " + ("r says so" if seen else "the exporter's default")

    def seen_dt(self, graph: Graph) -> float | None:
        """Return dt if some node reveals it."""
        for node in graph.nodes.values():
            if type(node) is IF:
                return 1 / float(node.r.flat[0])
            if isinstance(node, CubaLIF):
                return float(node.tau_mem.flat[0] / node.r.flat[0])
            if isinstance(node, LIF) and float(node.r.flat[0]) != 1:
                return float(node.tau.flat[0] / node.r.flat[0])
        return None

    def rule(self, node: IF, where: str, dt: float | None, reset: str) -> Rule:
        value = reset_of(node, where)
        common: dict[str, Any] = {
            "threshold": node.v_threshold,
            "value": value,
            "start": np.full(1, value),
        }
        if isinstance(node, CubaLIF):
            decay = _kept(_steps(node.tau_mem, node.r, where), where)
            current = _kept(_steps(node.tau_syn, node.w_in, where), where)
            return Rule(decay, ones(), current_decay=current, **common)
        if isinstance(node, LIF):
            gain = uniform(node.r, "r", where)
            tau = uniform(node.tau, "tau", where)
            # With r = 1 the input decays, too; else it does not, and r is tau in timesteps.
            steps = tau / (dt or DT) if gain == 1 else gain
            decay = _kept(steps, where)
            offset = (1 - decay) * leak_of(node)
            return Rule(decay, np.full(1, gain / steps), offset=offset, **common)
        return Rule(1.0, ones(), **common)


class Sinabs(Origin, name="sinabs"):
    """sinabs 3: several spikes in one timestep, reset by subtraction, decay ``exp(-1/tau)``."""

    resets = ("subtract",)
    dt = None

    def signs(self, graph: Graph) -> str | None:
        taus = [node.tau for node in graph.nodes.values() if isinstance(node, LIF)]
        ones_only = _every(graph, IF, lambda n: n.r is not None and _equal(n.r, 1)) and _every(
            graph, LIF, lambda n: _equal(n.r, 1) and (n.tau >= 0.5).all()
        )
        strange = bool(graph.of(CubaLIF) or graph.of(AvgPool2d))
        if not _named_input(graph) or not ones_only or strange:
            return None
        if taus:
            return "r = 1 and tau in timesteps, as only sinabs writes it"
        if graph.of(SumPool2d):
            return "r = 1 and sum-pools, as only sinabs writes them"
        return "r = 1, as sinabs writes it"

    def rule(self, node: IF, where: str, dt: float | None, reset: str) -> Rule:
        common: dict[str, Any] = {"threshold": node.v_threshold, "several": True}
        if isinstance(node, CubaLIF):
            raise UnsupportedError(f"{where} is a CubaLIF, which sinabs does not write: see origin")
        if isinstance(node, LIF):
            decay = math.exp(-1 / uniform(node.tau, "tau", where))
            return Rule(decay, np.full(1, 1 - decay), **common)
        return Rule(1.0, ones(), **common)


class Norse(Origin, name="norse"):
    """norse 1: hard reset, fires above the threshold only; it writes ``dt * tau`` for tau."""

    resets = ("hard",)
    dt = 1e-3

    def signs(self, graph: Graph) -> str | None:
        def small(tau: Reals) -> bool:
            return bool((tau < 0.1).all())

        fits = (
            _every(graph, IF, lambda n: n.r is not None and _equal(n.r, 1))
            and _every(graph, LIF, lambda n: _equal(n.r, 1) and small(n.tau))
            and _every(
                graph,
                CubaLIF,
                lambda n: (
                    _equal(n.r, 1) and small(n.tau_mem) and (n.w_in is None or _equal(n.w_in, 1))
                ),
            )
        )
        if not _named_input(graph) or not fits or graph.of(SumPool2d):
            return None
        leaky = graph.of(LIF) or graph.of(CubaLIF)
        return "r = 1" + (" and tau * dt for tau" if leaky else "") + ", as norse writes it"

    def rule(self, node: IF, where: str, dt: float | None, reset: str) -> Rule:
        step = dt or self.dt
        common: dict[str, Any] = {
            "threshold": node.v_threshold,
            "strict": True,
            "value": reset_of(node, where),
        }

        def kept(tau: Reals) -> float:
            return _kept(uniform(tau, "tau", where) / step**2, where)

        if isinstance(node, CubaLIF):
            decay, current = kept(node.tau_mem), kept(node.tau_syn)
        elif isinstance(node, LIF):
            decay, current = kept(node.tau), None
        else:
            return Rule(1.0, ones(), **common)
        # It rests at v_leak.
        rest = leak_of(node)
        return Rule(
            decay,
            (1 - decay) * node.r,
            offset=(1 - decay) * rest,
            start=rest,
            current_decay=current,
            **common,
        )


class Nir(Origin, name="nir"):
    """NIR's own differential equations, by forward Euler with a dt that has to be given."""

    resets = ("subtract", "hard")
    dt = None

    def signs(self, graph: Graph) -> str | None:
        return None  # Any graph could be meant so.

    def rule(self, node: IF, where: str, dt: float | None, reset: str) -> Rule:
        if dt is None:
            raise ConfigError(
                f"{where} is a differential equation: say how long a timestep is, by dt (--dt)"
            )
        if node.r is None:
            raise UnsupportedError(f"{where} has no r: export it again")
        common: dict[str, Any] = {"threshold": node.v_threshold}
        if reset == "hard":
            common["value"] = reset_of(node, where)
        if isinstance(node, (LIF, CubaLIF)):
            tau = uniform(node.tau if isinstance(node, LIF) else node.tau_mem, "tau", where)
            decay = _kept(tau / dt, where)
            common |= {"offset": (1 - decay) * leak_of(node)}
            gain = node.r * (dt / tau)
            if isinstance(node, LIF):
                return Rule(decay, gain, **common)
            synaptic = uniform(node.tau_syn, "tau_syn", where)
            current_decay = _kept(synaptic / dt, where)
            w_in = ones() if node.w_in is None else node.w_in
            return Rule(decay, gain * w_in * (dt / synaptic), current_decay=current_decay, **common)
        return Rule(1.0, node.r * dt, **common)
