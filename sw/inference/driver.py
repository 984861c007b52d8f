"""Board driver: sends images to a board, and returns its results in the order of the network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spikeloom.sw.closing import Closing
from spikeloom.sw.errors import ConfigError, LinkError
from spikeloom.sw.golden import check_images, lowest_argmax
from spikeloom.sw.golden.streams import in_network_order, pixel_stream
from spikeloom.sw.inference.contents import Contents
from spikeloom.sw.inference.result import Inference, Progress
from spikeloom.sw.link import IMAGE_TIMEOUT, Client, Result, Traffic, pack
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.link.serial import SerialLine
from spikeloom.sw.network import Network

#: Rate of the UART if no manifest gives another, Hz.
BAUD = 3_000_000
#: Upper bound for the bits of all requests and replies under way, with every byte escaped.
_LONGEST = 40_000
#: Counters wrap around at this value.
_WRAP = 1 << 32


class BoardDriver(Closing):
    """Driver of a board that holds a network.

    Parameters
    ----------
    contents : Contents
        Contents that the board should have.
    client : Client
        Client on the board's link.

    Raises
    ------
    LinkError
        If the board does not answer, speaks another version of the protocol, or has other
        contents.
    """

    def __init__(self, contents: Contents, client: Client) -> None:
        self.contents, self.client = contents, client
        self._last: bytes | None = None
        client.require(contents.digest)
        self._require_layout()

    @classmethod
    def open(
        cls,
        source: Network | Manifest | str | Path,
        port: str,
        baud: int | None = None,
        patience: float = IMAGE_TIMEOUT,
    ) -> Self:
        """Return the driver of a board on a serial port. Close it, or use it in a ``with`` block.

        Parameters
        ----------
        source : Network, Manifest, or path of a manifest
            Network that the board should hold. Counters and counts can be read with a manifest
            only.
        port : str
            See :class:`~spikeloom.sw.link.serial.SerialLine`.
        baud : int, optional
            Rate of the UART, Hz; by default the manifest's, or 3,000,000.
        patience : float
            Longest time for which an image may be computed, in seconds. More than the default also
            lengthens the wait for replies in proportion, as a simulated board needs it.

        Raises
        ------
        FileFormatError
            If there is no such manifest.
        LinkError
            If there is no such port, or the board does not answer or has other contents.
        """
        if isinstance(source, (str, Path)):
            source = Manifest.load(source)
        contents = Contents.of(source)
        rate = baud or contents.baud or BAUD
        line = SerialLine(port, rate)
        try:
            timeout = (0.25 + _LONGEST / rate) * max(1.0, patience / IMAGE_TIMEOUT)
            return cls(contents, Client(line, timeout=timeout, image_timeout=patience))
        except BaseException:
            line.close()
            raise

    def close(self) -> None:
        """Release the port."""
        self.client.line.close()

    def infer(
        self,
        images: npt.ArrayLike | Tensor,
        *,
        counts: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Inference:
        """Compute images. While one image is computed, the next one is sent.

        Parameters
        ----------
        images : array or tensor of integers, shape (N, *input.image_shape)
        counts : sequence of str
            Layers whose counts to return for all images. As the board keeps the counts of one
            image only, they are then read before the next image is sent.
        progress : callable, optional
            See :data:`~spikeloom.sw.inference.Progress`.

        Raises
        ------
        DataError
            If the images do not fit the network's input.
        ConfigError
            If the board keeps no counts of a layer.
        LinkError
            If the board stops answering, or an image cannot be computed.
        """
        pixels = check_images(self.contents, images)
        for layer in counts:
            self.contents.record(layer)
        before, start = dataclasses.replace(self.client.traffic), self.client.clock()
        kept: dict[str, list[Tensor]] = {layer: [] for layer in counts}
        counters: dict[str, int] = {}
        found: list[Result] = []
        # Each batch begins with a reset, which clears the counters.
        for batch in [pixels[k : k + 1] for k in range(len(pixels))] if counts else [pixels]:
            for result in self.client.infer(self._packed(batch)):
                found.append(result)
                if progress is not None:
                    progress("run", len(found), len(pixels))
            for layer in counts:
                kept[layer].append(self.counts(layer))
            if self.contents.counters:
                for name, value in zip(self.contents.counters, self.client.counters(), strict=True):
                    counters[name] = (counters.get(name, 0) + value) % _WRAP
        self.client.confirm()
        seconds = self.client.clock() - start
        size = self.client.identity.logit_bytes
        stream = np.array([result.logits(size) for result in found], np.int64)
        logits = torch.from_numpy(in_network_order(self.contents.output, stream).copy())
        cycles = torch.tensor([result.cycles for result in found])
        return Inference(
            target="board",
            logits=logits,
            labels=lowest_argmax(logits),
            counts={layer: torch.stack(tensors) for layer, tensors in kept.items()},
            seconds=seconds,
            cycles=cycles,
            cycles_per_image=float(cycles.double().mean()),
            counters=_by_layer(counters) or None,
            traffic=_since(before, self.client.traffic),
            task=self.contents.task,
        )

    def counters(self) -> dict[str, dict[str, int]]:
        """Return the counters of each layer since the last call of :meth:`infer`.

        Raises
        ------
        ConfigError
            If there are none, or they are unknown without a manifest.
        """
        names = self.contents.require_counters()
        return _by_layer(dict(zip(names, self.client.counters(), strict=True)))

    def counts(self, layer: str) -> Tensor:
        """Return the counts of a layer for the last image, in the layer's shape.

        Raises
        ------
        ConfigError
            If the board does not keep them, or no image has been computed yet.
        LinkError
            If the board computed another image last.
        """
        index = self.contents.record(layer)
        if self._last is None:
            raise ConfigError("there are counts only when an image has been computed")
        assert self.contents.records is not None
        words = self.client.counts(index, self._last)
        return torch.from_numpy(self.contents.records[index].counts(words).copy())

    def _packed(self, images: npt.NDArray[np.integer]) -> Iterator[bytes]:
        bits = self.client.identity.value_bits
        for image in images:
            self._last = pack(
                pixel_stream(self.contents.input, image[None])[0],
                bits,
                self.contents.input.pixels().signed,
            )
            yield self._last

    def _require_layout(self) -> None:
        """Raise `LinkError` unless values, logits, counters and records are as in the contents."""
        identity, contents = self.client.identity, self.contents
        compared: list[tuple[str, object, object]] = [
            ("values of an image", identity.transfers, math.prod(contents.input.image_shape)),
            ("logits", identity.classes, math.prod(contents.output)),
        ]
        if contents.counters is not None:
            compared.append(("counters", identity.counters, len(contents.counters)))
        if contents.records is not None:
            kept = tuple(record.on_link for record in contents.records)
            compared.append(("records", _sizes(identity.records), _sizes(kept)))
        for name, found, expected in compared:
            if found != expected:
                raise LinkError(
                    f"the board has the right network, but {found} {name}, not {expected}: load "
                    f"the bitstream of this manifest"
                )


def _sizes(records: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{words} x {size} bytes" for size, words in records) or "no"


def _by_layer(counters: dict[str, int]) -> dict[str, dict[str, int]]:
    layers: dict[str, dict[str, int]] = {}
    for name, value in counters.items():
        layer, counter = name.rsplit(".", 1)
        layers.setdefault(layer, {})[counter] = value
    return layers


def _since(before: Traffic, now: Traffic) -> Traffic:
    names = [field.name for field in dataclasses.fields(Traffic)]
    return Traffic(**{name: getattr(now, name) - getattr(before, name) for name in names})
