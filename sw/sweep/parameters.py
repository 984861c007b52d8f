"""Parameters: the keys that a sweep varies, each with its values or its range."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.tables import plain, read, require_known

EXAMPLE = "a list of values, as in [2, 4, 8], or a range, as in { low = 2, high = 8 }"
#: Limit that no sweep which ends comes near to.
_MOST_CHOICES = 256

#: A value that Optuna stores as it is.
Scalar = bool | int | float | str


@dataclass(frozen=True)
class Choices:
    """A parameter that takes one of several values.

    Parameters
    ----------
    name : str
        The key that it sets, with dots between its parts: ``"levels.timesteps.conv1"``.
    values : tuple
        Values as TOML holds them: numbers, texts, booleans, lists, tables.

    Raises
    ------
    ConfigError
        If there is no value, too many, or one stands there twice.
    """

    name: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.values) <= _MOST_CHOICES:
            raise ConfigError(
                f"space.{self.name} has {len(self.values)} values: give 1 to {_MOST_CHOICES}"
            )
        for value in self.values:
            if self.stored.count(_scalar(value)) > 1:
                raise ConfigError(f"space.{self.name} has the value {value!r} twice: remove one")
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"space.{self.name} has the value {value}: give finite numbers")

    @property
    def stored(self) -> list[Scalar]:
        """The values as a study stores them: those that are no scalars as JSON."""
        return [_scalar(value) for value in self.values]

    def value(self, stored: Scalar) -> Any:
        """Return the value for one that a study has stored."""
        return self.values[self.stored.index(stored)]

    def samples(self) -> Sequence[Any]:
        """Return values that the recipe must take: all."""
        return self.values

    def plain(self) -> Any:
        """Return the parameter as it stands in the file."""
        return plain(list(self.values))


@dataclass(frozen=True)
class Span:
    """A parameter that takes numbers within a range.

    Parameters
    ----------
    name : str
        As of :class:`Choices`.
    low, high : int or float
        Both ends are included. Integers give integers.
    step : int or float, optional
        Distance of two values; by default 1 for integers, and none for others.
    log : bool
        Whether each order of magnitude is as likely as another.

    Raises
    ------
    ConfigError
        If the range is empty, a number is not finite, or a logarithm asks for what it has not.
    """

    name: str
    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        numbers = [self.low, self.high, *([] if self.step is None else [self.step])]
        where = f"space.{self.name}"
        if not all(math.isfinite(number) for number in numbers):
            raise ConfigError(f"{where} must have finite numbers, not {numbers}")
        if self.low >= self.high:
            raise ConfigError(
                f"{where}: low is {self.low} and high {self.high}: high must be larger; what all "
                f"trials share belongs in [fixed]"
            )
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ConfigError(
                f"{where}: step must be above 0 and at most high - low, not {self.step}"
            )
        if self.log and (self.low <= 0 or self.step is not None):
            raise ConfigError(f"{where}: log = true needs low above 0, and no step")

    @property
    def whole(self) -> bool:
        """Whether it takes integers."""
        return all(isinstance(x, int) for x in (self.low, self.high, self.step or 1))

    def value(self, stored: Scalar) -> Any:
        """Return the value for one that a study has stored: the same."""
        return stored

    def samples(self) -> Sequence[Any]:
        """Return values that the recipe must take: both ends."""
        ends = (self.low, self.high)
        return ends if self.whole else tuple(map(float, ends))

    def plain(self) -> Any:
        """Return the parameter as it stands in the file."""
        more = {} if self.step is None else {"step": self.step}
        return {"low": self.low, "high": self.high, **more, **({"log": True} if self.log else {})}


Parameter = Choices | Span


def parameters_of(table: Mapping[str, Any], before: str = "") -> Iterator[Parameter]:
    """Yield the parameters in nested tables, named by their keys with dots between the parts."""
    for key, value in table.items():
        name = f"{before}{key}"
        if isinstance(value, list):
            yield Choices(name, tuple(value))
        elif isinstance(value, Mapping) and ("low" in value or "high" in value):
            yield read(Span, {"name": name, **_without_name(value, name)}, f"space.{name}")
        elif isinstance(value, Mapping):
            yield from parameters_of(value, f"{name}.")
        else:
            raise ConfigError(
                f"space.{name} must be {EXAMPLE}, not {value!r}: what all trials share belongs in "
                f"[fixed]"
            )


def _without_name(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    for key in table:
        require_known(key, ("low", "high", "step", "log"), f"space.{name} has no key")
    return table


def _scalar(value: Any) -> Scalar:
    return value if isinstance(value, Scalar) else json.dumps(value, sort_keys=True, default=str)
