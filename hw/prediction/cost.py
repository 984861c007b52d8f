"""What a model's timesteps would cost in hardware, for a training that learns them.

Here, and nowhere else in this package, a trained model is looked at: it is converted for each set
of timesteps, the golden model says what its layers send for some images, and
:mod:`~spikeloom.hw.prediction` counts the clock cycles.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import plan
from spikeloom.hw.prediction import Prediction, predict
from spikeloom.sw.coding import fold
from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import INPUT, Network
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.quantized.prepare import META

#: What is meant by the cycles of an image, by name: from a prediction to a number.
MEASURES: Mapping[str, Callable[[Prediction], float]] = {
    "slowest": lambda found: float(found.slowest.cycles.mean()),
    "sum": lambda found: float(sum(layer.cycles.mean() for layer in found.layers)),
}


def activity(network: Network, images: npt.ArrayLike | Tensor) -> dict[str, IntArray]:
    """Return what the input and every firing layer send, for :func:`predict`.

    Parameters
    ----------
    network : Network
    images : array or tensor of integers, shape (N, *network.input.image_shape)

    Returns
    -------
    dict of str to array of int64, shape (steps, N, *shape)
        Spikes, or counts as a single step if no connection carries spikes.

    Raises
    ------
    DataError
        If the images do not fit.
    """
    constant = all(c.constant for layer in network.layers for c in layer.connections)
    result = Golden(network).run(images, trace=not constant)
    pixels = np.asarray(images, dtype=np.int64)
    sent = {INPUT: pixels[None] if network.input.steps is None else pixels.swapaxes(0, 1)}
    if result.trace is None:
        return sent | {name: counts[None].numpy() for name, counts in result.counts.items()}
    return sent | {name: result.trace[name].spikes.numpy() for name in result.counts}


def cost_of(
    prepared: nn.Module, images: Tensor, options: Mapping[str, Any], measure: str
) -> CycleCost:
    """Return what a recipe's penalty on cycles asks.

    Parameters
    ----------
    prepared, images, measure
        As for :class:`CycleCost`.
    options : mapping
        The recipe's options of the conversion.

    Raises
    ------
    ConfigError
        If these are not for count transport at the timesteps that are learned.
    """
    if options.get("transport", "count") != "count" or "timesteps" in options:
        raise ConfigError(
            "the penalty 'cycles' predicts layers that exchange counts, at the timesteps that are "
            "learned: leave transport and timesteps out of [conversion]"
        )
    rest = {key: value for key, value in options.items() if key != "transport"}
    return CycleCost(prepared, images, measure=measure, **rest)


class CycleCost:
    """Predicted clock cycles per image of a model, as a function of its layers' timesteps.

    Results are kept as long as the model's parameters stay as they are.

    Parameters
    ----------
    prepared : nn.Module
        From :func:`~spikeloom.sw.quantized.prepare`; left as it is, and looked at in every call.
    images : array or tensor, shape (N, *input_shape)
        Some that are typical, 8 to 32: pixels, or, if not integers, what the model sees of them,
        which are multiples of ``input_scale``.
    config : HardwareConfig, optional
        Choices for the hardware; lanes that it leaves open are those that the planner chooses.
    measure : {"slowest", "sum"}
        The cycles of the slowest layer, which are what a stream of images takes for each, or those
        of all layers together, which are what they need energy for.
    **conversion
        Options of :func:`~spikeloom.sw.conversion.convert`, but for ``transport`` and
        ``timesteps``: layers exchange counts, at the timesteps asked for.

    Raises
    ------
    ConfigError
        If the measure is unknown, or an option is not for the conversion to count transport.

    Examples
    --------
    >>> cost = CycleCost(prepared, images)  # doctest: +SKIP
    >>> cost({"conv1": 3}) - cost({"conv1": 2})  # doctest: +SKIP
    """

    def __init__(
        self,
        prepared: nn.Module,
        images: npt.ArrayLike | Tensor,
        config: HardwareConfig | None = None,
        *,
        measure: str = "slowest",
        **conversion: Any,
    ) -> None:
        if measure not in MEASURES:
            raise ConfigError(f"measure must be {' or '.join(MEASURES)}, not {measure!r}")
        for option in ("transport", "timesteps"):
            if option in conversion:
                raise ConfigError(
                    f"cycles are predicted for count transport, at the timesteps asked for: leave "
                    f"{option} out"
                )
        self.prepared = prepared
        self.config = config or HardwareConfig()
        self.measure = measure
        self._conversion = conversion
        self._images = images
        self._state = b""
        self._known: dict[tuple[tuple[str, int], ...], Prediction] = {}

    def __call__(self, timesteps: Mapping[str, int]) -> float:
        """Return the cycles per image at some timesteps; see :meth:`predict`."""
        return MEASURES[self.measure](self.predict(timesteps))

    def predict(self, timesteps: Mapping[str, int]) -> Prediction:
        """Predict the cycles of the network that the model would become.

        Parameters
        ----------
        timesteps : mapping of layer name to int
            T, of layers that fire; the others keep the model's.

        Raises
        ------
        ConfigError
            If there is no such layer, or its T is out of range.
        """
        state = _fingerprint(self.prepared)
        if state != self._state:
            self._state = state
            self._known.clear()
        key = tuple(sorted(timesteps.items()))
        if key not in self._known:
            network = self._network(timesteps)
            sent = activity(network, self._pixels(network))
            self._known[key] = predict(plan(network, self.config), sent)
        return self._known[key]

    def _network(self, timesteps: Mapping[str, int]) -> Network:
        """Return the network that the model would become."""
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
            activation.learn(None)  # so that T may be higher than what is learned may be
            activation.set_levels(steps)
        return convert(changed, **self._conversion)

    def _pixels(self, network: Network) -> IntArray:
        """Return the images as the network takes them."""
        images = self._images
        array = images.detach().cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
        if array.dtype.kind in "iu":
            return array.astype(np.int64)
        meta = getattr(self.prepared, "meta", {}).get(META, {})
        scale = self._conversion.get("input_scale") or meta.get("input_scale")
        highest = network.input.values().high
        pixels: IntArray = np.rint(array / (scale or 1 / highest)).astype(np.int64)
        return pixels.clip(0, highest)


def _fingerprint(model: nn.Module) -> bytes:
    """Return what changes as soon as a parameter or buffer does."""
    found = hashlib.blake2b()
    for tensor in model.state_dict().values():
        found.update(tensor.cpu().contiguous().numpy().data)
    return found.digest()
