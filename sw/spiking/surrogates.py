"""Surrogate derivatives of a spike, which is a step function of the potential."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.registry import Registered

#: Half the width of the core of ReLSG-ET, in quanta, and the decay of its tails per quantum.
CORE, DECAY = 0.25, 3.0
#: κ of the sigmoid, and the epochs, from 0, from which on each of its values holds.
KAPPA, KAPPA_EPOCHS = (6.7, 10.0, 15.0), (0, 10, 20)


class Surrogate(Registered, ABC):
    """Derivative that stands in for that of a spike. A subclass is found by its ``kind``."""

    kinds: ClassVar[dict[str, type[Surrogate]]] = {}

    @abstractmethod
    def derivative(self, distance: Tensor) -> Tensor:
        """Return the derivative at a distance from the nearest threshold.

        Parameters
        ----------
        distance : tensor
            Not negative, in quanta.
        """

    def at(self, epoch: int) -> Surrogate:
        """Return the surrogate of an epoch, counted from 0."""
        return self


@dataclass(frozen=True)
class ReLSGET(Surrogate, kind="relsg-et"):
    """1 up to a distance of ``alpha``, and ``exp(-beta (distance - alpha))`` beyond.

    Parameters
    ----------
    alpha, beta : float
        Positive; alpha can be 0. The published formula has no ``- alpha`` in its tails, and so a
        jump where they begin.

    References
    ----------
    Bai et al., "QB-LIF: learnable-scale quantized burst neurons", arXiv:2604.25688.
    """

    alpha: float = CORE
    beta: float = DECAY

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < float("inf"):
            raise ConfigError(f"alpha must be at least 0 and finite, not {self.alpha}")
        if not 0 < self.beta < float("inf"):
            raise ConfigError(f"beta must be positive and finite, not {self.beta}")

    def derivative(self, distance: Tensor) -> Tensor:
        return torch.exp(-self.beta * (distance - self.alpha).clamp(min=0))


@dataclass(frozen=True)
class Sigmoid(Surrogate, kind="sigmoid"):
    """The slope of ``1 / (1 + exp(-κ x))``, where x is the distance, with a κ that grows.

    Parameters
    ----------
    kappa : sequence of float
        Positive.
    kappa_epochs : sequence of int
        The epoch, from 0, from which on each κ holds; the first is 0.

    References
    ----------
    Wang et al., "A fast and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI
    2025, eq. 32, whose κ is 6.7, 10 after 10 epochs, and 15 from the 20th epoch on.
    """

    kappa: Sequence[float] = KAPPA
    kappa_epochs: Sequence[int] = KAPPA_EPOCHS

    def __post_init__(self) -> None:
        if not self.kappa or not all(0 < kappa < float("inf") for kappa in self.kappa):
            raise ConfigError(f"kappa must be positive numbers, not {list(self.kappa)}")
        epochs = list(self.kappa_epochs)
        if len(epochs) != len(self.kappa) or epochs[0] != 0 or epochs != sorted(set(epochs)):
            raise ConfigError(
                f"kappa_epochs must be a growing list of {len(self.kappa)} epochs, one for each "
                f"kappa, the first 0, not {epochs}"
            )

    def derivative(self, distance: Tensor) -> Tensor:
        share = torch.sigmoid(-self.kappa[0] * distance)
        return self.kappa[0] * share * (1 - share)

    def at(self, epoch: int) -> Surrogate:
        index = sum(begin <= epoch for begin in self.kappa_epochs) - 1
        return Sigmoid((self.kappa[index],), (0,))


#: The surrogate of neurons that have been given no other.
DEFAULT = ReLSGET()


def surrogate_named(name: str | None, **parameters: Any) -> Surrogate:
    """Return a surrogate by its name, with those of the parameters that are not None.

    Parameters
    ----------
    name : str or None
        A key of :attr:`Surrogate.kinds`; by default "relsg-et".
    **parameters
        Of its class: ``alpha``, ``beta``, ``kappa``, ``kappa_epochs``.

    Raises
    ------
    ConfigError
        If there is none of that name, a parameter belongs to another one, or is out of range.
    """
    known = "relsg-et" if name is None else name
    kind = Surrogate.member(known, ConfigError, f"no surrogate is called {known!r}; there are")
    given = {key: value for key, value in parameters.items() if value is not None}
    own = kind.__dataclass_fields__  # type: ignore[attr-defined]
    for key in given:
        if key not in own:
            raise ConfigError(
                f"the surrogate {known!r} has no {key}, but {' and '.join(own)}: leave it out, or "
                f"choose another surrogate"
            )
    if "kappa" in given and len(given["kappa"]) == 1:
        given.setdefault("kappa_epochs", (0,))
    return kind(**given)
