"""Plan files: choices for hardware, kept in a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from support.networks.examples import every_kind, everything

from spikeloom.hw.planning import HardwareConfig, PlanFile, UnrolledPlan, plan
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.network import Network


@pytest.fixture(scope="module")
def network() -> Network:
    return everything()


def config(network: Network) -> HardwareConfig:
    names = [layer.name for layer in network.layers]
    return HardwareConfig(
        lanes=dict.fromkeys(names, 1),
        events=dict.fromkeys(names, 1),
        slots={name: 1 + k for k, name in enumerate(names)},
        time="loop",
    )


@pytest.fixture
def path(network: Network, tmp_path: Path) -> Path:
    made = PlanFile(network.name, network.digest, config(network), {"cycles": 12.5})
    made.save(tmp_path / "plan.json")
    return tmp_path / "plan.json"


def test_a_file_gives_the_configuration_back(network: Network, path: Path) -> None:
    found = PlanFile.load(path)
    assert found.config == config(network)
    assert found.about == {"cycles": 12.5}
    chosen = found.for_network(network, debug=True, counters=True)
    assert chosen.debug
    assert chosen.counters
    assert chosen.slots == config(network).slots
    planned = plan(network, chosen)
    assert [layer.lanes for layer in planned.layers] == [1] * len(network.layers)


def test_units_may_be_given_for_some_layers(network: Network, tmp_path: Path) -> None:
    name = network.layers[0].name
    chosen = dataclasses.replace(config(network), units={name: 1})
    PlanFile(network.name, network.digest, chosen).save(tmp_path / "plan.json")
    assert PlanFile.load(tmp_path / "plan.json").config == chosen
    layers = json.loads((tmp_path / "plan.json").read_text())["layers"]
    assert [layer for layer, entry in layers.items() if "units" in entry] == [name]


def test_layers_that_are_unrolled_keep_their_planes(network: Network, tmp_path: Path) -> None:
    first = network.layers[0].name
    lanes = {layer.name: network.shapes[layer.name][0] for layer in network.layers}
    chosen = dataclasses.replace(config(network), lanes=lanes, planes={first: 2})
    PlanFile(network.name, network.digest, chosen).save(tmp_path / "plan.json")
    found = PlanFile.load(tmp_path / "plan.json").for_network(network)
    assert found == chosen
    assert type(plan(network, found)[first]) is UnrolledPlan
    layers = json.loads((tmp_path / "plan.json").read_text())["layers"]
    assert [entry.get("planes") for entry in layers.values()] == [2] + [None] * (len(layers) - 1)


def test_layers_with_copies_keep_them(network: Network, tmp_path: Path) -> None:
    first = network.layers[0].name
    chosen = dataclasses.replace(config(network), copies={first: 2})
    PlanFile(network.name, network.digest, chosen).save(tmp_path / "plan.json")
    found = PlanFile.load(tmp_path / "plan.json").for_network(network)
    assert found == chosen
    assert [layer.copies for layer in plan(network, found).layers][:2] == [2, 1]


def test_compact_engines_stay_compact(network: Network, tmp_path: Path) -> None:
    chosen = dataclasses.replace(config(network), compact=True)
    PlanFile(network.name, network.digest, chosen).save(tmp_path / "plan.json")
    assert PlanFile.load(tmp_path / "plan.json").for_network(network) == chosen


def test_another_network_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the plan is for .* not for .* `spikeloom plan`"):
        PlanFile.load(path).for_network(every_kind())


def changed(path: Path, **entries: Any) -> Path:
    content = json.loads(path.read_text()) | entries
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"format": "other"}, "is no plan file"),
        ({"version": 2}, "update Spikeloom"),
        ({"time": "never"}, "time must be"),
        ({"layers": {"fc": 3}}, "layer 'fc' must be an object"),
        ({"layers": {"fc": {"lanes": 0, "events": 1, "slots": 1}}}, "lanes must be a whole number"),
        ({"layers": {"fc": {"lanes": 1, "events": 1}}}, "'slots' must be of type int"),
        (
            {"layers": {"fc": {"lanes": 1, "events": 1, "slots": 1, "units": 0}}},
            "units must be a whole number",
        ),
        (
            {"layers": {"fc": {"lanes": 1, "events": 1, "slots": 1, "planes": "all"}}},
            "'planes' must be of type int",
        ),
        (
            {"network": {"name": "a", "digest": "0\n"}},
            r"'digest' must have 64 hexadecimal digits, not '0\\n'",
        ),
        ({"compact": 1}, "'compact' must be of type bool"),
        ({"about": []}, "'about' must be of type dict"),
    ],
)
def test_damage_is_named(path: Path, entries: dict[str, Any], expected: str) -> None:
    with pytest.raises(FileFormatError, match=expected):
        PlanFile.load(changed(path, **entries))


@pytest.mark.parametrize("text", ["{", "[]", "\x00\xff"])
def test_other_files_are_refused(path: Path, text: str) -> None:
    path.write_text(text, encoding="latin-1")
    with pytest.raises(FileFormatError, match="is no plan file"):
        PlanFile.load(path)


def test_layers_of_another_network_are_refused(network: Network, path: Path) -> None:
    entry = {"lanes": 1, "events": 1, "slots": 1}
    found = PlanFile.load(changed(path, layers={"a\nb": entry}))
    with pytest.raises(ConfigError, match=r"the plan is for the layers 'a\\nb', but"):
        found.for_network(network)


def test_a_file_needs_the_choices_of_every_layer(network: Network, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a plan file needs lanes of every layer"):
        PlanFile(network.name, network.digest, HardwareConfig()).save(tmp_path / "plan.json")
