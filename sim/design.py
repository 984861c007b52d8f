"""The accelerator to simulate: its Verilog, and its sidecar file as typed values."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from spikeloom.hw.options import MEMORY_FILE
from spikeloom.hw.planning.streams import Sends
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.files import read_bytes, require_field
from spikeloom.sw.network import Network, Shape

FORMAT = "spikeloom-hardware"
#: Newest sidecar version that this code reads.
VERSION = 1

_T = TypeVar("_T")


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
    lanes, events : int
        M output channels computed at once, and E events per clock cycle.
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
    def from_sidecar(
        cls,
        verilog: str,
        sidecar: Mapping[str, Any],
        where: str,
        read: Callable[[str], bytes] | None = None,
    ) -> Design:
        """Return the design that a sidecar describes.

        Parameters
        ----------
        verilog : str
            Source text of the accelerator.
        sidecar : mapping
            Content of the sidecar file, as read from JSON.
        where : str
            Name of the sidecar in error messages.
        read : callable, optional
            Returns the content of a memory's file by its name.

        Raises
        ------
        FileFormatError
            If ``sidecar`` is not a sidecar, has a newer version, or lacks a value, or if a file of
            a memory is missing or not the one that it names.
        """
        if not isinstance(sidecar, Mapping) or sidecar.get("format") != FORMAT:
            raise FileFormatError(f"{where} does not describe generated hardware ({FORMAT})")
        version = sidecar.get("version")
        if not isinstance(version, int) or not 1 <= version <= VERSION:
            raise FileFormatError(
                f"{where} has the version {version!r}; this Spikeloom reads versions up to "
                f"{VERSION}: update Spikeloom or generate the hardware again"
            )
        network = _get(sidecar, "network", dict, where)
        stream_in = _get(sidecar, "input", dict, where)
        stream_out = _get(sidecar, "output", dict, where)
        debug = _get(sidecar, "debug", bool, where)
        layers = [_engine(entry, debug, where) for entry in _get(sidecar, "layers", list, where)]
        if not layers:
            raise FileFormatError(f"{where}: there is no layer: generate the hardware again")
        return cls(
            verilog=verilog,
            top=_get(sidecar, "top", str, where),
            digest=_get(network, "digest", str, where),
            debug=debug,
            counters=_get(sidecar, "counters", bool, where),
            input_bits=_get(stream_in, "bits", int, where),
            input_transfers=_get(stream_in, "transfers", int, where),
            output_transfers=_get(stream_out, "transfers", int, where),
            payload_width=_get(stream_out, "payload_width", int, where),
            logit=Field(
                _get(stream_out, "logit_width", int, where), _get(stream_out, "signed", bool, where)
            ),
            layers=tuple(layers),
            memories=_memories(sidecar, where, read),
        )

    @classmethod
    def load(cls, path: str | Path) -> Design:
        """Read a ``.v`` file, the ``.json`` sidecar beside it, and the files of its memories.

        Raises
        ------
        FileFormatError
            If one of them is missing or damaged.
        """
        verilog = read_bytes(path, "Verilog file")
        beside = Path(path).with_suffix(".json")
        text = read_bytes(beside, "hardware sidecar")
        try:
            sidecar = json.loads(text)
            return cls.from_sidecar(
                verilog.decode(),
                sidecar,
                str(beside),
                lambda name: read_bytes(Path(path).parent / name, "memory file"),
            )
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise FileFormatError(
                f"{path} and {beside} are damaged ({error}): generate them again"
            ) from None

    def require_network(self, network: Network) -> None:
        """Raise `ConfigError` unless the design was generated from ``network``."""
        if self.digest != network.digest:
            raise ConfigError(
                f"the hardware {self.top} was generated from another network (digest "
                f"{self.digest[:12]}) than {network.name!r} ({network.digest[:12]}): generate it "
                f"again"
            )


def _memories(
    sidecar: Mapping[str, Any], where: str, read: Callable[[str], bytes] | None
) -> tuple[tuple[str, str], ...]:
    """Return name and content of each file that a sidecar lists, as far as it lists any."""
    found = []
    for entry in _get(sidecar, "memories", list, where) if "memories" in sidecar else []:
        if not isinstance(entry, Mapping):
            raise FileFormatError(f"{where}: a memory must be an object, not {entry!r}")
        name = _get(entry, "file", str, where)
        # A sidecar may come from anywhere: it names files beside it, and no others.
        if not MEMORY_FILE.fullmatch(name):
            raise FileFormatError(
                f"{where}: {name!r} cannot be a memory file's name: generate the hardware again"
            )
        content = b"" if read is None else read(name)
        if hashlib.sha256(content).hexdigest() != _get(entry, "sha256", str, where):
            raise FileFormatError(
                f"memory file {name} is not the one that {where} names: generate both again"
            )
        found.append((name, content.decode("ascii")))
    return tuple(found)


def _engine(entry: Any, debug: bool, where: str) -> EngineInfo:
    if not isinstance(entry, Mapping):
        raise FileFormatError(f"{where}: a layer must be an object, not {entry!r}")
    name = _get(entry, "name", str, where)
    where = f"{where}, layer {name!r}"
    taps = None
    if debug:
        tap = _get(entry, "tap", dict, where)
        fields = {}
        for part in ("potential", "spike", "value"):
            field = _get(tap, part, dict, where)
            fields[part] = Field(
                _get(field, "width", int, where), _get(field, "signed", bool, where)
            )
        taps = Taps(**fields)
    return EngineInfo(
        name=name,
        neuron=_get(entry, "neuron", str, where),
        shape=tuple(_get(entry, "shape", list, where)),
        timesteps=_get(entry, "timesteps", int, where),
        lanes=_get(entry, "lanes", int, where),
        events=_get(entry, "events", int, where),
        groups=_get(entry, "groups", int, where),
        sends=_get(entry, "sends", str, where),
        # Sidecars that are older than the field are of hardware with a unit for each lane.
        units=_get(entry, "units" if "units" in entry else "lanes", int, where),
        steps_per_cycle=_get(entry, "steps_per_cycle", int, where),
        folded=_get(entry, "folded", bool, where),
        taps=taps,
    )


def _get(entry: Mapping[str, Any], key: str, kind: type[_T], where: str) -> _T:
    return require_field(entry, key, kind, where, "generate the hardware again")
