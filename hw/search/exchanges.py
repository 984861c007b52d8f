"""Exchanges: states in which one layer is faster, and another one smaller to make room for it.

Of many such states, those with the least smooth maximum of the cycles of all layers are looked at
more closely, to see how their engines wait for rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.hw.search.budget import Amounts
from spikeloom.hw.search.engines import State
from spikeloom.hw.search.states import States

#: Exponent of the smooth maximum: two layers that are equally slow count as one that is 9 % slower.
_POWER = 8
#: States that are looked at more closely, at most, and pairs of changes that are made at all.
_LOOKED, _PAIRS = 32, 1200


@dataclass(frozen=True, eq=False)
class _Change:
    """A state in which a layer has another choice, with its resources and its pace."""

    layer: str
    state: State
    amounts: Amounts
    pace: float


def exchanges(states: States, state: State) -> list[State]:
    """Return states that fit and may be faster, those with the least estimated interval first.

    One or two layers have a choice that is a step away from that of ``state``.
    """
    budget = states.budget
    now, amounts = _pace(states, state), states.amounts(state)
    weight = states.weight(amounts)
    faster, smaller = [], []
    for layer in states.network.layers:
        for choice in states.engines.menu(layer, state).near(state[layer.name]):
            other = states.repaired({**state, layer.name: choice}, layer)
            if other:
                change = _Change(layer.name, other, states.amounts(other), _pace(states, other))
                if change.pace < now:
                    faster.append(change)
                if states.weight(change.amounts) < weight:
                    smaller.append(change)
    found = [(one.pace, one.state) for one in faster if budget.fits(one.amounts)]
    large = sorted((x for x in faster if not budget.fits(x.amounts)), key=lambda one: one.pace)
    left = _PAIRS
    for one in large:
        for two in smaller:
            # What both change is added up first, which takes less time than to look it up.
            if one.layer == two.layer or not budget.fits(one.amounts + two.amounts - amounts):
                continue
            left -= 1
            if left < 0:
                break
            changed = {
                n: two.state[n] if two.state[n] != c else one.state[n] for n, c in state.items()
            }
            if all(states.engines.costs(changed)) and budget.fits(states.amounts(changed)):
                together = _pace(states, changed)
                if together < now:
                    found.append((together, changed))
    found.sort(key=lambda one: one[0])
    looked = [(states.interval(other), pace, other) for pace, other in found[:_LOOKED]]
    return [other for *_, other in sorted(looked, key=lambda one: one[:2])]


def _pace(states: States, state: State) -> float:
    """Return a smooth maximum of the estimated cycles of all layers."""
    layers = zip(states.network.layers, states.engines.costs(state), strict=True)
    cycles = [
        cost.cycles * states.factors[layer.name] for layer, cost in layers if cost is not None
    ]
    slowest = max(cycles)
    total: float = sum((one / slowest) ** _POWER for one in cycles) ** (1 / _POWER)
    return slowest * total
