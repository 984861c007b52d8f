"""Health of a layer: its measures during an epoch, and their JSON form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from spikeloom.sw.errors import FileFormatError


@dataclass(frozen=True)
class LayerHealth:
    """Measures of one layer that fires, over some batches of an epoch.

    A *driving* input is one that the activation is meant to pass on: an input above 0 or, for a
    signed activation, any input except 0. None stands for a measure that was not taken.

    Parameters
    ----------
    name : str
    timesteps : int
        T.
    largest : int
        Largest number of spikes in one timestep; 1 except for burst neurons.
    steps : int
        Training steps of the epoch; 0 if the layer was measured without training.
    start : float or None
        λ before training, in units of the activation's input.
    threshold : float or None
        λ at the end of the epoch; an integer network has none.
    wanted : float or None
        The λ that fits the inputs: it just clips the highest 0.3 % of the driving inputs. None if
        there are no driving inputs.
    gradient : float or None
        Mean size of the loss's gradient by λ, at constant T; None if λ is not learned.
    weight_gradient : float or None
        Mean norm of the loss's gradient by the weights of the layer.
    clipped : float or None
        Share of the driving inputs beyond the range that λ gives.
    below : float or None
        Share of the driving inputs whose output is 0 all the same.
    zero : float
        Share of outputs that are 0.
    dead : float
        Share of channels (in fully connected layers, of neurons) whose output was always 0.
    rate : float
        Mean number of spikes over T.
    saturation : float
        Share of neurons that fire in each of their timesteps; for burst neurons, share of
        timesteps with ``largest`` spikes.
    """

    name: str
    timesteps: int
    largest: int
    steps: int
    start: float | None
    threshold: float | None
    wanted: float | None
    gradient: float | None
    weight_gradient: float | None
    clipped: float | None
    below: float | None
    zero: float
    dead: float
    rate: float
    saturation: float

    @property
    def moved(self) -> float | None:
        """Relative movement of λ since the start, ``λ / start - 1``.

        None if one of them is unknown, or λ was 0 or not finite at the start.
        """
        if self.start is None or self.threshold is None or not 0 < self.start < math.inf:
            return None
        return self.threshold / self.start - 1

    @property
    def ratio(self) -> float | None:
        """Gradient by the weights over gradient by λ; any size is healthy, so it is no alarm.

        None if one of them is unknown, or that by λ is 0.
        """
        if self.weight_gradient is None or not self.gradient:
            return None
        return self.weight_gradient / self.gradient

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name as JSON values; infinity and NaN become None."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> LayerHealth:
        """Return the health that :meth:`to_json` described.

        Raises
        ------
        FileFormatError
            If a field is missing, unknown or of the wrong type.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(record, Mapping):
            raise FileFormatError(f"a layer's health is no JSON object: {record!r:.80}")
        wrong = sorted(set(record) ^ set(names))
        if wrong:
            raise FileFormatError(
                f"a layer's health has fields that are missing or unknown: {', '.join(wrong)}"
            )
        values = dict(record)
        for name in names:
            kind = _KINDS.get(name, (int, float, type(None)))
            if isinstance(values[name], bool) or not isinstance(values[name], kind):
                raise FileFormatError(f"a layer's health has the {name} {values[name]!r}")
        for name in ("zero", "dead", "rate", "saturation"):
            if values[name] is None:
                values[name] = math.nan
        return cls(**values)


_KINDS: dict[str, type] = {"name": str, "timesteps": int, "largest": int, "steps": int}
