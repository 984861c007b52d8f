"""Exchanges: states in which one layer is faster, and another one smaller to make room for it.

Estimates leave out that engines wait for rows, which they do the more, the more layers are nearly as
slow as the slowest. So states are compared by a smooth maximum of all layers.
"""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.hw.search.budget import Amounts
from spikeloom.hw.search.engines import State
from spikeloom.hw.search.states import States

#: Exponent of the smooth maximum: two layers that are equally slow count as one that is 9 % slower.
_POWER = 8


@dataclass(frozen=True, eq=False)
class _Change:
    """A state in which a layer has another choice, with its resources and its pace."""

    layer: str
    state: State
    amounts: Amounts
    pace: float


def exchanges(states: States, state: State) -> list[State]:
    """Return states that fit and are estimated to be faster, the fastest first.

    One or two layers have a choice that is a step away from that of ``state``.
    """
    budget = states.budget
    now, amounts = pace(states, state), states.amounts(state)
    weight = states.weight(amounts)
    faster, smaller = [], []
    for layer in states.network.layers:
        for choice in states.engines.menu(layer, state).near(state[layer.name]):
            other = states.repaired({**state, layer.name: choice}, layer)
            if other:
                change = _Change(layer.name, other, states.amounts(other), pace(states, other))
                if change.pace < now:
                    faster.append(change)
                if states.weight(change.amounts) < weight:
                    smaller.append(change)
    found = [(one.pace, one.state) for one in faster if budget.fits(one.amounts)]
    large = [one for one in faster if not budget.fits(one.amounts)]
    for one in large:
        for two in smaller:
            # What both change is added up first, which takes less time than to look it up.
            if one.layer == two.layer or not budget.fits(one.amounts + two.amounts - amounts):
                continue
            changed = {
                n: two.state[n] if two.state[n] != c else one.state[n] for n, c in state.items()
            }
            if all(states.engines.costs(changed)) and budget.fits(states.amounts(changed)):
                together = pace(states, changed)
                if together < now:
                    found.append((together, changed))
    return [state for _, state in sorted(found, key=lambda one: one[0])]


def pace(states: States, state: State) -> float:
    """Return a smooth maximum of the estimated cycles of all layers."""
    layers = zip(states.network.layers, states.engines.costs(state), strict=True)
    cycles = [
        cost.cycles * states.factors[layer.name] for layer, cost in layers if cost is not None
    ]
    slowest = max(cycles)
    total: float = sum((one / slowest) ** _POWER for one in cycles) ** (1 / _POWER)
    return slowest * total
