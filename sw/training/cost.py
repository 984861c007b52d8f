"""Cost of a model's timesteps in clock cycles, for a training that learns them.

The model is converted at the timesteps in question, and a function of integer networks counts the
cycles. The hardware has such functions (:data:`spikeloom.hw.prediction.MEASURES`), which the caller
passes in: this package does not know the hardware.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from spikeloom.sw.coding import fold
from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.quantized.prepared import META

#: Clock cycles per image of an integer network, from the network and some images: pixels as its
#: input takes them, int64, shape (N, *network.input.image_shape).
NetworkCycles = Callable[[Network, IntArray], float]


class CycleCost:
    """Predicted clock cycles per image of a model, as a function of its layers' timesteps.

    Results are kept until a parameter or buffer of the model changes.

    Parameters
    ----------
    prepared : nn.Module
        From :func:`~spikeloom.sw.quantized.prepare`; left as it is, and read again in every call.
    images : array or tensor, shape (N, *input_shape)
        Some typical images, 8 to 32: pixels if they are integers; otherwise real numbers as the
        model takes them, which are multiples of ``input_scale``.
    cycles : callable
        Clock cycles per image of a converted network, from the network and the pixels: for
        instance :func:`spikeloom.hw.prediction.slowest` or :func:`spikeloom.hw.prediction.total`.
    **conversion
        Options of :func:`~spikeloom.sw.conversion.convert` other than ``transport`` and
        ``timesteps``: layers exchange counts, at the timesteps of each call.

    Raises
    ------
    ConfigError
        If ``transport`` or ``timesteps`` is given.

    Examples
    --------
    >>> cost = CycleCost(prepared, images, slowest)  # doctest: +SKIP
    >>> cost({"conv1": 3}) - cost({"conv1": 2})  # doctest: +SKIP
    """

    def __init__(
        self,
        prepared: nn.Module,
        images: npt.ArrayLike | Tensor,
        cycles: NetworkCycles,
        **conversion: Any,
    ) -> None:
        for option in ("transport", "timesteps"):
            if option in conversion:
                raise ConfigError(
                    f"cycles are predicted for count transport, at the timesteps asked for: leave "
                    f"{option} out"
                )
        self.prepared = prepared
        self.cycles = cycles
        self._conversion = conversion
        self._images = images
        self._fingerprint = b""
        self._known: dict[tuple[tuple[str, int], ...], float] = {}

    def __call__(self, timesteps: Mapping[str, int]) -> float:
        """Return the cycles per image of the network that the model would become.

        Parameters
        ----------
        timesteps : mapping of layer name to int
            T of layers that fire; layers that are not named keep the model's.

        Raises
        ------
        ConfigError
            If there is no such layer, or its T is out of range.
        """
        fingerprint = _fingerprint(self.prepared)
        if fingerprint != self._fingerprint:
            self._fingerprint = fingerprint
            self._known.clear()
        key = tuple(sorted(timesteps.items()))
        if key not in self._known:
            network = self._network(timesteps)
            self._known[key] = self.cycles(network, self._pixels(network))
        return self._known[key]

    def _network(self, timesteps: Mapping[str, int]) -> Network:
        """Convert a copy of the model at some timesteps."""
        changed = copy.deepcopy(self.prepared).cpu().eval()
        firing = {x.name: x.activation for x in fold(changed) if x.activation is not None}
        unknown = sorted(timesteps.keys() - firing.keys())
        if unknown:
            raise ConfigError(
                f"timesteps are given for {', '.join(unknown)}, but the layers that fire are "
                f"{', '.join(firing)}"
            )
        for name, activation in firing.items():
            steps = timesteps.get(name, activation.levels)
            activation.learn(None)  # fixed timesteps may be higher than learned ones
            activation.set_levels(steps)
        return convert(changed, **self._conversion)

    def _pixels(self, network: Network) -> IntArray:
        """Return the images as the network's input takes them."""
        images = self._images
        array = images.detach().cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
        if array.dtype.kind in "iu":
            return array.astype(np.int64)
        meta = getattr(self.prepared, "meta", {}).get(META, {})
        if "pixels" in meta:
            found: IntArray = meta["pixels"].nearest(torch.from_numpy(array)).numpy()
            return found
        scale = self._conversion.get("input_scale") or meta.get("input_scale")
        highest = network.input.values().high
        pixels: IntArray = np.rint(array / (scale or 1 / highest)).astype(np.int64)
        return pixels.clip(0, highest)


def cost_of(
    prepared: nn.Module, images: Tensor, options: Mapping[str, Any], cycles: NetworkCycles
) -> CycleCost:
    """Return the cost function for the ``cycles`` penalty of a recipe.

    Parameters
    ----------
    prepared, images, cycles
        As for :class:`CycleCost`.
    options : mapping
        The recipe's options of the conversion.

    Raises
    ------
    ConfigError
        If the options are not for count transport at the timesteps that are learned.
    """
    if options.get("transport", "count") != "count" or "timesteps" in options:
        raise ConfigError(
            "the penalty 'cycles' predicts layers that exchange counts, at the timesteps that are "
            "learned: leave transport and timesteps out of [conversion]"
        )
    rest = {key: value for key, value in options.items() if key != "transport"}
    return CycleCost(prepared, images, cycles, **rest)


def _fingerprint(model: nn.Module) -> bytes:
    """Return a hash of all parameters and buffers of a model."""
    digest = hashlib.blake2b()
    for tensor in model.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.digest()
