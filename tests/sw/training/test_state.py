"""Where a training stands, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file as read_safetensors

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.training.checkpoint import save_tensors
from spikeloom.sw.training.state import FORMAT, VERSION, State, first_difference

RECIPE: dict[str, Any] = {"seed": 0, "data": {"name": "digits", "root": "a"}, "phase": [{"lr": 1}]}


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    shared = torch.rand(3)
    state = State(
        RECIPE,
        phase=1,
        loop={"done": 2, "rate": 0.1 + 0.2},
        best={"epoch": 1},
        history=[{"epoch": 0}],
        ended=[{"kind": "float"}],
        loop_tensors={"model.a": shared, "random.cpu": torch.get_rng_state()},
        best_tensors={"a": shared},
    )
    state.save(tmp_path / "s")
    moved = {**RECIPE, "about": "said better", "data": {"name": "digits", "root": "b"}}
    loaded = State.load(tmp_path / "s", moved)
    tensors = {"loop_tensors": 0, "best_tensors": 0}
    assert vars(loaded) | tensors == vars(state) | {"recipe": moved} | tensors
    for name in tensors:
        read, written = getattr(loaded, name), getattr(state, name)
        assert read.keys() == written.keys()
        assert all(torch.equal(read[key], value) for key, value in written.items())
    names = read_safetensors(tmp_path / "s").keys()
    assert names == {"loop.model.a", "loop.random.cpu", "best.a"}


def test_another_recipes_state_is_refused(tmp_path: Path) -> None:
    State(RECIPE, loop={"done": 1}).save(tmp_path / "s")
    with pytest.raises(ConfigError, match=r"another recipe, where phase\.1\.lr is 1 and not 2"):
        State.load(tmp_path / "s", {**RECIPE, "phase": [{"lr": 2}]})
    with pytest.raises(ConfigError, match=r"where phase is \[.*\] and not \[\]"):
        State.load(tmp_path / "s", {**RECIPE, "phase": []})


@pytest.mark.parametrize(("phase", "loop"), [(1, None), (0, {"done": 1})])
def test_phases_that_have_not_begun_may_change(
    tmp_path: Path, phase: int, loop: dict[str, Any] | None
) -> None:
    two = {**RECIPE, "phase": [{"lr": 1}, {"lr": 2}]}
    State(two, phase=phase, loop=loop).save(tmp_path / "s")
    for later in ([], [{"lr": 3}], [{"lr": 3}, {"lr": 4}]):
        recipe = {**RECIPE, "phase": [{"lr": 1}, *later]}
        loaded = State.load(tmp_path / "s", recipe)
        assert (loaded.recipe, loaded.phase) == (recipe, phase)
    with pytest.raises(ConfigError, match=r"where phase\.1\.lr is 1 and not 5"):
        State.load(tmp_path / "s", {**RECIPE, "phase": [{"lr": 5}, {"lr": 2}]})


def test_files_that_are_no_states(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with pytest.raises(FileFormatError, match=r"training state .* does not exist"):
        State.load(path, RECIPE)
    save_tensors({}, path, {"format": "other"})
    with pytest.raises(FileFormatError, match="is no state of a training: its format is 'other'"):
        State.load(path, RECIPE)
    whole = {"recipe": RECIPE, "phase": 0, "loop": None, "best": None, "history": [], "ended": []}
    whole |= {"format": FORMAT, "version": VERSION}
    save_tensors({}, path, whole)
    assert State.load(path, RECIPE).phase == 0
    damaged: list[tuple[str, Any]] = [("recipe", {}), ("recipe", None), ("phase", "1")]
    damaged += [("history", {}), ("weights", {"model": None}), ("weights", {"model": 1})]
    damaged += [("weights", {"a\n": "0" * 64}), ("weights", {"model": "0" * 63})]
    for name, value in damaged:
        save_tensors({}, path, whole | {name: value})
        with pytest.raises(FileFormatError, match="is a damaged state of a training"):
            State.load(path, RECIPE)
    for name in whole.keys() - {"format", "version"}:
        save_tensors({}, path, {key: value for key, value in whole.items() if key != name})
        with pytest.raises(FileFormatError, match="is a damaged state of a training"):
            State.load(path, RECIPE)
    State(RECIPE).save(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(FileFormatError, match="s "):
        State.load(path, RECIPE)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=2), x, max_size=3),
    max_leaves=6,
)


@given(_JSON, _JSON)
def test_a_difference_is_found_where_there_is_one(first: Any, second: Any) -> None:
    assert first_difference(first, first) is None
    found = first_difference(first, second)
    if first == second:
        assert found is None
    # A key that is missing reads as None, so that None there makes no difference.
    elif found is not None:
        assert found[1] != found[2]
