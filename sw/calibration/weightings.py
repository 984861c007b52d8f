"""Weightings of the layers' losses in a calibration: a class for each, found by its name."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

from spikeloom.sw.registry import Registered

#: μ of the sigmoid weighting: its width is about 3.5/μ of the network's depth.
STEEPNESS = 6.0


class Weighting(Registered, ABC):
    """Weights of the layers' losses over the progress of a calibration; found by its name.

    References
    ----------
    Wang et al., "A fast and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI
    2025, eq. 25 to 30.
    """

    kinds: ClassVar[dict[str, type[Weighting]]] = {}
    #: Whether only the layer that is compared learns.
    alone: ClassVar[bool] = False

    @abstractmethod
    def raw(self, depth: float, progress: float) -> float:
        """Return φ of a layer, not negative: its weight before division by the sum over layers.

        Parameters
        ----------
        depth : float
            l / L of layer l of L, from 1/L to 1; 1 is the output layer.
        progress : float
            p, from 0 at the first step to 1 at the last one.
        """

    def weights(self, layers: int, progress: float) -> list[float]:
        """Return the weights of all layers, the output layer last; their sum is 1 (eq. 26).

        Parameters
        ----------
        layers : int
            L, including the output layer.
        progress : float
            p.
        """
        raw = [self.raw(index / layers, progress) for index in range(1, layers + 1)]
        return [value / sum(raw) for value in raw]


class OutputWeighting(Weighting, kind="output"):
    """The output layer alone, as in QAC's eq. 15."""

    def raw(self, depth: float, progress: float) -> float:
        """Return 1 for the output layer, and 0 for others."""
        return float(depth == 1)


class UniformWeighting(Weighting, kind="uniform"):
    """The same weight for all layers, at all times (eq. 25)."""

    def raw(self, depth: float, progress: float) -> float:
        """Return 1."""
        return 1.0


class CosineWeighting(Weighting, kind="cosine"):
    """From the first layers to the last, along a cosine (eq. 27)."""

    def raw(self, depth: float, progress: float) -> float:
        """Return ``cos(π/2 · (l/L - p))``."""
        # Between -π/2 and π/2 only rounding can make it negative.
        return max(math.cos(math.pi / 2 * (depth - progress)), 0.0)


class SigmoidWeighting(Weighting, kind="sigmoid"):
    """From the first layers to the last, along the slope of a sigmoid (eq. 28 to 30).

    Parameters
    ----------
    steepness : float
        μ: the larger it is, the fewer layers count at a time.
    """

    def __init__(self, steepness: float = STEEPNESS) -> None:
        self.steepness = steepness

    def raw(self, depth: float, progress: float) -> float:
        """Return the slope of ``1/(1 + exp(-μx))``, at ``x = l/L - p``."""
        sigma = 1 / (1 + math.exp(-self.steepness * (depth - progress)))
        return self.steepness * (1 - sigma) * sigma


class LayerwiseWeighting(Weighting, kind="layerwise"):
    """One layer after the other, each alone, for an equal share of the steps.

    The layers ahead of it, which are calibrated by then, give it its inputs, and only its own
    parameters are learned. This is the method that the paper's joint calibration is compared with:
    what remains of the errors of early layers adds up.

    References
    ----------
    Wang et al., "A fast and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI
    2025, section 4.2, after Wang et al., "Toward high-accuracy and low-latency spiking neural
    networks with two-stage optimization", TNNLS 2025.
    """

    alone = True

    def raw(self, depth: float, progress: float) -> float:
        """Return 1 for the layers from the one whose turn it is on: those with ``p < l/L``."""
        return float(progress < depth or depth == 1)

    def weights(self, layers: int, progress: float) -> list[float]:
        """Return 1 for the layer whose turn it is, the first of those, and 0 for the others."""
        raw = [self.raw(index / layers, progress) for index in range(1, layers + 1)]
        return [float(index == raw.index(1)) for index in range(layers)]
