from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.hw.networks import residual, showcase
from support.link.board import Fire
from support.link.network_board import NetworkBoard, behind_pty, manifest_of, planned
from support.networks.examples import every_kind, everything

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError, LinkError
from spikeloom.sw.golden import Golden
from spikeloom.sw.inference import BoardDriver, Contents, Inference
from spikeloom.sw.link import Client
from spikeloom.sw.network import Connection, Conv2d, DirectInput, Layer, Logits, Network

NETWORKS = {
    "everything": everything(),
    "every kind": every_kind(),
    "showcase": showcase(),
    "residual": residual(),
}


def maps() -> Network:
    """Return a network whose logits have rows and columns."""
    weight = np.random.default_rng(3).integers(-9, 9, (3, 2, 1, 1))
    last = Layer(
        "maps",
        1,
        Logits(np.array([1, 2, 3]), fraction_bits=0),
        (Connection("input", "count", Conv2d(weight)),),
    )
    return Network(DirectInput((2, 2, 3), 4), (last,))


def images_of(network: Network, count: int) -> np.ndarray[Any, Any]:
    high = network.input.values().high
    shape = (count, *network.input.image_shape)
    return np.random.default_rng(count).integers(0, high + 1, shape)


def driver_of(board: Any, folder: Path, changes: Mapping[str, Any] | None = None) -> BoardDriver:
    inner = board.inner if isinstance(board, Fire) else board
    contents = Contents.of(manifest_of(inner.plan, inner.link, folder, changes))
    return BoardDriver(contents, Client(board, timeout=0.01, clock=inner.time))


def require_equal(found: Inference, network: Network, images: np.ndarray[Any, Any]) -> None:
    expected = Golden(network).run(images)
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.labels, expected.labels)
    for layer, counts in found.counts.items():
        assert torch.equal(counts, expected.counts[layer])


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_logits_labels_and_counts_are_golden_s(network: Network, tmp_path: Path) -> None:
    board = NetworkBoard(*planned(network))
    driver = driver_of(board, tmp_path)
    images, seen = images_of(network, 5), []
    found = driver.infer(images, progress=lambda *args: seen.append(args))
    require_equal(found, network, images)
    assert (found.target, found.counts) == ("board", {})
    assert seen == [("run", k + 1, 5) for k in range(5)]
    assert found.cycles is not None
    assert found.cycles.tolist() == [77] * 5
    assert found.cycles_per_image == 77
    assert found.images_per_second == 5 / found.seconds
    assert found.traffic is not None
    assert found.traffic.requests > 5
    assert (found.traffic.resent, found.traffic.stray, found.traffic.repeated) == (0, 0, 0)

    firing = [layer.layer for layer in board.link.records]
    last = Golden(network).run(images[-1:]).counts
    for layer in firing:
        assert torch.equal(driver.counts(layer), last[layer][0])
    require_equal(driver.infer(images, counts=firing), network, images)


def test_logits_of_several_places_are_in_golden_s_order(tmp_path: Path) -> None:
    network = maps()
    images = images_of(network, 9)
    found = driver_of(NetworkBoard(*planned(network)), tmp_path).infer(images)
    require_equal(found, network, images)
    assert len(set(found.labels.tolist())) > 2


def test_counters_by_layer(tmp_path: Path) -> None:
    board = NetworkBoard(*planned(showcase()))
    driver = driver_of(board, tmp_path)
    images = images_of(showcase(), 3)
    names = board.link.counters
    layers = ["conv", "steps", "spiking", "out"]
    found = driver.infer(images)
    assert found.counters == driver.counters()
    assert found.counters is not None
    assert list(found.counters) == layers
    for k, name in enumerate(names):
        layer, counter = name.split(".")
        assert found.counters[layer][counter] == 100 * k + 3
    # Read image by image, they begin anew each time.
    found = driver.infer(images, counts=["conv"])
    assert found.counters is not None
    for k, name in enumerate(names):
        layer, counter = name.split(".")
        assert found.counters[layer][counter] == 3 * (100 * k + 1)


def test_a_network_is_enough_for_labels(tmp_path: Path) -> None:
    board = NetworkBoard(*planned(showcase()))
    images = images_of(showcase(), 2)
    driver = BoardDriver(Contents.of(showcase()), Client(board, clock=board.time))
    found = driver.infer(images)
    require_equal(found, showcase(), images)
    assert found.counters is None
    with pytest.raises(ConfigError, match="which counters a board has is in its manifest"):
        driver.counters()
    with pytest.raises(ConfigError, match="which layers' counts a board keeps is in its manifest"):
        driver.infer(images, counts=["conv"])


def test_a_damaged_line_gives_golden_s_values(tmp_path: Path) -> None:
    fire = Fire(NetworkBoard(*planned(showcase())), 0.25, 1)
    driver = driver_of(fire, tmp_path)
    images = images_of(showcase(), 40)
    found = driver.infer(images)
    require_equal(found, showcase(), images)
    assert fire.damaged > 50
    assert found.traffic is not None
    assert found.traffic.resent > 20
    require_equal(driver.infer(images[:5], counts=["conv", "spiking"]), showcase(), images[:5])


def test_another_network_is_refused(tmp_path: Path) -> None:
    board = NetworkBoard(*planned(showcase()))
    digest = "5a" * 32
    expected = rf"^the board holds the network {showcase().digest[:12]}, not 5a5a5a5a5a5a: program"
    with pytest.raises(LinkError, match=expected):
        driver_of(board, tmp_path, {"network": {"name": "other", "digest": digest}})
    assert board.computed == 0


@pytest.mark.parametrize(
    ("what", "value", "message"),
    [
        ("counters", [], "but 16 counters, not 0: load the bitstream of this manifest"),
        ("records", [], "records, not no: load the bitstream of this manifest"),
    ],
)
def test_another_design_of_the_network_is_refused(
    tmp_path: Path, what: str, value: Any, message: str
) -> None:
    found, link = planned(showcase())
    entry = {"protocol": 1, **link.description(), what: value}
    with pytest.raises(LinkError, match=rf"^the board has the right network, .*{message}"):
        driver_of(NetworkBoard(found, link), tmp_path, {"link": entry})


def test_images_that_do_not_fit(tmp_path: Path) -> None:
    board = NetworkBoard(*planned(showcase()))
    driver = driver_of(board, tmp_path)
    with pytest.raises(DataError, match=r"^images must have the shape \(N, 2, 4, 5\)"):
        driver.infer(np.zeros((1, 2, 5, 4), np.int64))
    with pytest.raises(DataError, match=r"^image 0 holds 8 at \(0, 0, 0\), but the network's"):
        driver.infer(np.full((1, 2, 4, 5), 8))
    assert board.computed == 0


def test_counts_that_are_not_there(tmp_path: Path) -> None:
    driver = driver_of(NetworkBoard(*planned(showcase())), tmp_path)
    with pytest.raises(ConfigError, match="there are counts only when an image has been computed"):
        driver.counts("conv")
    with pytest.raises(ConfigError, match="keeps no counts of layer 'out'"):
        driver.counts("out")


def test_a_design_without_counters(tmp_path: Path) -> None:
    board = NetworkBoard(*planned(showcase(), HardwareConfig(budget=16, debug=True)))
    driver = driver_of(board, tmp_path)
    assert driver.infer(images_of(showcase(), 1)).counters is None
    with pytest.raises(ConfigError, match=r"^the board's design has no counters: build it with"):
        driver.counters()


class TestOpen:
    def test_a_port(self, tmp_path: Path) -> None:
        board = NetworkBoard(*planned(showcase()))
        manifest = manifest_of(board.plan, board.link, tmp_path)
        images = images_of(showcase(), 12)
        with behind_pty(board) as port:
            with BoardDriver.open(str(manifest.path), port) as driver:
                require_equal(driver.infer(images), showcase(), images)
            # It was closed: the port can be opened once more.
            with BoardDriver.open(showcase(), port, 115200) as driver:
                require_equal(driver.infer(images[:1]), showcase(), images[:1])

    @pytest.mark.parametrize(("patience", "longer"), [(1.0, 1), (10.0, 1), (600.0, 60)])
    def test_patience_waits_for_replies_too(self, patience: float, longer: int) -> None:
        with (
            behind_pty(NetworkBoard(*planned(showcase()))) as port,
            BoardDriver.open(showcase(), port, 40_000, patience) as driver,
        ):
            assert driver.client.image_timeout == patience
            # A quarter of a second, and one for the longest message at this rate.
            assert driver.client.timeout == pytest.approx(1.25 * longer)

    def test_a_refused_board_s_port_is_closed(self, tmp_path: Path) -> None:
        board = NetworkBoard(*planned(showcase()))
        with behind_pty(board) as port:
            for _ in range(2):
                with pytest.raises(LinkError, match=r"^the board holds the network"):
                    BoardDriver.open(everything(), port)

    def test_no_manifest(self, tmp_path: Path) -> None:
        with pytest.raises(FileFormatError, match=r"^manifest .*no.json does not exist"):
            BoardDriver.open(tmp_path / "no.json", "/dev/null")
