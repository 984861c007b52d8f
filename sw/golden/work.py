"""The work of a network for given images: additions, reads of weights, and spikes, all counted.

A :class:`Meter` counts while the golden model computes. ``docs/energy.md`` defines every number.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikeloom.sw.golden.synapses import GoldenSynapses
from spikeloom.sw.network import Connection, Layer, Network, Range, Shape, Synapses
from spikeloom.sw.network.digits import digit_counts, recoded
from spikeloom.sw.network.record import IntArray

#: Values whose operations NeuroBench counts as accumulations: a weight is added or subtracted.
_SPIKES = Range(-1, 1)


@dataclass
class LayerWork:
    """The work of one layer, for all images together.

    Parameters
    ----------
    name : str
    neurons, timesteps : int
        Number of neurons, and T.
    additions : int
        Weights added to accumulators: for each non-zero digit of a value, one for each neuron that
        reads it. A weight of 0 is added, too. Each addition reads a weight.
    shifted : int
        Those additions whose weight is shifted, since the digit is not the lowest.
    weight_bits : int
        Bits of the weights read.
    updates : int
        Updates of neurons: one for each neuron, timestep and image.
    update_additions : int
        Additions and comparisons in these updates.
    spikes : int
        Spikes sent; one of any value but 0 counts once.
    acs, macs : int
        NeuroBench's effective synaptic operations: pairs of a value and a weight that are both not
        0. Where values are -1, 0 and 1 alone they count as accumulations, elsewhere as
        multiply-accumulates.
    dense : int
        The same with all values and weights, whether 0 or not.
    ann_macs : int
        Multiply-accumulates of an artificial neural network of the same shape.
    ann_additions : int
        Its additions of residual shortcuts.
    """

    name: str
    neurons: int
    timesteps: int
    additions: int = 0
    shifted: int = 0
    weight_bits: int = 0
    updates: int = 0
    update_additions: int = 0
    spikes: int = 0
    acs: int = 0
    macs: int = 0
    dense: int = 0
    ann_macs: int = 0
    ann_additions: int = 0

    @property
    def spike_rate(self) -> float:
        """Spikes per neuron and timestep."""
        return self.spikes / self.updates

    def as_dict(self) -> dict[str, Any]:
        """Return the work as JSON values."""
        return {**dataclasses.asdict(self), "spike_rate": self.spike_rate}


#: Fields of :class:`LayerWork` that add up over images, and over layers.
AMOUNTS = tuple(field.name for field in dataclasses.fields(LayerWork))[3:]


@dataclass(frozen=True)
class Work:
    """The work of a network.

    Parameters
    ----------
    images : int
        Number of images.
    layers : tuple of LayerWork
        In the network's order.
    """

    images: int
    layers: tuple[LayerWork, ...]

    def __getitem__(self, name: str) -> LayerWork:
        """Return the work of the layer called ``name``."""
        return next(layer for layer in self.layers if layer.name == name)

    def __add__(self, other: Work) -> Work:
        """Return the work for the images of both."""
        layers = tuple(
            dataclasses.replace(a, **{x: getattr(a, x) + getattr(b, x) for x in AMOUNTS})
            for a, b in zip(self.layers, other.layers, strict=True)
        )
        return Work(self.images + other.images, layers)

    def total(self, amount: str) -> int:
        """Return the sum of a field of :class:`LayerWork` over all layers."""
        return sum(int(getattr(layer, amount)) for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """Return the work as JSON values: of each layer, and of all together."""
        return {
            "images": self.images,
            **{amount: self.total(amount) for amount in AMOUNTS},
            "layers": [layer.as_dict() for layer in self.layers],
        }


class Meter:
    """Counts the work of a network while the golden model computes.

    Hand it to :meth:`~spikeloom.sw.golden.Golden.run`, once or several times.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        shapes = network.shapes
        self._images = 0
        self._layers = {
            x.name: LayerWork(x.name, math.prod(shapes[x.name]), x.timesteps)
            for x in network.layers
        }
        self._network = network
        self._synapses: dict[tuple[str, int], _Synapses] = {}
        for layer in network.layers:
            ranges = [network.carried(layer, connection) for connection in layer.connections]
            # All connections of a layer write their values in the same form.
            form = recoded(reduce(or_, ranges))
            for index, connection in enumerate(layer.connections):
                source = connection.pooled_shape(shapes[connection.source])
                self._synapses[layer.name, index] = _Synapses.of(
                    layer, connection, source, ranges[index], form
                )

    def begin(self, images: int) -> None:
        """Note that a batch of images is computed, whose neurons are all updated."""
        self._images += images
        for layer in self._network.layers:
            done = self._layers[layer.name]
            done.updates += done.neurons * done.timesteps * images
            done.update_additions += (
                done.neurons * done.timesteps * images * layer.neuron.operations
            )
            for index in range(len(layer.connections)):
                known = self._synapses[layer.name, index]
                done.ann_macs += known.ann_macs * images
                done.ann_additions += known.ann_additions * images

    def read(self, layer: str, index: int, values: Tensor) -> None:
        """Note the values that the synapses of a layer's connection read.

        Parameters
        ----------
        layer : str
        index : int
            Of the connection.
        values : Tensor of int64, shape (timesteps and images, *pooled source shape)
        """
        done, known = self._layers[layer], self._synapses[layer, index]
        array = values.cpu().numpy()
        digits = digit_counts(array, known.recoded).sum(0, dtype=np.int64)
        # A value is odd if its lowest digit is not 0, in both forms.
        unshifted = (array & 1).sum(0)
        additions = known.repeats * int((digits * known.reached).sum())
        done.additions += additions
        done.shifted += additions - known.repeats * int((unshifted * known.reached).sum())
        done.weight_bits += additions * known.weight_bits
        if known.multiplies:
            effective = known.repeats * int(((array != 0).sum(0) * known.meets).sum())
            if known.spiking:
                done.acs += effective
            else:
                done.macs += effective
            done.dense += known.repeats * len(array) * int(known.reached.sum())

    def fired(self, layer: str, spikes: Tensor) -> None:
        """Note the spikes of a layer, of any shape."""
        self._layers[layer].spikes += int(torch.count_nonzero(spikes))

    @property
    def work(self) -> Work:
        """The work so far."""
        layers = tuple(dataclasses.replace(layer) for layer in self._layers.values())
        return Work(self._images, layers)


@dataclass(frozen=True, eq=False)
class _Synapses:
    """What the meter knows of a connection's synapses beforehand.

    Parameters
    ----------
    reached : array of int64, shape of the pooled source
        Number of neurons that read each value.
    meets : array of int64, of the same shape
        Number of those whose weight for it is not 0.
    repeats : int
        How often the same values are read for an image: a constant current is added up once, unless
        another connection of the layer brings other values at every timestep.
    weight_bits : int
        Width of a weight.
    recoded, spiking, multiplies : bool
        Whether values are in the non-adjacent form; are -1, 0 and 1 at most; and whether an
        artificial neural network would multiply them.
    ann_macs, ann_additions : int
        Operations of that network, for an image.
    """

    reached: IntArray
    meets: IntArray
    repeats: int
    weight_bits: int
    recoded: bool
    spiking: bool
    multiplies: bool
    ann_macs: int
    ann_additions: int

    @classmethod
    def of(
        cls, layer: Layer, connection: Connection, source: Shape, values: Range, recoded: bool
    ) -> _Synapses:
        """Return what is known of a connection, given its pooled source's shape and values."""
        synapses = connection.synapses
        weights = Range(int(synapses.weight.min()), int(synapses.weight.max()))
        reached = fan_out(synapses, source, np.ones_like)
        pairs = int(reached.sum()) * (layer.timesteps if layer.recurrent else 1)
        return cls(
            reached=reached,
            meets=fan_out(synapses, source, lambda weight: (weight != 0).astype(np.int64)),
            repeats=layer.timesteps if connection.constant and not layer.constant else 1,
            weight_bits=weights.width,
            recoded=recoded,
            spiking=_SPIKES.low <= values.low and values.high <= _SPIKES.high,
            multiplies=synapses.multiplies,
            ann_macs=pairs if synapses.multiplies else 0,
            ann_additions=0 if synapses.multiplies else pairs,
        )


def fan_out(synapses: Synapses, source: Shape, marks: Callable[[IntArray], IntArray]) -> IntArray:
    """Return the number of marked weights that each source value meets.

    The golden model's sums are linear in their values, so that their gradient is this number.

    Parameters
    ----------
    synapses : Synapses
    source : tuple of int
        Shape of the pooled source.
    marks : callable
        Returns, for the weights, an array of their shape that is 1 where a weight counts, else 0.

    Returns
    -------
    array of int64, shape ``source``
    """
    marked = dataclasses.replace(synapses, weight=marks(synapses.weight))  # type: ignore[type-var]
    with torch.inference_mode(False), torch.enable_grad():
        values = torch.zeros((1, *source), dtype=torch.float64, requires_grad=True)
        sums = GoldenSynapses.of(marked, values.device).sums(values)
        (gradient,) = torch.autograd.grad(sums.sum(), values)
    return gradient[0].numpy().astype(np.int64)
