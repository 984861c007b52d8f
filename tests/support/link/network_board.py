"""Model of a board for any network: values from the golden model, orders from the documentation."""

from __future__ import annotations

import functools
import os
import select
import threading
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import Plan, plan
from spikeloom.hw.verilog import describe
from spikeloom.sw.golden import Golden
from spikeloom.sw.link import VERSION
from spikeloom.sw.link.manifest import FORMAT, Manifest
from spikeloom.sw.network import Network
from support.hw.components import transfers
from support.hw.pysim import pixels
from support.link.board import ModelBoard

CLOCK, BAUD = 12_000_000, 3_000_000


def planned(network: Network, config: HardwareConfig | None = None) -> tuple[Plan, LinkPlan]:
    """Return a plan with taps and counters, and a link that records all layers but the last."""
    found = plan(network, config or HardwareConfig(budget=16, debug=True, counters=True))
    records = [layer.layer.name for layer in found.layers[:-1]]
    return found, LinkPlan.of(found, CLOCK, BAUD, records=records, receive=256, chunk=50)


def manifest_of(
    found: Plan, link: LinkPlan, folder: Path, changes: Mapping[str, Any] | None = None
) -> Manifest:
    network = found.network
    content = {
        "format": FORMAT,
        "version": VERSION,
        "board": "icebreaker",
        "network": {"name": network.name, "digest": network.digest},
        "hardware": describe(found),
        "link": {"protocol": 1, **link.description()},
        "bitstream": None,
    }
    manifest = Manifest(content | dict(changes or {}), folder / "net.json")
    manifest.save()
    return manifest


class NetworkBoard(ModelBoard):
    """Model of a board that holds a network.

    Attributes
    ----------
    computed : int
        Images computed since the last reset.
    """

    def __init__(self, found: Plan, link: LinkPlan, delay: int = 1) -> None:
        self.plan, self.link = found, link
        self.identity = link.identity.body()
        self.size, self.logit_bytes, self.classes = link.image_bytes, link.logit_bytes, link.classes
        self.records = [(record.bytes, record.transfers) for record in link.records]
        self.golden = Golden(found.network)
        self.computed = 0
        # A host reads a record's words in many pieces.
        self.words = functools.lru_cache(8)(self.words)  # type: ignore[method-assign]
        super().__init__(delay)

    def reset(self) -> None:
        super().reset()
        self.computed = 0

    def image(self, packed: bytes) -> np.ndarray:
        """Return the image that a host packed as docs/protocol.md describes."""
        network, bits = self.plan.network, self.link.value_bits
        whole = int.from_bytes(packed, "little")
        shape = (1, *network.input.image_shape)
        image = np.zeros(int(np.prod(shape)), np.int64)
        for k, place in enumerate(pixels(network, np.arange(len(image)).reshape(shape))):
            image[place] = whole >> k * bits & (1 << bits) - 1
        return image.reshape(shape)

    def logits(self, image: bytes) -> list[int]:  # type: ignore[override]
        self.computed += 1
        network = self.plan.network
        shape = network.shapes[network.output.name]
        logits = self.golden.run(self.image(image)).logits.numpy().reshape(shape[0], -1)
        return [int(x) for x in logits.T.flatten()]

    def counters(self) -> list[int]:
        return [100 * k + self.computed for k in range(len(self.link.counters))]

    def words(self, record: int, image: bytes) -> bytes:
        kept = self.link.records[record]
        target = self.plan[kept.layer].target
        trace = self.golden.run(self.image(image), trace=True).trace
        assert trace is not None
        spikes = trace[kept.layer].spikes.numpy()
        if target.steps == 1:
            spikes = spikes.sum(0, keepdims=True)
        shape = (1, target.channels, target.height, target.width, target.steps)
        values = np.moveaxis(spikes[:, 0], 0, -1).reshape(shape)
        found = b""
        for lanes in transfers(target, values):
            mask = (1 << kept.values.width) - 1
            word = sum((v & mask) << m * kept.values.width for m, v in enumerate(lanes))
            found += word.to_bytes(kept.bytes, "little")
        return found


@contextmanager
def behind_pty(board: Any) -> Iterator[str]:
    """Connect a board, or any other line, to a pseudo-terminal, and yield its path."""
    outer, inner = os.openpty()
    tty.setraw(inner)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if select.select([outer], [], [], 0.02)[0]:
                board.write(os.read(outer, 4096))
                while data := board.read(0):
                    os.write(outer, data)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(inner)
    finally:
        stop.set()
        thread.join()
        os.close(outer)
        os.close(inner)
