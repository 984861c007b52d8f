"""NeuroBench's metrics of a network, by their definitions.

The sizes of tensors are those of a network's file, and the work is counted by a
:class:`~spikeloom.sw.golden.Meter`.

References
----------
Yik et al., "The NeuroBench framework for benchmarking neuromorphic computing algorithms and
systems", Nature Communications 16, 1545 (2025), and the package ``neurobench`` 2.3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from spikeloom.sw.golden.work import Work
from spikeloom.sw.network import Network
from spikeloom.sw.network.file import narrowed


@dataclass(frozen=True)
class NeuroBench:
    """The metrics of a network, and of its work for some images.

    Parameters
    ----------
    footprint : int
        Bytes of all weights and parameters of neurons, in the integers of the network's file.
    connection_sparsity : float
        Share of the weights that are 0. Residual shortcuts have none.
    activation_sparsity : float or None
        Share of neurons and timesteps without a spike, in all layers that fire; None if none does.
    effective_acs, effective_macs : float
        Synaptic operations per image whose value and weight are not 0: accumulations where values
        can be -1, 0 and 1 alone, else multiply-accumulates.
    dense : float
        Synaptic operations per image, whether 0 or not.
    """

    footprint: int
    connection_sparsity: float
    activation_sparsity: float | None
    effective_acs: float
    effective_macs: float
    dense: float

    @classmethod
    def of(cls, network: Network, work: Work) -> NeuroBench:
        """Return the metrics of a network.

        Parameters
        ----------
        network : Network
        work : Work
            Of this network.
        """
        _, tensors = network.describe()
        weights = [
            connection.synapses.weight
            for layer in network.layers
            for connection in layer.connections
            if connection.synapses.multiplies
        ]
        zeros = sum(int((weight == 0).sum()) for weight in weights)
        firing = [work[layer.name] for layer in network.layers if layer.neuron.fires]
        updates = sum(layer.updates for layer in firing)
        return cls(
            footprint=sum(narrowed(values).nbytes for values in tensors.values()),
            connection_sparsity=zeros / max(1, sum(weight.size for weight in weights)),
            activation_sparsity=(
                1 - sum(layer.spikes for layer in firing) / updates if updates else None
            ),
            effective_acs=work.total("acs") / work.images,
            effective_macs=work.total("macs") / work.images,
            dense=work.total("dense") / work.images,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the metrics as JSON values."""
        return asdict(self)
