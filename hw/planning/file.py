"""Plan files: choices for a network's hardware, as JSON.

``spikeloom plan`` writes them, and every command that makes hardware takes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sw.documents import parse_json
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.files import read_bytes, require_field, require_version, write_text
from spikeloom.sw.network import Network

FORMAT, VERSION = "spikeloom-plan", 1
#: Bytes that a plan file has at most.
_LARGEST = 1 << 22
_WHAT = "plan file"
#: Fields of a layer's entry, and those that may be missing: the planner then chooses.
_CHOICES = ("lanes", "events", "slots")
_OPTIONAL = ("units", "planes", "copies")


@dataclass(frozen=True)
class PlanFile:
    """The content of a plan file.

    Parameters
    ----------
    network : str
        Name of the network that it is for.
    digest : str
        Digest of that network.
    config : HardwareConfig
        Lanes, events and slots of every layer by name, units of some layers or none, planes of
        those that are unrolled, copies of those that have several, the time mode, and whether
        engines are compact.
    about : mapping of str to Any
        How it was found, as JSON values: not read by any command.
    """

    network: str
    digest: str
    config: HardwareConfig
    about: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: str | Path) -> None:
        """Write the file.

        Raises
        ------
        FileFormatError
            If it cannot be written.
        """
        write_text(path, json.dumps(self.content(), indent=1) + "\n")

    def content(self) -> dict[str, Any]:
        """Return the content as JSON values."""
        choices = {name: _by_layer(getattr(self.config, name), name) for name in _CHOICES}
        for name in _OPTIONAL:
            if getattr(self.config, name) is not None:
                choices[name] = _by_layer(getattr(self.config, name), name)
        return {
            "format": FORMAT,
            "version": VERSION,
            "network": {"name": self.network, "digest": self.digest},
            "time": str(self.config.time),
            # Left out of other files, which are older than the field.
            **({"compact": True} if self.config.compact else {}),
            "layers": {
                layer: {name: chosen[layer] for name, chosen in choices.items() if layer in chosen}
                for layer in choices["lanes"]
            },
            "about": dict(self.about),
        }

    @classmethod
    def load(cls, path: str | Path) -> PlanFile:
        """Read a file.

        Raises
        ------
        FileFormatError
            If it is missing, no plan file, damaged, or of a newer version.
        """
        cure = "make it anew by `spikeloom plan`"
        try:
            content = parse_json(read_bytes(path, _WHAT, _LARGEST))
        except ValueError as error:
            raise FileFormatError(f"{path} is no {_WHAT}: {error}: {cure}") from None
        if not isinstance(content, dict):
            raise FileFormatError(f"{path} is no {_WHAT}: it holds no object: {cure}")
        require_version(content, path, _WHAT, FORMAT, VERSION)
        network = require_field(content, "network", dict, str(path), cure)
        layers = require_field(content, "layers", dict, str(path), cure)
        choices: dict[str, dict[str, int]] = {name: {} for name in _CHOICES + _OPTIONAL}
        for layer, entry in layers.items():
            where = f"{path}, layer {layer!r}"
            if not isinstance(entry, dict):
                raise FileFormatError(f"{where} must be an object, not {entry!r}: {cure}")
            for name in (*_CHOICES, *(name for name in _OPTIONAL if name in entry)):
                choices[name][layer] = require_field(entry, name, int, where, cure)
        try:
            config = HardwareConfig(
                choices["lanes"],
                choices["events"],
                choices["slots"],
                choices["units"] or None,
                time=require_field(content, "time", str, str(path), cure),
                planes=choices["planes"] or None,
                copies=choices["copies"] or None,
                compact="compact" in content
                and require_field(content, "compact", bool, str(path), cure),
            )
        except ConfigError as error:
            raise FileFormatError(f"{path}: {error}: {cure}") from None
        digest = require_field(network, "digest", str, f"{path}, network", cure)
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise FileFormatError(
                f"{path}, network: 'digest' must have 64 hexadecimal digits, not {digest!r}: {cure}"
            )
        return cls(
            require_field(network, "name", str, f"{path}, network", cure),
            digest,
            config,
            require_field(content, "about", dict, str(path), cure),
        )

    def for_network(
        self, network: Network, *, debug: bool = False, counters: bool = False
    ) -> HardwareConfig:
        """Return the configuration, after checking that it is for a network.

        Raises
        ------
        ConfigError
            If the network is another one, or its layers are.
        """
        if self.digest != network.digest:
            raise ConfigError(
                f"the plan is for the network {self.network!r} of digest {self.digest[:12]}..., "
                f"not for {network.name!r} of digest {network.digest[:12]}...: make one for it by "
                f"`spikeloom plan`"
            )
        names = [layer.name for layer in network.layers]
        planned = list(_by_layer(self.config.lanes, "lanes"))
        if sorted(names) != sorted(planned):
            raise ConfigError(
                f"the plan is for the layers {', '.join(map(repr, planned))}, but the network's "
                f"are {', '.join(map(repr, names))}"
            )
        return replace(self.config, debug=debug, counters=counters)


def _by_layer(choice: object, what: str) -> dict[str, int]:
    """Return a choice by layer, which a plan file always has."""
    if not isinstance(choice, Mapping):
        raise ConfigError(f"a plan file needs {what} of every layer, not {choice!r}")
    return dict(choice)
