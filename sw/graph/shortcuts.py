"""Shortcuts: synapses that add the values of a layer, or of several side by side, as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.values import Joined, SynapseSpec, Tap


def shortcuts(value: Tap | Joined, place: tuple[str, str]) -> tuple[SynapseSpec, ...]:
    """Return the synapses that add ``value``: one for each source.

    Parameters
    ----------
    value : Tap or Joined
    place : (str, str)
        Names of the node that adds the values, and of the node that they come from.
    """
    if isinstance(value, Tap):
        return (SynapseSpec(value.weights, replace(value, weights=None), place=place),)
    return tuple(
        SynapseSpec(None, tap, part=i, place=place) for i, tap in enumerate(value.layers())
    )


def weighted_shortcuts(synapses: Sequence[SynapseSpec]) -> list[SynapseSpec]:
    """Return the shortcuts that need a weight of their own.

    One shortcut of a layer is a whole number of the layer's units. Where another one adds to the
    same channels, or a batch-norm scales it, it is multiplied by the nearest number of units
    instead, in the quantized model already, so that conversion rounds nothing.
    """
    identities = [synapse for synapse in synapses if synapse.target is None]
    if len({synapse.place for synapse in identities}) > 1:
        return identities
    return [s for s in identities if s.norm is not None and len(synapses) > len(identities)]


def require_apart(synapses: Sequence[SynapseSpec]) -> None:
    """Raise RefusalError if a shortcut of several sources needs a weight of its own."""
    if any(synapse.part is not None for synapse in weighted_shortcuts(synapses)):
        raise RefusalError(
            "adds values of several layers side by side to another shortcut, or scales them: put "
            "a 1x1 convolution behind the concatenation"
        )
