"""Recipes: the committed ones, the page's example, and what is refused."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.models import MODELS
from spikeloom.sw.recipes import FOLDER, committed, find
from spikeloom.sw.training.options import SURROGATE
from spikeloom.sw.training.phases import FitPhase
from spikeloom.sw.training.recipe import Recipe, load, recipe_of

PAGE = Path(__file__).parents[3] / "docs" / "recipes.md"


def small(**parts: Any) -> dict[str, Any]:
    return {
        "model": {"name": "digits-mlp"},
        "data": {"name": "digits"},
        "phase": [{"kind": "float", "epochs": 1}, {"kind": "quantized", "epochs": 1}],
    } | parts


def the_pages_example() -> str:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[:1]
    return str(text)


@pytest.mark.parametrize("name", committed())
def test_committed_recipes_are_sound(name: str) -> None:
    recipe = load(find(name))
    assert recipe.model.name in MODELS
    assert recipe.about
    assert not recipe.data.root


@pytest.mark.parametrize("name", committed())
def test_committed_recipes_name_their_augmentation(name: str) -> None:
    phases = tomllib.loads(find(name).read_text(encoding="utf-8"))["phase"]
    fitting = [phase for phase in phases if phase["kind"] != "calibrate"]
    assert fitting
    assert all(phase["shift"] in (1, 2, 4) for phase in fitting)


def test_shifts_along_one_axis() -> None:
    table = small(phase=[{"kind": "float", "epochs": 1, "shift": [0, 2]}])
    recipe = recipe_of(table)
    assert isinstance(recipe.phase[0], FitPhase)
    assert recipe.phase[0].shift == (0, 2)
    assert recipe_of(tomllib.loads(recipe.to_toml())) == recipe
    table["phase"][0]["shift"] = "1"
    with pytest.raises(ConfigError, match="shift must be an integer or a list"):
        recipe_of(table)


def test_there_are_the_recipes_that_the_page_names() -> None:
    assert {"digits-conv", "mnist-lenet5", "fashion-net4", "mnist-mlp", "cifar10-resnet20"} <= set(
        committed()
    )
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in committed())


@pytest.mark.parametrize("name", committed())
def test_writing_a_recipe_loses_nothing(name: str) -> None:
    recipe = load(find(name))
    assert recipe_of(tomllib.loads(recipe.to_toml())) == recipe


def test_the_pages_example_is_complete() -> None:
    table = tomllib.loads(the_pages_example())
    full = recipe_of(table).plain()
    # Every key of every part, and of each kind of phase, is there.
    assert table.keys() == full.keys()
    for name in ("model", "data", "levels", "initialise", "engine"):
        assert table[name].keys() == full[name].keys(), name
    assert [phase["kind"] for phase in table["phase"]] == [
        "float",
        "quantized",
        "spiking",
        "calibrate",
    ]
    for written, complete in zip(table["phase"], full["phase"], strict=True):
        if written["kind"] in ("float", "calibrate"):
            taught = {"teacher", "teacher_weight", "temperature", "penalties"}
            other = {*SURROGATE, "autoaugment", "erase"}  # of phases through time, and of images
            assert written.keys() | taught | other >= complete.keys(), written["kind"]
    assert all(f"\n{key} = " in the_pages_example() for key in SURROGATE)
    assert '\n# autoaugment = "cifar10" ' in the_pages_example()
    assert "\n# erase = 0.5 " in the_pages_example()
    explained = PAGE.read_text(encoding="utf-8")
    keys = {key for phase in full["phase"] for key in phase}
    assert all(f"`{key}`" in explained for key in keys)


def test_a_file_of_the_users_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("digits-conv") == find("digits-conv.toml") == FOLDER / "digits-conv.toml"
    Path("digits-conv.toml").touch()
    assert find("digits-conv.toml") == Path("digits-conv.toml")
    assert find("digits-conv") == FOLDER / "digits-conv.toml"
    with pytest.raises(FileFormatError, match=r"recipe none does not exist: .*digits-conv"):
        find("none")


def test_a_file_that_is_no_recipe(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("seed = ")
    with pytest.raises(FileFormatError, match=r"r\.toml is no TOML file"):
        load(path)
    path.write_text("sede = 1")
    with pytest.raises(ConfigError, match=r"r\.toml: a recipe has no key 'sede': did you mean"):
        load(path)
    with pytest.raises(FileFormatError, match=r"recipe .*none\.toml does not exist"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"engin": {}}, "a recipe has no key 'engin': did you mean 'engine'"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"seed": "x"}, "recipe.seed must be an integer, not 'x'"),
        ({"model": {}}, "model must say 'name'"),
        ({"data": {"name": "digits", "validation": 1}}, "data: validation must be from 0 to below"),
        ({"data": {"name": "digits", "limit": -1}}, "data: limit must be at least 0, not -1"),
        ({"levels": {"timestep": 4}}, "levels has no key 'timestep': did you mean 'timesteps'"),
        ({"initialise": {"method": "max"}}, "initialise: no method is called 'max'"),
        ({"initialise": {"percentile": 0.0}}, "initialise: the percentile must be above 0"),
        ({"initialise": {"staged": -1}}, "initialise: staged must be at least 0, not -1"),
        ({"initialise": {"images": 0}}, "initialise: images must be at least 1, not 0"),
        ({"engine": {"precision": "8"}}, "engine: precision must be 32-true or bf16-mixed or"),
        ({"engine": {"devices": 0}}, "engine: devices must be at least 1, not 0"),
        ({"conversion": {"nuron": "if"}}, "conversion has no key 'nuron': did you mean 'neuron'"),
        ({"conversion": {"transport": 1}}, "conversion.transport must be a text, not 1"),
        ({"phase": []}, r"a recipe needs at least one \[\[phase\]\]"),
        ({"phase": {"kind": "float"}}, r"phases are a list: write \[\[phase\]\]"),
        ({"phase": [{}]}, "phase 1 must say 'kind': one of float, quantized, spiking, calibrate"),
        ({"phase": [{"kind": "flaot"}]}, "phase 1: no kind of phase is called 'flaot': did you"),
        ({"phase": [{"kind": "float"}]}, r"phase 1 \(float\) must say 'epochs'"),
        (
            {"phase": [{"kind": "float", "epochs": 1, "optimizer": "lion"}]},
            r"phase 1 \(float\): no optimizer is called 'lion'; there are adamw, sgd",
        ),
        (
            {"phase": [{"kind": "float", "epochs": 1, "penalties": {"none": {}}}]},
            r"phase 1 \(float\): no penalty is called 'none'",
        ),
        (
            {"phase": [{"kind": "quantized", "epochs": 1}]},
            r"phase 1 \(quantized\) has no phase before it that could teach it: say teacher",
        ),
        (
            {"phase": [{"kind": "calibrate"}, {"kind": "float", "epochs": 1}]},
            r"phase 2 \(float\) cannot come after a phase of kind 'calibrate'",
        ),
        (
            {"phase": [{"kind": "calibrate", "learn": ["starts"]}]},
            r"phase 1 \(calibrate\): calibration cannot learn 'starts': did you mean 'start'",
        ),
        (
            {"phase": [{"kind": "calibrate", "loss": "l1"}]},
            r"phase 1 \(calibrate\): no loss is called 'l1'",
        ),
        ({"phase": [{"kind": "calibrate", "images": 0}]}, "images must be at least 1, not 0"),
        ({"phase": [{"kind": "calibrate", "lr": 0}]}, "lr must be positive, not 0.0"),
    ],
)
def test_what_is_wrong_is_named(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe_of(small(**parts))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "step"}, "no schedule is called 'step'; there are cosine, constant"),
        ({"keep": "first"}, "keep must be best or last, not 'first'"),
        ({"lr": 0.0}, "lr must be positive and finite, not 0.0"),
        ({"teacher_weight": 2.0}, "teacher_weight must be from 0 to 1, not 2.0"),
        ({"temperature": 0.0}, "temperature must be positive and finite, not 0.0"),
        ({"momentum": 1.0}, "momentum must be from 0 to below 1, not 1.0"),
        ({"warmup": 2.0}, "warmup must be at most the phase's 1 epochs, not 2.0"),
        ({"shift": -1}, "shift must be at least 0, not -1"),
        ({"momentum": 0.0, "nesterov": True}, "nesterov needs a momentum above 0"),
        ({"average": 1.0}, "average must be from 0 to below 1, not 1.0"),
    ],
)
def test_options_of_a_phase(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe_of(small(phase=[{"kind": "float", "epochs": 1, **options}]))


def test_numbers_by_layer_and_whole_numbers_as_rates() -> None:
    recipe = recipe_of(
        small(
            levels={"timesteps": {"fc1": 2, "default": 3}, "learn": "t,alpha"},
            phase=[{"kind": "float", "epochs": 1, "lr": 1}],
        )
    )
    assert recipe.levels.timesteps == {"fc1": 2, "default": 3}
    assert isinstance(recipe, Recipe)
    assert recipe.phase[0].lr == 1.0  # type: ignore[attr-defined]


def test_a_penalty_in_a_phase_that_it_is_not_for_is_refused() -> None:
    phases = [{"kind": "float", "epochs": 1, "penalties": {"clipping": {"weight": 1.0}}}]
    table = {"model": {"name": "m"}, "data": {"name": "digits"}, "phase": phases}
    with pytest.raises(
        ConfigError,
        match=r"phase 1 \(float\): the penalty 'clipping' is for phases of kind quantized or spi",
    ):
        recipe_of(table)
