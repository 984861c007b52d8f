"""Layers of a spiking network, as they are found in a model."""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.sw.graph.values import SynapseSpec


@dataclass(frozen=True)
class Rectifier:
    """The function of an activation: ReLU, LeakyReLU, or the identity; each may be clipped.

    Parameters
    ----------
    slope : float
        Slope below zero: 0 for ReLU, less than 1 for LeakyReLU, 1 for the identity.
    limit : float, optional
        Largest value, such as 6 of ReLU6; of the identity, also the magnitude of the smallest.
    """

    slope: float = 0.0
    limit: float | None = None

    @property
    def signed(self) -> bool:
        """Whether the activation's values can be negative."""
        return self.slope > 0


@dataclass(frozen=True)
class LayerSpec:
    """One layer of the spiking network that a model becomes.

    Parameters
    ----------
    name : str
        Valid in the contract; derived from the module's path.
    synapses : tuple of SynapseSpec
        Identities come last.
    activation : str or None
        Name of the activation's node in the graph; None for the output layer.
    rectifier : Rectifier, optional
        Function of the activation; None for the output layer.
    implied : bool
        Whether the model has no activation there: one has to be put behind the node.
    """

    name: str
    synapses: tuple[SynapseSpec, ...]
    activation: str | None
    rectifier: Rectifier | None = None
    implied: bool = False
