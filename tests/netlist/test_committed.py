"""The committed bitstreams: the plan from a manifest, and the refusal of changed files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from benchmarks.bitstreams import KEPT

from netlist.committed import Committed, committed
from netlist.proofs import PROOFS, Kept
from netlist.simulator import MismatchError
from spikeloom.hw.boards import Board
from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.verilog import describe
from spikeloom.sw.cli.networks import FOLDER as PRETRAINED
from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import load

NAMES = ("digits-conv-2bit", "mnist-small", "fashion-small")


def subject(name: str, folder: Path, of: str | None = None) -> Committed:
    """Describe the committed bitstream of a network for the iCEBreaker."""
    manifest = Manifest.load(KEPT / f"{name}-icebreaker.json")
    return committed(manifest, load(PRETRAINED / f"{of or name}.safetensors"), folder / name)


def proof(name: str) -> Kept:
    """Return the proof of a committed bitstream that ``make prove-netlist`` runs."""
    (found,) = (one for one in PROOFS["committed"] if one.name == f"{name}-icebreaker")
    assert isinstance(found, Kept)
    return found


def test_every_bitstream_that_can_be_read_is_simulated() -> None:
    manifests = [Manifest.load(path) for path in KEPT.glob("*.json")]
    readable = [x for x in manifests if Board.find(x.content["board"]).family == "ice40"]
    assert {path.path.stem for path in readable} == {one.name for one in PROOFS["committed"]}
    assert {f"{name}-icebreaker" for name in NAMES} == {one.name for one in PROOFS["committed"]}


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_is_that_of_the_manifest(name: str, tmp_path: Path) -> None:
    found = subject(name, tmp_path)
    content = found.manifest.content
    hardware = json.loads(json.dumps(describe(found.plan)))
    hardware["input"]["value_bits"] = found.link.value_bits
    assert hardware == content["hardware"]
    assert {"protocol": 1, **found.link.description()} == content["link"]
    assert (found.link.clock, found.link.baud) == (12_000_000, 3_000_000)
    assert found.contents.counters == tuple(content["link"]["counters"])


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.json")), ids=lambda path: path.stem)
def test_the_config_of_every_manifest_gives_its_hardware(path: Path) -> None:
    content = Manifest.load(path).content
    network = load(PRETRAINED / f"{path.stem.removesuffix('-' + content['board'])}.safetensors")
    found = json.loads(json.dumps(describe(plan(network, HardwareConfig(**content["config"])))))
    assert found["layers"] == content["hardware"]["layers"]


def test_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        MismatchError, match=r"mnist-small-icebreaker\.json is of another network than 'mnist-s"
    ):
        subject("mnist-small", tmp_path, of="fashion-small")


def test_a_changed_byte_is_refused(tmp_path: Path) -> None:
    build = proof("digits-conv-2bit").build
    shutil.copy(KEPT / f"{build.name}.json", tmp_path)
    content = bytearray((KEPT / f"{build.name}.bin").read_bytes())
    content[-5000] ^= 1
    (tmp_path / f"{build.name}.bin").write_bytes(content)
    changed = Kept(build, tmp_path)
    with pytest.raises(FileFormatError, match="is not the bitstream of its manifest"):
        list(changed.lines(tmp_path / "work", 1, None))


@pytest.mark.boards
def test_a_committed_bitstream_is_golden(tmp_path: Path) -> None:
    (line,) = proof("digits-conv-2bit").lines(tmp_path, 1, None)
    assert (line.name, line.pixels) == ("digits-conv-2bit", "digits")
    assert (line.compared.images, line.compared.logits, line.compared.values) == (1, 10, 12)
