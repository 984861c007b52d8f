"""A user's choices for nextpnr: seeds of placements, and arguments of their own."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import Any, Self

from spikeloom.hw.build.family import Family
from spikeloom.hw.build.options import Options
from spikeloom.sw.errors import ConfigError

#: Arguments that say which files nextpnr reads and writes, and others that every build sets, or
#: that would make each build another.
_SET = (
    *("--json", "--lpf", "--pcf", "--pdc", "--cst", "--textcfg", "--asc", "--fasm", "--write"),
    *("--vopt", "--device", "--package", "--speed", "--freq", "--report", "--log"),
    *("--timing-allow-fail", "--seed", "-r", "--randomize-seed"),
)


@dataclass(frozen=True)
class Placing:
    """How nextpnr is called.

    Parameters
    ----------
    seeds : tuple of int or None
        Seeds of the placements to try, one after another; None is nextpnr's own.
    arguments : tuple of str
        More arguments; without any, those that the family has for large designs.
    """

    seeds: tuple[int | None, ...] = (None,)
    arguments: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: Options) -> Self:
        """Return the choices among the options of a build.

        Raises
        ------
        ConfigError
            If a number is out of range, or an argument is one that a build sets itself.
        """
        arguments = tuple(options.get("nextpnr", ()))
        for argument in arguments:
            name = argument.partition("=")[0]
            if name in _SET:
                raise ConfigError(
                    f"nextpnr's {name} is set by the build: leave it out of "
                    f"{shlex.join(arguments)!r}"
                )
        return cls(_seeds(options.get("seed"), options.get("placements", 1)), arguments)

    def of_size(self, family: Family, luts: int) -> Placing:
        """Return the choices for a design of so many look-up tables."""
        return self if self.arguments else replace(self, arguments=family.placing(luts))

    def all_arguments(self, seed: int | None) -> list[str]:
        """Return the arguments for a placement with one of the seeds."""
        return [*self.arguments, *([] if seed is None else ["--seed", str(seed)])]

    def content(self, seed: int | None) -> dict[str, Any]:
        """Return the entries of a manifest.

        They are left out where they are nextpnr's own, as in manifests that are older than the
        fields.
        """
        content: dict[str, Any] = {} if seed is None else {"seed": seed}
        return content | ({"nextpnr": list(self.arguments)} if self.arguments else {})


def _seeds(first: int | None, placements: int) -> tuple[int | None, ...]:
    """Return the seeds of the placements to try."""
    if placements < 1:
        raise ConfigError(f"placements must be at least 1, not {placements}")
    if first is None:
        return (None, *range(1, placements))
    if first < 0 or first + placements > 2**31:
        raise ConfigError(f"seeds must be from 0 to 2147483647, not {first}")
    return tuple(range(first, first + placements))
