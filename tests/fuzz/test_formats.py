"""Damage that readers take for whole: digests are right, and text is in the format."""

from __future__ import annotations

import json
import tomllib
import zipfile
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fuzz import bytewise, trees
from fuzz.formats.base import Format
from fuzz.formats.sealed import Manifest as ManifestFormat
from fuzz.targets import Target
from spikeloom.sw.errors import SpikeloomError
from spikeloom.sw.link.manifest import Manifest

COUNT = 120


def damaged(name: str, seed: int = 0, count: int = COUNT) -> list[bytes]:
    """Return damaged inputs of a target."""
    target, chance = Target.kinds[name], Random(seed)
    seeds = target.seeds()
    return [
        target.format.damaged(chance.choice(seeds), chance, target.longest) for _ in range(count)
    ]


@pytest.mark.parametrize("name", Target.kinds)
def test_damage_is_the_seeds_and_within_bounds(name: str) -> None:
    found = damaged(name, count=24)
    if name != "nir":  # HDF5 notes the time
        assert found == damaged(name, count=24)
    assert found != damaged(name, seed=1, count=24)
    assert len(set(found)) > 12
    assert max(map(len, found)) <= Target.kinds[name].longest


@pytest.mark.parametrize("name", ["network", "model", "state", "manifest"])
def test_most_digests_are_right(name: str, tmp_path: Path) -> None:
    messages = []
    target = Target.kinds[name](tmp_path)
    for data in damaged(name):
        try:
            target.take(data)
        except SpikeloomError as error:
            messages.append(str(error))
    assert 0 < sum("another than the digest" in message for message in messages) < COUNT // 4


def test_a_manifest_with_a_key_of_its_own_is_read(tmp_path: Path) -> None:
    (tmp_path / "m").write_text('{"format": "spikeloom-bitstream", "version": 1, "board": "x"}')
    data, chance = (tmp_path / "m").read_bytes(), Random(0)
    seals = []
    for _ in range(50):
        content = ManifestFormat().inside(data, chance)
        assert content is not None
        seals.append(b"sha256" in content)
    assert any(seals)
    (tmp_path / "m").write_bytes(Target.kinds["manifest"].seeds()[0])
    assert Manifest.load(tmp_path / "m").content["format"] == "spikeloom-bitstream"


def test_text_of_trees() -> None:
    tree: dict[str, Any] = {"a": [1, True, None, "é\n"], "b": {"c": -2.5}}
    assert json.loads(trees.json_text(tree)) == tree
    assert tomllib.loads(trees.toml_text({"a": [1, True, "é\n"], "b": {"c": -2.5}})) == {
        "a": [1, True, "é\n"],
        "b": {"c": -2.5},
    }
    assert trees.json_text({"a": "@raw:2@", "@twice:a@": 1}) == '{"a":NaN,"a":1}'


def test_trees_are_damaged_in_every_way() -> None:
    chance = Random(0)
    found = {
        trees.json_text(trees.damaged({"name": "x", "list": [1, 2], "in": {"z": 0}}, chance))
        for _ in range(2000)
    }
    whole = '{"name":"x","list":[1,2],"in":{"z":0}}'
    for wanted in (
        whole.replace('"name":"x",', ""),  # missing
        whole.replace('"x"', "null"),
        whole.replace("[1,2]", "[1,1,2]"),
        whole.replace('"z":0', '"z":0,"z":0'),
        whole.replace("[1,2]", "[[1,2]]"),
    ):
        assert wanted in found
    assert any("[" * 3000 in text for text in found)


def test_bytes_are_damaged_and_cut() -> None:
    chance = Random(0)
    found = [bytewise.damaged(bytes(range(100)), chance, 64) for _ in range(COUNT)]
    assert max(map(len, found)) == 64
    assert min(map(len, found)) < 64
    assert all(bytewise.damaged(b"", chance, 8) is not None for _ in range(COUNT))
    assert Format().inside(b"x", chance) is None


def test_archives_stay_archives() -> None:
    whole = 0
    for data in damaged("npz"):
        try:
            with zipfile.ZipFile(BytesIO(data)) as archive:
                whole += archive.testzip() is None
        except Exception:  # a damaged one
            continue
    assert whole > COUNT // 3
