"""The sidecar of generated hardware, held against the network that it was generated from.

A sidecar may come from anywhere. It says which choices its hardware was generated with, and
nothing else: all that a simulation relies on follows from the network and these choices, as it did
for the generator, and a sidecar that says otherwise is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from spikeloom.hw.options import SLOTS, TimeMode
from spikeloom.hw.planning import HardwareConfig, Plan
from spikeloom.hw.planning.plan import input_stream, layer_plan
from spikeloom.hw.verilog import FORMAT, VERSION, describe
from spikeloom.sw.errors import ConfigError, FileFormatError, UnsupportedError
from spikeloom.sw.files import require_field, require_version
from spikeloom.sw.network import INPUT, Layer, Network

_T = TypeVar("_T")
_CURE = "generate the hardware again"

#: Values that a sidecar may lack, since older ones do. Where they stand, they must be right.
_OPTIONAL = {"shape", "highest", "timesteps", "classes", "signed", "units", "order", "version"}
#: Values that a simulation has no use for. Planners of other versions choose them in other ways.
_UNUSED = {"buffers"}


def planned(sidecar: Any, network: Network, where: str) -> Plan:
    """Return the plan of the hardware that a sidecar describes; its buffers may have other sizes.

    Parameters
    ----------
    sidecar : object
        Content of a sidecar file, as read from JSON.
    network : Network
        The network that the hardware is for.
    where : str
        Name of the sidecar in error messages.

    Raises
    ------
    ConfigError
        If the hardware was generated from another network.
    FileFormatError
        If it is no sidecar, has another version, lacks a value, or says something that does not
        follow from the network.
    """
    if not isinstance(sidecar, Mapping):
        raise FileFormatError(f"{where} does not describe generated hardware: it is no object")
    require_version(sidecar, where, "description of generated hardware", FORMAT, VERSION)
    digest = _get(_get(sidecar, "network", dict, where), "digest", str, where)
    if digest != network.digest:
        raise ConfigError(
            f"the hardware of {where} was generated from another network (digest {digest[:12]!r}) "
            f"than {network.name!r} ({network.digest[:12]}): generate it again"
        )
    entries = _get(sidecar, "layers", list, where)
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    if names != [layer.name for layer in network.layers]:
        raise FileFormatError(
            f"{where} does not list the layers of {network.name!r}, in their order: {_CURE}"
        )
    try:
        config = HardwareConfig(
            top=_get(sidecar, "top", str, where),
            debug=_get(sidecar, "debug", bool, where),
            counters=_get(sidecar, "counters", bool, where),
        )
        streams, layers = {INPUT: input_stream(network)}, []
        for layer, entry in zip(network.layers, entries, strict=True):
            found = _layer(network, layer, streams, entry, f"{where}, layer {layer.name!r}")
            streams[layer.name] = found.target
            layers.append(found)
    except (ConfigError, UnsupportedError) as error:
        raise FileFormatError(f"{where}: {error}: {_CURE}") from None
    made = Plan(network, config, streams[INPUT], tuple(layers))
    _require(json.loads(json.dumps(describe(made))), sidecar, where)
    return made


def _layer(
    network: Network, layer: Layer, streams: Mapping[str, Any], entry: dict[str, Any], where: str
) -> Any:
    """Return the plan of a layer with the choices that its entry names."""
    # Checks the numbers, before anything is computed from them.
    choices: dict[str, int] = {
        key: _get(entry, key, int, where)
        for key in ("lanes", "events", "units", "planes", "copies")
        if key in entry or key in ("lanes", "events")
    }
    by_layer: dict[str, Any] = {key: {layer.name: value} for key, value in choices.items()}
    HardwareConfig(**by_layer)
    return layer_plan(
        network,
        layer,
        streams,
        choices["lanes"],
        choices["events"],
        SLOTS,
        TimeMode.FOLD if _get(entry, "folded", bool, where) else TimeMode.LOOP,
        # Sidecars that are older than the field are of hardware with a unit for each lane.
        units=choices.get("units", choices["lanes"]),
        planes=choices.get("planes"),
        copies=choices.get("copies", 1),
    )


def _require(expected: Any, found: Any, where: str) -> None:
    """Require that a sidecar says what is expected, wherever it says anything."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in expected.keys() - _UNUSED:
            if key in found or key not in _OPTIONAL:
                _require(expected[key], found.get(key), f"{where}, {key}")
        if found.get("signed") and not expected.get("signed"):
            raise FileFormatError(f"{where}: the network's values are unsigned: {_CURE}")
        return
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            _require(one, other, f"{where}[{index}]")
        return
    # True equals 1, but stands for something else.
    if expected != found or isinstance(expected, bool) != isinstance(found, bool):
        raise FileFormatError(
            f"{where} is {_short(found)}, but from the network follows {expected!r}: {_CURE}"
        )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _get(entry: Mapping[str, Any], key: str, kind: type[_T], where: str) -> _T:
    return require_field(entry, key, kind, where, _CURE)
