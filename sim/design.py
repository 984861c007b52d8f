"""The accelerator to simulate: its Verilog, and what follows from its plan, as typed values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikeloom.hw.options import MEMORY_FILE
from spikeloom.hw.planning import LayerPlan, Plan
from spikeloom.hw.planning.streams import Sends
from spikeloom.sim.inert import powers
from spikeloom.sim.sidecar import planned
from spikeloom.sw.documents import parse_json
from spikeloom.sw.errors import ConfigError, FileFormatError, UnsupportedError
from spikeloom.sw.files import read_bytes, require_field
from spikeloom.sw.network import Network, Range, Shape
from spikeloom.sw.sealed import digest

#: Bytes that a sidecar has at most.
_LARGEST = 1 << 24
_CURE = "generate the hardware again"


@dataclass(frozen=True)
class Field:
    """Number format of one lane's value in a tap.

    Parameters
    ----------
    width : int
        Bits of the value.
    signed : bool
        Whether the value is in two's complement.
    """

    width: int
    signed: bool

    @classmethod
    def of(cls, values: Range) -> Field:
        """Return the format that holds a range of values."""
        return cls(values.width, values.signed)


@dataclass(frozen=True)
class Taps:
    """Number formats of one layer's debug taps, each for a single lane.

    Parameters
    ----------
    potential : Field
        Membrane potential, in the ``step`` tap.
    spike : Field
        Spike, or the count if time is folded, in the ``step`` tap.
    value : Field
        Value passed on, in the ``sent`` tap.
    """

    potential: Field
    spike: Field
    value: Field


@dataclass(frozen=True)
class EngineInfo:
    """One layer's hardware.

    Parameters
    ----------
    name, neuron : str
        The layer's name, and the kind of its neurons.
    shape : tuple of int
        (channels, height, width) or (features,).
    timesteps : int
        Timesteps T of the layer.
    lanes : int
        M, output channels computed at once.
    events : int
        Events per clock cycle: E of each copy of the engine.
    groups : int
        Groups of lanes, ``ceil(channels / lanes)``.
    sends : str
        Kind of the values that the layer passes on: a value of
        :class:`~spikeloom.hw.planning.streams.Sends`.
    units : int
        Neuron units, each of which serves ``lanes / units`` lanes, one after another.
    steps_per_cycle : int
        Timesteps that one strobe of the ``step`` tap shows; it divides T.
    folded : bool
        Whether the hardware computes all T timesteps with one division. Its ``step`` tap then shows
        the last potential and the count.
    taps : Taps or None
        None if the hardware has no debug taps.
    """

    name: str
    neuron: str
    shape: Shape
    timesteps: int
    lanes: int
    events: int
    groups: int
    sends: str
    units: int
    steps_per_cycle: int
    folded: bool
    taps: Taps | None

    @classmethod
    def of(cls, layer: LayerPlan, network: Network, debug: bool) -> EngineInfo:
        """Return what a layer's plan says of its hardware."""
        name = layer.layer.name
        return cls(
            name=name,
            neuron=layer.layer.neuron.kind,
            shape=network.shapes[name],
            timesteps=layer.layer.timesteps,
            lanes=layer.lanes,
            events=layer.events_per_cycle,
            groups=layer.target.lane_groups,
            sends=layer.sends,
            units=layer.units,
            steps_per_cycle=layer.steps_per_cycle,
            folded=layer.folded,
            taps=Taps(
                potential=Field.of(layer.ranges.potential),
                spike=Field.of(layer.neurons.shown_spike),
                value=Field.of(layer.target.values),
            )
            if debug
            else None,
        )

    @property
    def values_per_image(self) -> int:
        """Values of the taps that are to be compared for one image; 0 without taps."""
        if self.taps is None:
            return 0
        # Spikes or the count, potentials, and what is sent; the sums of spikes that are sent, too.
        steps = 2 * self.shown_timesteps
        steps += self.timesteps + 1 if self.sends == Sends.SPIKES else 1
        return math.prod(self.shape) * steps

    @property
    def positions(self) -> int:
        """Height times width; 1 for features."""
        return math.prod(self.shape[1:])

    @property
    def steps_per_image(self) -> int:
        """Records of the ``step`` tap for one image, each of all units at one shown timestep."""
        return self.positions * self.at_work.groups * self.shown_timesteps

    @property
    def at_work(self) -> EngineInfo:
        """The same with only those lanes that are served at the same time, in as many groups.

        Values of the ``step`` tap come as from such a layer.
        """
        turns = self.lanes // self.units
        return replace(self, lanes=self.units, groups=self.groups * turns)

    @property
    def shown_timesteps(self) -> int:
        """Timesteps of each neuron that the ``step`` tap shows; only the last one if folded."""
        return 1 if self.folded else self.timesteps

    @property
    def sent_per_image(self) -> int:
        """Records of the ``sent`` tap for one image."""
        return self.positions * self.groups * (self.timesteps if self.sends == Sends.SPIKES else 1)

    @property
    def record_bytes(self) -> int:
        """Bytes of both taps' records of one image; 0 without taps."""
        if self.taps is None:
            return 0
        step = self.steps_per_cycle * (self.taps.potential.width + self.taps.spike.width)
        return 4 * (
            -(-self.lanes * step // 32) * (self.steps_per_image // self.steps_per_cycle)
            + -(-self.lanes * self.taps.value.width // 32) * self.sent_per_image
        )


@dataclass(frozen=True)
class Design:
    """A generated accelerator.

    Parameters
    ----------
    verilog : str
        Its source text.
    top : str
        Name of its top module.
    digest : str
        Digest of the network that it was generated from.
    debug, counters : bool
        Whether it has debug taps, and counters.
    input_bits, input_transfers : int
        Width of a pixel in bits, and pixels per image.
    output_transfers, payload_width : int
        Logits per image, and width of the output stream's payload in bits.
    logit : Field
        Number format of the logit, which is in the payload's lowest bits.
    layers : tuple of EngineInfo
        All layers, in the network's order.
    memories : tuple of (str, str)
        Name and content of each file that the Verilog reads.
    """

    verilog: str
    top: str
    digest: str
    debug: bool
    counters: bool
    input_bits: int
    input_transfers: int
    output_transfers: int
    payload_width: int
    logit: Field
    layers: tuple[EngineInfo, ...]
    memories: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, plan: Plan, verilog: str, memories: Mapping[str, str]) -> Design:
        """Return the design of a plan.

        Parameters
        ----------
        plan : Plan
        verilog : str
            Source text of the accelerator.
        memories : mapping of str to str
            Content of each file that the Verilog reads, by name.
        """
        network, config = plan.network, plan.config
        logits = plan.layers[-1].target.values
        return cls(
            verilog=verilog,
            top=config.top,
            digest=network.digest,
            debug=config.debug,
            counters=config.counters,
            input_bits=plan.pixels.values.width,
            input_transfers=plan.pixels.transfers,
            output_transfers=network.classes,
            payload_width=logits.width + 1,
            logit=Field.of(logits),
            layers=tuple(EngineInfo.of(layer, network, config.debug) for layer in plan.layers),
            memories=tuple(memories.items()),
        )

    @classmethod
    def load(cls, path: str | Path, network: Network, *, trust: bool = False) -> Design:
        """Read a ``.v`` file, the ``.json`` sidecar beside it, and the files of its memories.

        Nothing but the choices that it was generated with is taken from the sidecar; see
        :mod:`spikeloom.sim.sidecar`.

        Parameters
        ----------
        path : path
            The Verilog file.
        network : Network
            The network that it was generated from.
        trust : bool
            Whether the Verilog may do more than generated Verilog does, such as run programs.

        Raises
        ------
        FileFormatError
            If one of them is missing or damaged, or the sidecar says what does not follow from the
            network.
        ConfigError
            If the Verilog was generated from another network.
        UnsupportedError
            If it could do more than compute, and is not trusted.
        """
        verilog = read_bytes(path, "Verilog file")
        beside = Path(path).with_suffix(".json")
        text = read_bytes(beside, "hardware sidecar", _LARGEST)
        try:
            source, sidecar = verilog.decode(), parse_json(text)
        except ValueError as error:
            raise FileFormatError(
                f"{path} and {beside} are damaged ({error}): generate them again"
            ) from None
        plan = planned(sidecar, network, str(beside))
        memories = _memories(sidecar, str(beside), Path(path).parent)
        power = None if trust else powers(source)
        if power is not None:
            raise UnsupportedError(
                f"{path} has {power}, which generated Verilog has not: simulating it could run "
                f"programs or write files. Read it, and add --trust if it may"
            )
        return cls.of(plan, source, memories)

    def require_network(self, network: Network) -> None:
        """Raise `ConfigError` unless the design was generated from ``network``."""
        if self.digest != network.digest:
            raise ConfigError(
                f"the hardware {self.top} was generated from another network (digest "
                f"{self.digest[:12]}) than {network.name!r} ({network.digest[:12]}): generate it "
                f"again"
            )


def _memories(sidecar: Mapping[str, Any], where: str, folder: Path) -> dict[str, str]:
    """Return the content of each file that a sidecar lists, if it lists any, by name."""
    found = {}
    entries = sidecar.get("memories", [])
    if not isinstance(entries, list):
        raise FileFormatError(f"{where}: 'memories' must be of type list: {_CURE}")
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise FileFormatError(f"{where}: a memory must be an object, not {entry!r}")
        name = require_field(entry, "file", str, where, _CURE)
        # A sidecar may come from anywhere: it names files beside it, and no others.
        if not MEMORY_FILE.fullmatch(name):
            raise FileFormatError(f"{where}: {name!r} cannot be a memory file's name: {_CURE}")
        wanted = require_field(entry, "sha256", str, where, _CURE)
        content = read_bytes(folder / name, "memory file")
        if digest(content) != wanted:
            raise FileFormatError(
                f"memory file {name} is not the one that {where} names: generate both again"
            )
        found[name] = _ascii(content, name)
    return found


def _ascii(content: bytes, name: str) -> str:
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise FileFormatError(f"memory file {name} is no text: {_CURE}") from None
