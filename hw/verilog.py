"""Verilog of an accelerator, and the JSON sidecar that describes its ports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amaranth.back import verilog
from amaranth.lib import wiring

from spikeloom.hw.accelerator import Accelerator
from spikeloom.hw.engine.rom import INLINE_BITS
from spikeloom.hw.names import without_brackets
from spikeloom.hw.options import MemoryMode
from spikeloom.hw.planning import HardwareConfig, LayerPlan, Plan, UnrolledPlan, plan
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.files import write_bytes, write_text
from spikeloom.sw.network import Network, Range
from spikeloom.sw.sealed import digest

FORMAT = "spikeloom-hardware"
VERSION = 1
#: Order in which the logits of a feature map leave: the row is slowest, the channel fastest.
FEATURE_MAP_ORDER = ("row", "column", "channel")
#: Largest memory, in bits, that stays in Verilog that reads files already: Verilator makes a line
#: of C++ of each word, which takes longer to compile than to read.
_FEW_BITS = 1 << 13


@dataclass(frozen=True)
class Generated:
    """A generated accelerator: Verilog and its sidecar.

    Parameters
    ----------
    verilog : str
        Verilog-2005 without vendor primitives. The same network and configuration give the same
        bytes.
    sidecar : dict
        Description of the ports, as JSON values.
    memories : mapping of str to str
        Contents of the files that the Verilog reads, by file name: those of large memories.
    """

    verilog: str
    sidecar: dict[str, Any]
    memories: Mapping[str, str] = field(default_factory=dict)

    def save(self, path: str | Path) -> Path:
        """Write the Verilog to ``path``, and the sidecar beside it as ``.json``.

        Files of memories go beside them first, under names that differ if their contents do: should
        writing be interrupted, older Verilog still finds its own.

        Returns
        -------
        pathlib.Path
            Path of the sidecar.

        Raises
        ------
        ConfigError
            If ``path`` ends in ``.json`` itself.
        FileFormatError
            If the folder cannot be written to.
        """
        beside = Path(path).with_suffix(".json")
        if Path(path) == beside:
            raise ConfigError(
                f"{path} is where the description of the ports goes: give the Verilog another "
                f"ending, such as .v"
            )
        for name, text in self.memories.items():
            # As bytes: other ends of lines would be other contents.
            write_bytes(Path(path).parent / name, text.encode())
        write_text(path, self.verilog)
        write_text(beside, json.dumps(self.sidecar, indent=1) + "\n")
        return beside


def generate(network: Network, config: HardwareConfig | None = None) -> Generated:
    """Generate the Verilog of an accelerator.

    Parameters
    ----------
    network : Network
    config : HardwareConfig, optional
        The user's choices; by default all is left to the planner.

    Raises
    ------
    UnsupportedError
        If the network has a structure that the hardware cannot run.
    ConfigError
        If the configuration does not fit the network.
    """
    planned = plan(network, config)
    return convert(Accelerator(planned), planned, describe(planned))


class _VerilogPlatform:
    """Takes the files beside generated Verilog; see `FilePlatform`."""

    def __init__(self, planned: Plan) -> None:
        self.rom_module = f"{planned.config.top}_rom"
        self.inline_bits = self._inline_bits(planned)
        self.files: dict[str, str] = {}

    @staticmethod
    def _inline_bits(planned: Plan) -> int:
        if planned.config.memories == MemoryMode.FILES:
            return 0
        memories = [one for layer in planned.layers for one in layer.memories]
        largest = max(one.depth * one.width for one in memories)
        return INLINE_BITS if largest <= INLINE_BITS else _FEW_BITS

    def add_file(self, filename: str, content: str) -> None:
        self.files[filename] = content


def convert(component: wiring.Component, planned: Plan, sidecar: dict[str, Any]) -> Generated:
    """Convert the top component of a plan to Verilog.

    Parameters
    ----------
    component : wiring.Component
    planned : Plan
        Has the name of the module, and whether its memories are inline.
    sidecar : dict
        Of the component. If there are files of memories, they are added as ``"memories"``.
    """
    inline = planned.config.memories == MemoryMode.INLINE
    platform = None if inline else _VerilogPlatform(planned)
    text = verilog.convert(
        component,
        name=planned.config.top,
        platform=platform,
        emit_src=False,
        strip_internal_attrs=True,
    )
    files = {} if platform is None else platform.files
    modules = [name for name in files if name.endswith(".v")]
    text = "\n".join([without_brackets(text), *(files.pop(name) for name in modules)])
    if files:
        sidecar = sidecar | {"memories": [_file(name, files[name]) for name in files]}
    return Generated(text, sidecar, files)


def _file(name: str, text: str) -> dict[str, str]:
    return {"file": name, "sha256": digest(text)}


def describe(planned: Plan) -> dict[str, Any]:
    """Return a description of the ports of a plan's accelerator, as JSON values."""
    network, config = planned.network, planned.config
    target = planned.layers[-1].target
    pixels = network.input.pixels()
    shape = network.shapes[network.output.name]
    # Logits that are a vector leave in its order, and need no more words.
    feature_map = {"shape": list(shape), "order": list(FEATURE_MAP_ORDER)} if shape[1:] else {}
    return {
        "format": FORMAT,
        "version": VERSION,
        "top": config.top,
        "network": {"name": network.name, "digest": network.digest},
        "debug": config.debug,
        "counters": config.counters,
        "input": {
            "shape": list(network.input.shape),
            "bits": pixels.width,
            "highest": pixels.high,
            # Left out of other inputs, whose sidecars are older than the field.
            **({"signed": True} if pixels.signed else {}),
            "timesteps": network.input.image_steps,
            "transfers": planned.pixels.transfers,
        },
        "output": {
            "classes": network.classes,
            "transfers": network.classes,
            "logit_width": target.values.width,
            "payload_width": target.values.width + 1,
            "signed": target.values.signed,
            **feature_map,
        },
        "layers": [_describe(layer, network) for layer in planned.layers],
    }


def _describe(layer: LayerPlan, network: Network) -> dict[str, Any]:
    def field(values: Range) -> dict[str, Any]:
        return {"width": values.width, "signed": values.signed}

    name = layer.layer.name
    return {
        "name": name,
        "neuron": layer.layer.neuron.kind,
        "shape": list(network.shapes[name]),
        "timesteps": layer.layer.timesteps,
        "lanes": layer.lanes,
        "events": layer.events,
        # Left out of other layers, whose sidecars are older than the field.
        **({"planes": layer.planes} if isinstance(layer, UnrolledPlan) else {}),
        # Likewise.
        **({"copies": layer.copies} if layer.copies > 1 else {}),
        "groups": layer.target.lane_groups,
        "sends": layer.sends,
        "units": layer.units,
        "steps_per_cycle": layer.steps_per_cycle,
        "folded": layer.folded,
        "buffers": [
            {
                "source": reader.connection.source,
                "rows": reader.windows.buffer.capacity,
                "bits": reader.windows.buffer.bits,
            }
            for reader in layer.readers
        ],
        "tap": {
            "potential": field(layer.ranges.potential),
            "spike": field(layer.neurons.shown_spike),
            "value": field(layer.target.values),
        },
    }
