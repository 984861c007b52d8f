"""A whole board: the host's driver against pins, real images, every logit."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spikeloom.hw.engine import Relay
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.prediction import activity, predict
from spikeloom.sim.board import SimulatedBoard
from spikeloom.sw import datasets
from spikeloom.sw import network as contract
from spikeloom.sw.cli.networks import open_network
from spikeloom.sw.errors import ConfigError, DataError, LinkError
from spikeloom.sw.golden import Golden
from spikeloom.sw.golden.streams import in_stream_order, pixel_stream
from spikeloom.sw.link import Client, State, pack, unpack_words
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.link.serial import SerialLine
from spikeloom.sw.network.record import IntArray

pytestmark = pytest.mark.xdist_group("board")

#: Images of the self test; MHz of the design, made of an oscillator's 25.
TESTED, CLOCK = 2, 20


@pytest.fixture(scope="module")
def network() -> contract.Network:
    return open_network("digits-conv")


@pytest.fixture(scope="module")
def images(network: contract.Network) -> IntArray:
    test = datasets.load("digits", "test")
    return np.asarray(test.images_for(network.input)[:100], np.int64)


@pytest.fixture(scope="module")
def board(network: contract.Network, images: IntArray, build_dir: Path) -> Iterator[SimulatedBoard]:
    with SimulatedBoard(
        network,
        config=HardwareConfig(lanes=4, counters=True),
        clock=CLOCK,
        records=["conv3"],
        tested=images[:TESTED],
        build_dir=build_dir,
    ) as found:
        yield found


@pytest.fixture
def client(board: SimulatedBoard) -> Iterator[Client]:
    link = SerialLine(board.port, board.device.link.baud)
    yield Client(link)
    link.close()


def packed(board: SimulatedBoard, images: IntArray) -> list[bytes]:
    stream = pixel_stream(board.device.plan.network.input, images)
    return [pack(values, board.device.link.value_bits) for values in stream]


def logits(board: SimulatedBoard, client: Client, images: IntArray) -> list[list[int]]:
    size = board.device.link.logit_bytes
    return [list(result.logits(size)) for result in client.infer(packed(board, images))]


def counters(board: SimulatedBoard, client: Client) -> dict[str, int]:
    return dict(zip(board.device.link.counters, client.counters(), strict=True))


def test_the_self_test_lights_up(board: SimulatedBoard, images: IntArray) -> None:
    change = board.wait_for("passed")
    assert (board.lights["passed"], board.lights["failed"]) == (True, False)
    # As predicted, the first pixel is offered in cycle 1, and to the accelerator behind the relay.
    # The edge after a cycle has its number.
    found = predict(board.device.plan, activity(board.device.plan.network, images[:TESTED]))
    assert change.cycle == found.ends[-1] + Relay.LATENCY


def test_real_images_as_the_golden_model(
    board: SimulatedBoard, client: Client, network: contract.Network, images: IntArray
) -> None:
    client.require(network.digest)
    assert client.identity == board.device.link.identity
    expected = Golden(network).run(images)
    assert logits(board, client, images) == expected.logits.tolist()
    assert (client.traffic.resent, client.traffic.stray, client.traffic.repeated) == (0, 0, 0)
    counted = counters(board, client)
    for layer in predict(board.device.plan, activity(network, images)).layers:
        assert counted[f"{layer.name}.events"] == layer.events.sum()
    record = board.device.link.records[0]
    words = client.counts(0, packed(board, images[-1:])[0])
    values = record.values
    found = unpack_words(words, record.bytes, record.lanes, values.width, values.signed)
    counts = expected.counts["conv3"][-1:].numpy()
    assert found.reshape(1, -1).tolist() == in_stream_order(counts.shape[1:], counts).tolist()


def test_cycles_of_single_images_as_predicted(
    board: SimulatedBoard, client: Client, network: contract.Network, images: IntArray
) -> None:
    for k in range(5):
        single = images[k : k + 1]
        (result,) = client.infer(packed(board, single))
        found = predict(board.device.plan, activity(network, single))
        assert result.cycles == found.latency + Relay.LATENCY
        counted = counters(board, client)
        for layer in found.layers:
            for name in ("events", "cycles", "blocked"):
                assert counted[f"{layer.name}.{name}"] == getattr(layer, name).sum(), layer.name


def test_another_network_is_refused(board: SimulatedBoard, client: Client) -> None:
    held = board.device.link.digest[:12]
    with pytest.raises(LinkError, match=rf"^the board holds the network {held}, not 5a5a5a5a5a5a:"):
        client.require("5a" * 32)


def test_a_terminal_does_no_harm(
    board: SimulatedBoard, network: contract.Network, images: IntArray
) -> None:
    """Through the board itself as a line, too."""
    client = Client(board, timeout=10)  # a busy machine simulates slowly
    damaged = client.status().damaged
    chance = random.Random(0)
    terminal = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    os.write(terminal, b"AT\r\nhello?\r\n~~" + chance.randbytes(500) + b"~" + b"\x7e\x01\x02")
    os.close(terminal)
    # The first flag ends what was cut short.
    assert client.status().damaged > damaged
    assert client.traffic.resent == 0
    expected = Golden(network).run(images[:5]).logits.tolist()
    assert logits(board, client, images[:5]) == expected


def test_time_stands_still_while_nothing_happens(
    board: SimulatedBoard, client: Client, images: IntArray
) -> None:
    def cycles() -> int:
        return sum(counters(board, client)[f"fc.{n}"] for n in ("cycles", "starved", "blocked"))

    client.reset()
    before = cycles()
    time.sleep(0.5)
    # At 20 MHz, and even at the simulation's pace, half a second is far more.
    assert cycles() - before < 40_000
    # An image that runs goes on, though nobody asks.
    image = packed(board, images[:1])[0]
    client.write(0, image)
    client.run(0, image)
    time.sleep(0.5)
    assert client.status().bank0 == State.DONE


def test_manifest(
    board: SimulatedBoard, network: contract.Network, images: IntArray, tmp_path: Path
) -> None:
    tested = Golden(network).run(images[:TESTED])
    board.manifest(tmp_path / "board.json")
    content = Manifest.load(tmp_path / "board.json").content
    assert (content["board"], content["clock_mhz"]) == ("ulx3s-85f", CLOCK)
    assert content["oscillator_mhz"] == 25
    assert content["device"] == "LFE5U-85F-6BG381C, simulated"
    assert content["network"]["digest"] == network.digest
    assert content["self_test"] == {
        "images": TESTED,
        "labels": tested.labels.tolist(),
        "logits_sha256": hashlib.sha256(tested.logits.numpy().astype("<i8").tobytes()).hexdigest(),
    }
    assert content["bitstream"] is None
    link = content["link"]
    assert (link["protocol"], link["baud"], len(link["counters"])) == (1, 3_000_000, 16)
    assert [record["layer"] for record in link["records"]] == ["conv3"]
    entry = content["hardware"]["input"]
    assert (entry["shape"], entry["timesteps"], entry["value_bits"]) == ([1, 8, 8], None, 8)


def test_wrong_choices(network: contract.Network) -> None:
    with pytest.raises(ConfigError, match=r"^there is no board 'x'"):
        SimulatedBoard(network, "x")
    with pytest.raises(ConfigError, match=r"^baud must be from 1 to 3000000, not 0$"):
        SimulatedBoard(network, baud=0)
    with pytest.raises(ConfigError, match=r"^records: there is no layer 'x'"):
        SimulatedBoard(network, records=["x"])
    with pytest.raises(ConfigError, match=r"^25 MHz cannot be made into 999 MHz: the next is"):
        SimulatedBoard(network, clock=999)
    with pytest.raises(DataError, match=r"^there are no images: at least one is needed$"):
        SimulatedBoard(network, tested=np.zeros((0, 1, 8, 8), np.int64))
