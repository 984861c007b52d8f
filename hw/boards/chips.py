"""Families of FPGAs: their part numbers, the platforms that serve them, resources of each model."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikeloom.hw.boards.parts import Processor, Resources
from spikeloom.sw import tables
from spikeloom.sw.errors import ConfigError

#: The table of all families.
TABLE = Path(__file__).with_name("chips.toml")


@dataclass(frozen=True)
class Model:
    """A model of FPGA.

    Parameters
    ----------
    resources : Resources
    packages : tuple of str
        Those that the tools know; empty if they are not listed.
    processor : Processor or None
    """

    resources: Resources
    packages: tuple[str, ...] = ()
    processor: Processor | None = None


@dataclass(frozen=True)
class Chips:
    """A family of FPGAs.

    Parameters
    ----------
    family : str
    part : str
        Regular expression of a part number; its named groups are attributes of the platform.
    written : str
        Format of a part number, from these attributes.
    model : str
        Format of a model's name, from the same.
    example : str
        A part number, for messages.
    platform : str
        The class of Amaranth's platform, as ``module:NAME``.
    known : bool
        Whether the tools know no models but those listed.
    options : tuple of str
        Options of the tools that a board's table may set.
    derived : mapping of str to str
        Further attributes of the platform, as formats.
    models : mapping of str to Model
    """

    family: str
    part: str
    written: str
    model: str
    example: str
    platform: str
    known: bool
    options: tuple[str, ...]
    derived: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def find(family: str) -> Chips:
        """Return a family by its name.

        Raises
        ------
        ConfigError
            If there is none of this name.
        """
        known = families()
        tables.require_known(family, known, "family: there is no")
        return known[family]

    def attributes(self, device: str, version: str = "") -> dict[str, str]:
        """Return the attributes of the platform of an FPGA.

        Parameters
        ----------
        device : str
            Part number.
        version : str
            Letter that Gowin's part numbers leave out.

        Raises
        ------
        ConfigError
            If it is no part number of this family.
        """
        found = self._parsed(device)
        words = {**found, "version": version}
        return found | {name: text.format(**words) for name, text in self.derived.items()}

    def find_model(self, device: str) -> Model | None:
        """Return the model of a part number; None if it is not listed, and need not be.

        Raises
        ------
        ConfigError
            If it is no part number of this family, the tools do not know the model, or the model
            has no such package.
        """
        found = self._parsed(device)
        name = self.model.format(**found)
        # Of two that a name begins with, the longer one: xc7a100t, not xc7a10.
        near = [known for known in self.models if name.startswith(known)]
        model: Model | None = self.models[max(near, key=len)] if near else None
        if self.known and (model is None or name not in self.models):
            tables.require_known(name, self.models, f"device {device!r}: {self.family} has no")
        if model is not None and model.packages and found["package"] not in model.packages:
            raise ConfigError(
                f"device {device!r}: the tools know no package {found['package']!r} of {name}, "
                f"only {', '.join(model.packages)}"
            )
        return model

    def device(self, platform: Any) -> str:
        """Return the part number of an Amaranth platform of this family."""
        names = re.findall(r"{(\w+)}", self.written)
        return self.written.format(**{name: getattr(platform, name) for name in names})

    def _parsed(self, device: str) -> dict[str, str]:
        match = re.fullmatch(self.part, device)
        if match is None:
            raise ConfigError(
                f"device {device!r} is no part number of {self.family}: write it as in "
                f"{self.example!r}"
            )
        return {name: text for name, text in match.groupdict().items() if text is not None}


@functools.cache
def families() -> Mapping[str, Chips]:
    """Return all families by their names."""
    found = {}
    for family, table in tables.load(TABLE, "table of FPGAs").items():
        models = {name: _model(entry) for name, entry in table.pop("models").items()}
        found[family] = tables.read(Chips, {"family": family, **table, "models": models}, family)
    return found


def _model(entry: dict[str, Any]) -> Model:
    packages = tuple(entry.pop("packages", ()))
    processor = entry.pop("processor", None)
    return Model(
        Resources.of_device(entry),
        packages,
        None if processor is None else tables.read(Processor, processor, "processor"),
    )
