"""Device: a real accelerator behind its link, after its self test."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from amaranth.back import verilog
from support.hw.components import small_plan
from support.hw.pysim import pixels
from support.link.board import SimulatedBoard

from spikeloom.hw.device import Device
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning import Plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.hw.selftest import SelfTest
from spikeloom.sw.golden import Golden
from spikeloom.sw.link import Client, Decoder, Message, State, Status, encode, pack, unpack_words
from spikeloom.sw.link.messages import (
    AskCounters,
    AskStatus,
    Counters,
    Reset,
    Run,
    Write,
    content,
    parse,
)

CLOCK, BAUD = 12_000_000, 3_000_000
IMAGES = np.random.default_rng(1).integers(0, 16, (3, 3))


def link_of(plan: Plan) -> LinkPlan:
    return LinkPlan.of(plan, CLOCK, BAUD, records=["layer"], receive=64, chunk=8)


def self_test(plan: Plan, number: int, wrong: int) -> SelfTest:
    images = np.random.default_rng(2).integers(0, 16, (number, 3))
    logits = Golden(plan.network).run(images).logits.numpy().astype(np.int64)
    logits[0, 0] += wrong
    return SelfTest(plan, images, logits)


def events(plan: Plan, images: np.ndarray) -> int:
    """Return the digits of all pixels in non-adjacent form, for each group of channels."""
    digits = sum((int(pixel) ^ 3 * int(pixel)).bit_count() for pixel in images.flatten())
    return digits * plan["layer"].target.lane_groups


def client_of(device: Device) -> tuple[Client, SimulatedBoard]:
    board = SimulatedBoard(device, CLOCK, BAUD)
    return Client(board, timeout=1e-3, clock=board.time, image_timeout=1), board


def answers(board: SimulatedBoard, requests: list[Message]) -> list[Message]:
    """Send requests at once, and return their replies."""
    board.write(b"".join(encode(content(request, k)) for k, request in enumerate(requests)))
    decoder = Decoder()
    found: list[Message] = []
    while len(found) < len(requests):
        found += [parse(whole)[0] for whole in decoder.feed(board.read(1e-3))]
    return found


def packed(plan: Plan, link: LinkPlan) -> list[bytes]:
    return [pack(pixels(plan.network, image[None]), link.value_bits) for image in IMAGES]


def test_images_counts_and_counters() -> None:
    """After a self test, and also after a reset in the middle of an image."""
    plan = small_plan()
    link = link_of(plan)
    client, _ = client_of(Device(plan, link, self_test(plan, 2, 0)))
    client.require(plan.network.digest)
    images = packed(plan, link)
    expected = Golden(plan.network).run(IMAGES)
    client.write(0, images[0])
    client.run(0, images[0])
    for number in (1, len(images)):
        results = list(client.infer(images[:number]))
        logits = [list(result.logits(link.logit_bytes)) for result in results]
        assert logits == expected.logits[:number].tolist()
    record = link.records[0]
    values = record.values
    words = client.counts(0, images[-1])
    counts = unpack_words(words, record.bytes, record.lanes, values.width, values.signed)
    assert counts.reshape(-1).tolist() == expected.counts["layer"][-1].tolist()
    counters = dict(zip(link.counters, client.counters(), strict=True))
    assert counters["layer.events"] == events(plan, IMAGES)


@pytest.mark.parametrize(("wrong", "shown"), [(0, (1, 0)), (1, (0, 1))])
def test_images_wait_for_the_self_test(wrong: int, shown: tuple[int, int]) -> None:
    plan = small_plan()
    link = link_of(plan)
    device = Device(plan, link, self_test(plan, 1 if wrong else 500, wrong))
    client, board = client_of(device)
    lights = (device.passed, device.failed)
    image = packed(plan, link)[0]
    requests = [Reset(), Write(0, 0, image), Run(0, zlib.crc32(image)), AskStatus()]
    status = answers(board, requests)[-1]
    assert isinstance(status, Status)
    if not wrong:
        # 500 images take longer than these requests, which are sent without a pause.
        assert status.bank0 == State.RUNNING
        assert [board.peek(light) for light in lights] == [0, 0]
    while client.status().bank0 != State.DONE:
        pass
    assert tuple(board.peek(light) for light in lights) == shown
    expected = Golden(plan.network).run(IMAGES[:1]).logits[0].tolist()
    assert list(client.result(0).logits(link.logit_bytes)) == expected
    # Nothing of the self test is in what the link counts and keeps.
    counters = dict(zip(link.counters, client.counters(), strict=True))
    assert counters["layer.events"] == events(plan, IMAGES[:1])
    assert client.counts(0, image)


@pytest.mark.parametrize("number", [0, 1])
def test_verilog(number: int) -> None:
    plan = small_plan()
    device = Device(plan, link_of(plan), self_test(plan, 1, 0) if number else None)
    text = verilog.convert(device, emit_src=False)
    assert "module top(" in text


def test_counters_without_a_self_test() -> None:
    plan = small_plan()
    link = link_of(plan)
    board = SimulatedBoard(Device(plan, link), CLOCK, BAUD)
    image = packed(plan, link)[0]
    # An image takes less time than a request.
    requests = [Write(0, 0, image), Run(0, zlib.crc32(image)), AskCounters()]
    *_, counters = answers(board, requests)
    assert isinstance(counters, Counters)
    found = dict(zip(link.counters, counters.values, strict=True))
    sent = activity(plan.network, IMAGES[:1])
    for layer in predict(plan, sent).layers:
        for name in ("cycles", "events", "blocked"):
            assert found[f"{layer.name}.{name}"] == int(getattr(layer, name).sum())
