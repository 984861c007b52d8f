"""Self test: images and their logits in a bitstream, for a first sign of life without a cable."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.planning import Plan
from spikeloom.hw.values import shape_of
from spikeloom.sw.errors import DataError
from spikeloom.sw.golden.streams import pixel_stream
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray


class SelfTest(wiring.Component):
    """Sends images once after reset, and compares every logit that comes back.

    It takes the place of a host link, with the same streams.

    Parameters
    ----------
    plan : Plan
        Plan of the accelerator under test.
    images : array of int64, shape (N, *network.input.image_shape)
        The images to send.
    logits : array of int64, shape (N, classes)
        Their logits, from the golden model.

    Members
    -------
    o : Out(stream)
        Pixels, to an :class:`~spikeloom.hw.accelerator.Accelerator`.
    i : In(stream)
        Logits from it.
    passed : Out(1)
        High once all logits have come, if all were right.
    failed : Out(1)
        High from then on if a logit, or its mark for the last one of an image, was wrong, or if
        there was a logit too many.
    """

    def __init__(self, plan: Plan, images: IntArray, logits: IntArray) -> None:
        self.pixels = in_order(plan.network, images)
        last = np.zeros_like(logits)
        last[:, -1] = 1
        self.expected = list(zip(logits.flatten().tolist(), last.flatten().tolist(), strict=True))
        pixel = shape_of(plan.pixels.values)
        self.logit = data.StructLayout(
            {"value": shape_of(plan.layers[-1].target.values), "last": 1}
        )
        self.pixel = pixel
        super().__init__(
            {
                "o": Out(stream.Signature(pixel)),
                "i": In(stream.Signature(self.logit)),
                "passed": Out(1),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = [self.logit.const({"value": v, "last": k}) for v, k in self.expected]
        m.submodules.pixels = pixels = memory.Memory(
            shape=self.pixel, depth=len(self.pixels), init=self.pixels
        )
        m.submodules.logits = logits = memory.Memory(shape=self.logit, depth=len(words), init=words)
        # A memory shows a word in the cycle after its address, so there is none in the first cycle.
        ready = Signal()
        m.d.sync += ready.eq(1)
        sent, sent_all = _read_in_order(m, "sent", pixels, self.o.valid & self.o.ready)
        seen, seen_all = _read_in_order(m, "seen", logits, self.i.valid & self.i.ready)
        m.d.comb += [
            self.o.valid.eq(ready & ~sent_all),
            self.o.payload.eq(sent),
            self.i.ready.eq(ready & ~seen_all),
            self.passed.eq(seen_all & ~self.failed),
        ]
        with m.If(self.i.valid & self.i.ready & (self.i.payload.as_value() != seen.as_value())):
            m.d.sync += self.failed.eq(1)
        # One logit more than expected is wrong, too.
        with m.If(self.i.valid & seen_all):
            m.d.sync += self.failed.eq(1)
        return m


def in_order(network: Network, images: IntArray) -> list[int]:
    """Return the pixels of images in the order in which the accelerator takes them.

    Raises
    ------
    DataError
        If there is no image.
    """
    if len(images) == 0:
        raise DataError("a self test needs at least one image")
    pixels: list[int] = pixel_stream(network.input, images).flatten().tolist()
    return pixels


def _read_in_order(
    m: Module, name: str, words: memory.Memory, step: Signal
) -> tuple[Signal, Signal]:
    """Read a memory from its first word to its last; ``step`` goes on to the next word.

    Returns
    -------
    word, finished : Signal
        The current word, and whether the last one has been passed.
    """
    depth = len(words.init)
    at, following = Signal(range(depth + 1), name=name), Signal(range(depth + 1))
    m.d.comb += following.eq(at + step)
    m.d.sync += at.eq(following)
    port = words.read_port()
    m.d.comb += port.addr.eq(following)
    return port.data, at == depth
