"""Contents of a board: the network it should hold, and the layout of the values on its link."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spikeloom.sw.errors import ConfigError, ContractError, FileFormatError, LinkError
from spikeloom.sw.files import require_field
from spikeloom.sw.golden.streams import counts_of
from spikeloom.sw.link import VERSION, Record, unpack_words
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import CountInput, DirectInput, Input, Network, Shape, SpikeInput
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.tasks import Task, of_network

#: Most bits of a value in a record, as of any value in the contract.
_WIDEST = 48
_CURE = "build it again"


@dataclass(frozen=True)
class RecordLayout:
    """Layout of a record, which holds the transfers of one layer for the last image.

    Parameters
    ----------
    layer : str
        Name of the layer.
    shape : tuple of int
        Shape of the layer: (channels, height, width) or (features,).
    lanes, width : int
        Number of values in a transfer, and bits of a value.
    signed : bool
        Whether values are two's complement.
    size, transfers : int
        Bytes of a word, which holds one transfer, and number of words.
    """

    layer: str
    shape: Shape
    lanes: int
    width: int
    signed: bool
    size: int
    transfers: int

    @property
    def on_link(self) -> Record:
        """The record's size, as the device must give it."""
        return Record(self.size, self.transfers)

    def counts(self, words: bytes) -> IntArray:
        """Return the values in a record's words, summed over timesteps, in the layer's shape."""
        values = unpack_words(words, self.size, self.lanes, self.width, self.signed)
        counts: IntArray = counts_of(self.shape, values[None])[0]
        return counts


@dataclass(frozen=True)
class Contents:
    """The network that a board should hold, and the parameters of its link.

    Parameters
    ----------
    name, digest : str
        Name and digest of the network.
    input : Input
        Input of the network. If it comes from a manifest, it has the shape, time axis and largest
        value of the network's input, but not always its kind.
    output : tuple of int
        Shape of the output layer.
    counters : tuple of str or None
        Names of the counters, as ``layer.counter``, in the order in which they are read; None if
        they are unknown.
    records : tuple of RecordLayout or None
        Layouts of the records; None if they are unknown.
    baud : int or None
        Rate of the UART, Hz; None if it is unknown.
    task : Task or None
        Meaning of the logits; None if the largest is the label.
    """

    name: str
    digest: str
    input: Input
    output: Shape
    counters: tuple[str, ...] | None = None
    records: tuple[RecordLayout, ...] | None = None
    baud: int | None = None
    task: Task | None = None

    @staticmethod
    def of(source: Network | Manifest) -> Contents:
        """Return the contents of a board with a manifest's design, or with any design of a network.

        Raises
        ------
        FileFormatError
            If the manifest is incomplete or contradicts itself.
        ConfigError
            If the manifest's design has no link.
        LinkError
            If the manifest's link speaks another version of the protocol.
        """
        if isinstance(source, Manifest):
            source.require_link()
            return _of_manifest(source.content, f"manifest {source.path}")
        shape = source.shapes[source.output.name]
        task = of_network(source.about)
        return Contents(source.name, source.digest, source.input, shape, task=task)

    def require_counters(self) -> tuple[str, ...]:
        """Return the names of the counters.

        Raises
        ------
        ConfigError
            If there are none, or they are unknown without a manifest.
        """
        if self.counters is None:
            raise ConfigError("which counters a board has is in its manifest: open it with that")
        if not self.counters:
            raise ConfigError("the board's design has no counters: build it with counters")
        return self.counters

    def record(self, layer: str) -> int:
        """Return the index of a layer's record.

        Raises
        ------
        ConfigError
            If the layer has no record, or the records are unknown without a manifest.
        """
        if self.records is None:
            raise ConfigError(
                "which layers' counts a board keeps is in its manifest: open it with that"
            )
        for index, record in enumerate(self.records):
            if record.layer == layer:
                return index
        kept = ", ".join(record.layer for record in self.records) or "none"
        raise ConfigError(
            f"the board keeps no counts of layer {layer!r}, but of: {kept}. `spikeloom build "
            f"--records` chooses"
        )


def _of_manifest(content: Mapping[str, Any], where: str) -> Contents:
    network = _get(content, "network", dict, where)
    hardware = _get(content, "hardware", dict, where)
    link = _get(content, "link", dict, where)
    protocol = _get(link, "protocol", int, where)
    if protocol != VERSION:
        raise LinkError(
            f"{where}: its board speaks version {protocol} of the protocol, this host version "
            f"{VERSION}: use the Spikeloom that it was built with, or {_CURE}"
        )
    layers = {
        _get(layer, "name", str, where): _shape(layer, where)
        for layer in _objects(hardware, "layers", where)
    }
    if not layers:
        raise FileFormatError(f"{where}: there is no layer: {_CURE}")
    counters = _get(link, "counters", list, where)
    for name in counters:
        if not isinstance(name, str) or "." not in name:
            raise FileFormatError(f"{where}: a counter is called {name!r}: {_CURE}")
    digest = _get(network, "digest", str, where)
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise FileFormatError(f"{where}: {digest!r} is no digest of a network: {_CURE}")
    return Contents(
        name=_get(network, "name", str, where),
        digest=digest,
        input=_input(_get(hardware, "input", dict, where), where),
        output=layers[list(layers)[-1]],
        counters=tuple(counters),
        records=tuple(_record(x, layers, where) for x in _objects(link, "records", where)),
        baud=_get(link, "baud", int, where),
        task=_task(network, where),
    )


def _task(network: Mapping[str, Any], where: str) -> Task | None:
    try:
        return of_network(network)
    except ConfigError as error:
        raise FileFormatError(f"{where}: {error}: {_CURE}") from None


def _input(entry: Mapping[str, Any], where: str) -> Input:
    """Return an input that takes the same images as the network's."""
    steps = entry.get("timesteps")
    shape, highest = _shape(entry, where), _get(entry, "highest", int, where)
    try:
        if entry.get("signed"):
            return DirectInput(shape, _get(entry, "bits", int, where), signed=True)
        if steps is None:
            return CountInput(shape, highest)
        return SpikeInput(shape, _get(entry, "timesteps", int, where), highest)
    except ContractError as error:
        raise FileFormatError(f"{where}: {error}: {_CURE}") from None


def _record(entry: Mapping[str, Any], shapes: Mapping[str, Shape], where: str) -> RecordLayout:
    layer = _get(entry, "layer", str, where)
    if layer not in shapes:
        raise FileFormatError(f"{where}: a record is of {layer!r}, which is no layer: {_CURE}")
    names = ("lanes", "width", "bytes", "transfers")
    lanes, width, size, transfers = (_get(entry, name, int, where) for name in names)
    record = RecordLayout(
        layer,
        shapes[layer],
        lanes,
        width,
        _get(entry, "signed", bool, where),
        size,
        transfers,
    )
    possible = lanes > 0 and 0 < width <= _WIDEST and lanes * width <= 8 * size and transfers > 0
    if possible:
        channels, *place = record.shape
        possible = transfers % (math.prod(place) * -(-channels // lanes)) == 0
    if not possible:
        raise FileFormatError(f"{where}: the record of layer {layer!r} is impossible: {_CURE}")
    return record


def _objects(entry: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = _get(entry, key, list, where)
    for member in found:
        if not isinstance(member, Mapping):
            raise FileFormatError(f"{where}: {key!r} holds {member!r}: {_CURE}")
    return found


def _shape(entry: Mapping[str, Any], where: str) -> Shape:
    shape = _get(entry, "shape", list, where)
    if len(shape) not in (1, 3) or any(
        isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in shape
    ):
        raise FileFormatError(f"{where}: {shape!r} is no shape: {_CURE}")
    return tuple(shape)


def _get(entry: Mapping[str, Any], key: str, kind: type[Any], where: str) -> Any:
    return require_field(entry, key, kind, where, _CURE)
