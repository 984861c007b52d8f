from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.hw.networks import showcase
from support.link.network_board import manifest_of, planned
from support.networks.examples import every_kind, everything

from spikeloom.sw.errors import ConfigError, FileFormatError, LinkError, SpikeloomError
from spikeloom.sw.inference import Contents
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import Network


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return manifest_of(*planned(showcase()), tmp_path)


@pytest.mark.parametrize(
    "network",
    [showcase(), everything(), every_kind()],
    ids=["showcase", "everything", "every kind"],
)
def test_a_manifest_says_of_a_network_what_the_network_says(
    network: Network, tmp_path: Path
) -> None:
    manifest = manifest_of(*planned(network), tmp_path)
    read, direct = Contents.of(Manifest.load(manifest.path)), Contents.of(network)
    assert (read.name, read.digest, read.output) == (network.name, network.digest, direct.output)
    assert read.input.image_shape == direct.input.image_shape == network.input.image_shape
    assert read.input.pixels() == network.input.pixels()
    assert read.input.steps == network.input.steps


def test_counters_and_records(manifest: Manifest) -> None:
    contents = Contents.of(manifest)
    assert contents.baud == 3_000_000
    names = ("cycles", "events", "starved", "blocked")
    assert set(contents.require_counters()) == {
        f"{layer}.{name}" for layer in ("conv", "steps", "spiking", "out") for name in names
    }
    assert [contents.record(name) for name in ("conv", "steps", "spiking")] == [0, 1, 2]
    with pytest.raises(ConfigError, match=r"of layer 'out', but of: conv, steps, spiking\. `spike"):
        contents.record("out")


def test_a_network_alone_says_nothing_of_them() -> None:
    contents = Contents.of(showcase())
    with pytest.raises(ConfigError, match="which counters a board has is in its manifest"):
        contents.require_counters()
    with pytest.raises(ConfigError, match="which layers' counts a board keeps is in its manifest"):
        contents.record("conv")


def changed(manifest: Manifest, path: str, value: Any) -> Manifest:
    """Return the manifest with the value at a path like ``link.records.0.lanes``."""
    content = json.loads(manifest.path.read_text())
    *way, last = path.split(".")
    place: Any = content
    for key in way:
        place = place[int(key) if isinstance(place, list) else key]
    place[int(last) if isinstance(place, list) else last] = value
    return Manifest(content, Path("net.json"))


def test_an_overlay_has_no_contents(manifest: Manifest) -> None:
    content = json.loads(manifest.path.read_text())
    content["hardware"]["axi"], content["link"] = {}, None
    with pytest.raises(ConfigError, match=r"^manifest net\.json is of an overlay, which has no li"):
        Contents.of(Manifest(content, Path("net.json")))


@pytest.mark.parametrize(
    ("path", "value", "kind", "message"),
    [
        ("link", None, ConfigError, "its design has no link to a host: build it again"),
        ("link", 7, FileFormatError, "'link' must be of type dict, not 7: build it again"),
        ("link.protocol", 2, LinkError, "speaks version 2 of the protocol, this host version 1"),
        ("link.protocol", True, FileFormatError, "'protocol' must be of type int, not True"),
        ("link.counters", ["conv"], FileFormatError, "a counter is called 'conv'"),
        ("link.counters", [3], FileFormatError, "a counter is called 3"),
        ("link.records", [3], FileFormatError, "'records' holds 3"),
        ("link.records.0.layer", "con", FileFormatError, "a record is of 'con', which is no layer"),
        ("link.records.0.lanes", 0, FileFormatError, "record of layer 'conv' is impossible"),
        ("link.records.0.width", 49, FileFormatError, "record of layer 'conv' is impossible"),
        ("link.records.0.bytes", 0, FileFormatError, "record of layer 'conv' is impossible"),
        ("link.records.0.transfers", 41, FileFormatError, "record of layer 'conv' is impossible"),
        ("link.baud", None, FileFormatError, "'baud' must be of type int, not None"),
        ("network.digest", "12", FileFormatError, "'12' is no digest of a network"),
        ("network.name", 1, FileFormatError, "'name' must be of type str, not 1"),
        ("hardware", None, FileFormatError, "'hardware' must be of type dict, not None"),
        ("hardware.layers", [], FileFormatError, "there is no layer"),
        ("hardware.layers.0.shape", [2, 0, 1], FileFormatError, r"\[2, 0, 1\] is no shape"),
        ("hardware.input.shape", [2, 2], FileFormatError, r"\[2, 2\] is no shape"),
        ("hardware.input.highest", 0, FileFormatError, "highest value must be from 1 to 65535"),
        ("hardware.input.timesteps", "8", FileFormatError, "'timesteps' must be of type int"),
    ],
)
def test_what_is_wrong_in_a_manifest_is_named(
    manifest: Manifest, path: str, value: Any, kind: type[SpikeloomError], message: str
) -> None:
    with pytest.raises(kind, match=f"^{re.escape('manifest net.json')}: .*{message}"):
        Contents.of(changed(manifest, path, value))
