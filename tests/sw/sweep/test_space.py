"""Spaces: what a file may say, and what becomes of the recipe."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.spaces import RECIPE, small

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.sweep import Choices, Span, load
from spikeloom.sw.tables import to_toml


def test_values_reach_recipe_and_hardware(tmp_path: Path) -> None:
    space = small(
        tmp_path,
        fixed={"conversion": {"neuron": "if"}, "phase": {"1": {"lr": 0.5}}},
        hardware={"images": 2},
        space={
            "levels": {"timesteps": {"fc1": [1, 2], "default": [3]}, "weight_bits": [4]},
            "phase": {"quantized": {"epochs": [7]}, "2": {"penalties.clipping.weight": [0.5]}},
            "hardware": {"lanes": {"fc1": [1, 4]}, "time": ["loop"]},
        },
    )
    values = {
        "levels.timesteps.fc1": 2,
        "levels.timesteps.default": 3,
        "levels.weight_bits": 4,
        "phase.quantized.epochs": 7,
        "phase.2.penalties.clipping.weight": 0.5,
        "hardware.lanes.fc1": 4,
    }
    assert {x.name for x in space.parameters} == {*values, "hardware.time"}
    recipe, part = space.chosen(values)
    assert recipe.levels.timesteps == {"fc1": 2, "default": 3}
    assert recipe.levels.weight_bits == 4
    first, second = (
        phase.plain() if hasattr(phase, "plain") else vars(phase) for phase in recipe.phase
    )
    assert (first["lr"], first["epochs"]) == (0.5, 1)
    assert second["epochs"] == 7
    assert dict(second["penalties"]["clipping"]) == {"weight": 0.5}
    assert recipe.conversion == {"neuron": "if"}
    assert (part.lanes, part.images, part.time) == ({"fc1": 4}, 2, "auto")


def test_number_becomes_the_default_of_other_layers(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(
        RECIPE.replace("[engine]", "[levels]\ntimesteps = 5\n[engine]")
    )
    path = tmp_path / "space.toml"
    path.write_text('recipe = "base.toml"\n[space]\nlevels.timesteps.fc1 = [1, 2]\n')
    recipe, _ = load(path).chosen({"levels.timesteps.fc1": 1})
    assert recipe.levels.timesteps == {"default": 5, "fc1": 1}


def test_file_that_is_written_is_the_same_space(tmp_path: Path) -> None:
    space = small(tmp_path, fixed={"levels": {"learn": ""}}, hardware={"images": 3})
    path = tmp_path / "written.toml"
    path.write_text(to_toml(space.plain()))
    assert load(path) == space


def test_choices_that_are_no_scalars_are_stored_as_text() -> None:
    shifts = Choices("phase.1.shift", ([0, 2], [1, 1], 3))
    assert shifts.stored == ["[0, 2]", "[1, 1]", 3]
    assert [shifts.value(x) for x in shifts.stored] == [[0, 2], [1, 1], 3]


def test_a_range_is_whole_if_its_ends_are() -> None:
    assert Span("x", 1, 4).whole
    assert not Span("x", 1, 4, 0.5).whole
    assert Span("x", 1, 4.0).samples() == (1.0, 4.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trails": 3}, "a space has no key 'trails': did you mean 'trials'?"),
        ({"trials": 0}, "trials must be from 1 to 1,000,000, not 0"),
        ({"trials": "many"}, "the space.trials must be an integer, not 'many'"),
        ({"seed": -1}, "seed must be from 0 to"),
        ({"sampler": "tpee"}, "no sampler is called 'tpee': did you mean 'tpe'?"),
        ({"objectives": ["acuracy"]}, "no objective is called 'acuracy': did you mean 'accuracy'?"),
        ({"objectives": []}, "objectives must be names, each once, not"),
        ({"objectives": ["luts", "luts"]}, "objectives must be names, each once, not"),
        ({"holdout": 1.0}, "holdout must be above 0 and below 1, not 1.0"),
        ({"space": {}}, "[space] has 0 parameters: give 1 to 256"),
        ({"space": 3}, "space must be a table, [space], not 3"),
        ({"fixed": {"levels": {"bits": 3}}}, "levels has no key 'bits'"),
        ({"fixed": {"engine": {"devices": 2}}}, "put engine.devices = 1 in [fixed]"),
        ({"hardware": {"lane": 3}}, "hardware has no key 'lane': did you mean 'lanes'?"),
        ({"hardware": {"images": 0}}, "hardware: images must be at least 1, not 0"),
        ({"hardware": {"max_luts": 0}}, "hardware: max_luts must be at least 1, not 0"),
        ({"hardware": {"board": "ulx"}}, "board"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        small(tmp_path, **changes)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"levels": {"timesteps": 4}}, "space.levels.timesteps must be a list of values, as in"),
        ({"levels": {"timesteps": []}}, "space.levels.timesteps has 0 values: give 1 to 256"),
        ({"levels": {"timesteps": [1, 1]}}, "space.levels.timesteps has the value 1 twice"),
        ({"levels": {"learn": ["", 3]}}, "space.levels.learn with the value 3: levels.learn must"),
        ({"level": {"timesteps": [1]}}, "with the value 1: a recipe has no key 'level'"),
        ({"phase": {"3": {"lr": [0.1]}}}, "'phase.3.lr' names no key of a phase: write phase"),
        ({"phase": {"1": [0.1]}}, "'phase.1' names no key of a phase"),
        ({"phase": {"1": {"lr": {"low": -1.0, "high": 1.0}}}}, "with the value -1.0: phase 1"),
        ({"seed": {"low": 1}}, "space.seed must say 'high'"),
        ({"seed": {"low": 1, "high": 2, "stepp": 1}}, "space.seed has no key 'stepp'"),
        ({"seed": {"low": 2, "high": 1}}, "space.seed: low is 2 and high 1: high must be larger"),
        ({"seed": {"low": 1, "high": 5, "step": 9}}, "step must be above 0 and at most high - low"),
        ({"seed": {"low": 0, "high": 5, "log": True}}, "log = true needs low above 0, and no step"),
        ({"seed": {"low": 0, "high": float("inf")}}, "space.seed must have finite numbers"),
        (
            {"hardware": {"lanes": [0]}},
            "space.hardware.lanes with the value 0: hardware: lanes must",
        ),
        ({"levels": {"timesteps": [1], "timesteps.fc1": [2]}}, "set the same key"),
    ],
)
def test_a_wrong_parameter_is_named(space: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        small(tmp_path, space=space)
    assert message in str(error.value)


def test_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text("trials = 3\n")
    with pytest.raises(ConfigError, match=r"space\.toml: a space must say 'recipe'"):
        load(path)
    path.write_text('recipe = "digits-cnov"\n')
    with pytest.raises(FileFormatError, match="recipe digits-cnov does not exist: did you mean"):
        load(path)
    with pytest.raises(FileFormatError, match=r"space .* does not exist"):
        load(tmp_path / "other.toml")


def test_the_page_has_a_space_with_all_keys(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "sweep.md"
    (text,) = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "space.toml"
    path.write_text(text, encoding="utf-8")
    space = load(path)
    assert tomllib.loads(text).keys() == space.plain().keys()
    assert len(space.parameters) == 7
