from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.link import VERSION
from spikeloom.sw.link.manifest import FORMAT, Manifest
from spikeloom.sw.sealed import digest

CONTENT = {
    "format": FORMAT,
    "version": VERSION,
    "board": "icebreaker",
    "network": {"name": "net"},
    "bitstream": {"file": "net.bin", "sha256": digest(b"bits")},
}


def saved(folder: Path, **changes: object) -> Manifest:
    (folder / "net.bin").write_bytes(b"bits")
    manifest = Manifest(CONTENT | changes, folder / "net.json")
    manifest.save()
    return manifest


def test_it_comes_back_with_its_bitstream(tmp_path: Path) -> None:
    manifest = saved(tmp_path)
    read = Manifest.load(manifest.path)
    assert read == manifest
    assert read.require_bitstream() == tmp_path / "net.bin"


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    first = saved(tmp_path).path.read_bytes()
    turned = Manifest(dict(reversed(CONTENT.items())), tmp_path / "net.json")
    turned.save()
    assert turned.path.read_bytes() == first


def test_another_bitstream_is_refused(tmp_path: Path) -> None:
    manifest = saved(tmp_path)
    (tmp_path / "net.bin").write_bytes(b"bitz")
    with pytest.raises(FileFormatError, match=r"net.bin is not the bitstream of its manifest"):
        manifest.require_bitstream()
    (tmp_path / "net.bin").unlink()
    with pytest.raises(FileFormatError, match=r"bitstream .*net.bin does not exist"):
        manifest.require_bitstream()


def test_a_project_has_no_bitstream_yet(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="icebreaker has no bitstream yet: run Vivado"):
        saved(tmp_path, bitstream=None).require_bitstream()


def test_a_design_without_a_link(tmp_path: Path) -> None:
    saved(tmp_path, link={}).require_link()
    for changes in ({}, {"link": None}, {"link": None, "hardware": {"top": "net"}}):
        with pytest.raises(ConfigError, match=r"^manifest .*net\.json: its design has no link to"):
            saved(tmp_path, **changes).require_link()


def test_an_overlay_is_told_by_its_bus(tmp_path: Path) -> None:
    made = saved(tmp_path, hardware={"axi": {"registers": []}}, bitstream=None, link=None)
    assert made.overlay
    assert made.project == f"`vivado -mode batch -source overlay.tcl` in {tmp_path / 'work'}"
    with pytest.raises(
        ConfigError,
        match=r"^manifest .*net\.json is of an overlay, which has no link to a host: PYNQ runs it "
        r"on the board itself, as docs/axi\.md shows$",
    ):
        made.require_link()


@pytest.mark.parametrize("hardware", [None, [], "axi", {}])
def test_what_is_no_overlay(tmp_path: Path, hardware: object) -> None:
    made = saved(tmp_path, hardware=hardware)
    assert not made.overlay
    assert made.project == f"`vivado -mode batch -source top.tcl` in {tmp_path / 'work'}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no JSON", "is no manifest"),
        ("[]", "is no manifest, but list"),
        (json.dumps(CONTENT | {"format": "other"}), "its format is 'other'"),
        (json.dumps(CONTENT | {"version": 99}), "reads up to 1: update Spikeloom"),
        (json.dumps({"format": FORMAT, "version": 1}), "lacks 'board': build again"),
        (json.dumps(CONTENT | {"board": 7}), "'board' must be of type str, not 7: build again"),
        (json.dumps(CONTENT | {"network": []}), r"'network' must be of type dict, not \[\]"),
        (json.dumps(CONTENT | {"bitstream": 5}), "'bitstream' must be of type dict, not 5"),
        (json.dumps(CONTENT | {"bitstream": {}}), "'sha256' must be of type str, not None"),
        (
            json.dumps(CONTENT | {"bitstream": {"file": "../net.bin", "sha256": ""}}),
            "'../net.bin' is no file beside it: build again",
        ),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "net.json"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=message):
        Manifest.load(path)


def test_damage_is_seen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manifest = saved(tmp_path)
    content = json.loads(manifest.path.read_text())
    manifest.path.write_text(json.dumps(content))
    assert Manifest.load(manifest.path) == manifest, "another layout is the same content"
    manifest.path.write_text(json.dumps(content | {"board": "other"}))
    with pytest.raises(FileFormatError, match=r"net\.json is damaged: its content is another"):
        Manifest.load(manifest.path)
    assert not caplog.records
    del content["sha256"]
    manifest.path.write_text(json.dumps(content))
    assert Manifest.load(manifest.path) == manifest
    assert "is older than digests of manifests" in caplog.text
