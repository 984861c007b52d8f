"""Trainings that begin with weights from a file, or have a teacher of their own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from support.models import small
from torch import nn

from spikeloom.sw import models
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.training import evaluate
from spikeloom.sw.training.given import Teacher
from spikeloom.sw.training.loop import Loop
from spikeloom.sw.training.options import FitOptions
from spikeloom.sw.training.recipe import Recipe, recipe_of
from spikeloom.sw.training.run import run
from spikeloom.sw.training.settings import TeacherPart
from spikeloom.sw.training.state import State

QUANTIZED = [{"kind": "quantized", "epochs": 2, "lr": 1e-3}]


def saved(path: Path, seed: int) -> str:
    """Write weights of digits-mlp, and return the file's digest."""
    torch.manual_seed(seed)
    safetensors.torch.save_file(models.build("digits-mlp").state_dict(), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def recipe(path: str = "", **parts: Any) -> Recipe:
    table = {
        "model": {"name": "digits-mlp", "weights": path},
        "data": {"name": "digits", "limit": 200},
        "engine": {"accelerator": "cpu", "threads": 1},
        "phase": QUANTIZED,
    }
    return recipe_of(table | parts)


def quiet(text: object) -> None:
    del text


def test_a_training_begins_with_weights_and_goes_on_with_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = saved(tmp_path / "float.safetensors", 3)
    chosen = recipe("float.safetensors")
    whole = run(chosen, tmp_path / "whole", beside=tmp_path, say=quiet)
    assert whole is not None
    assert whole.weights == {"model": digest}
    assert json.loads((tmp_path / "whole" / "result.json").read_text())["weights"] == whole.weights
    # There is no float phase: the float model is the one of the file.
    torch.manual_seed(3)
    began = models.build("digits-mlp").eval()
    assert whole.float_accuracy == evaluate(began, small.digits("test"))
    real, epochs = Loop.epoch, 0

    def broken(self: Loop) -> Any:
        nonlocal epochs
        epochs += 1
        if epochs == 2:
            raise KeyboardInterrupt
        return real(self)

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "epoch", broken)
        with pytest.raises(KeyboardInterrupt):
            run(chosen, tmp_path / "broken", beside=tmp_path, say=quiet)
    moved = tmp_path / "moved"
    moved.mkdir()
    other = saved(moved / "other.safetensors", 4)
    with pytest.raises(
        ConfigError, match=rf"another file of weights for \[model\], .* {digest:.16} .*{other:.16}"
    ):
        run(recipe("other.safetensors"), tmp_path / "broken", beside=moved, say=quiet)
    # The same content may have another name and place by then, and be found by --data-root.
    saved(moved / "renamed.safetensors", 3)
    resumed = run(recipe("renamed.safetensors"), tmp_path / "broken", data_root=moved, say=quiet)
    assert resumed is not None
    assert resumed.network == whole.network


def test_a_state_without_weights_is_not_gone_on_with_from_weights(tmp_path: Path) -> None:
    table = {"data": {}, "model": {"weights": None}}
    State(table).save(tmp_path / "s")
    with pytest.raises(ConfigError, match=r"for \[model\], of the SHA-256 none and not abc: name"):
        State.load(tmp_path / "s", table, {"model": "abc"})
    assert State.load(tmp_path / "s", {"data": {}, "model": {"name": None}}).weights is None


def test_a_recipe_has_a_teacher_of_its_own(tmp_path: Path) -> None:
    saved(tmp_path / "pupil.safetensors", 3)
    digest = saved(tmp_path / "teacher.safetensors", 4)
    shared = {"phase": [{**QUANTIZED[0], "teacher_weight": 1.0, "temperature": 3.0}]}
    table = {"model": "digits-mlp", "weights": "teacher.safetensors"}
    taught = recipe("pupil.safetensors", teacher=table, **shared)
    result = run(taught, tmp_path / "out", beside=tmp_path, say=quiet)
    assert result is not None
    assert result.weights["teacher"] == digest
    # With the teacher's outputs as the only targets, the loss is that of a loop by hand.
    lines = (tmp_path / "out" / "log.jsonl").read_text().splitlines()
    loss = [json.loads(line)["loss"] for line in lines]
    alone = run(recipe("pupil.safetensors", **shared), tmp_path / "own", beside=tmp_path, say=quiet)
    assert alone is not None
    assert alone.network != result.network
    assert loss[1] < loss[0]


def test_a_teacher_sees_images_with_its_own_normalisation_and_the_same_changes() -> None:
    """A first layer that undoes a normalisation makes the teacher the same function of pixels."""
    data = small.digits("train").head(128)
    mean, std = 0.3, 0.25
    torch.manual_seed(1)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    with torch.no_grad():
        weight, bias = plain[1].parameters()
        for parameter, value in zip(
            other[1].parameters(), (weight * std, bias + weight.sum(1) * mean), strict=True
        ):
            parameter.copy_(value)
    options = FitOptions(epochs=1, teacher_weight=1.0, shift=2, flip=True, cutout=3, batch_size=32)
    found = []
    for teacher in (
        Teacher(plain.float(), data),
        Teacher(other.float(), data.described(None, (mean,), (std,))),
        plain.float(),
    ):
        torch.manual_seed(2)
        pupil = models.build("digits-mlp")
        found.append(Loop(pupil, data, options, teacher=teacher).epoch().loss)
    assert found[0] == found[2]
    assert found[1] == pytest.approx(found[0], rel=1e-5)
    torch.manual_seed(2)
    wrong = Loop(models.build("digits-mlp"), data, options, teacher=other).epoch().loss
    assert abs(wrong - found[0]) > 1e-3 * found[0]


@pytest.mark.parametrize(
    ("precision", "expected"), [(None, False), ("32-true", False), ("bf16-mixed", True)]
)
def test_a_teacher_computes_at_its_own_precision(precision: str | None, expected: bool) -> None:
    """The pupil's stays that of the engine."""
    data = small.digits("train").head(64)
    seen: dict[str, tuple[bool, torch.dtype]] = {}

    def watched(name: str) -> nn.Module:
        model = models.build("digits-mlp")
        model.register_forward_hook(
            lambda _, __, out: (
                seen.setdefault(name, (torch.is_autocast_enabled("cpu"), out.dtype)) and None
            )
        )
        return model

    options = FitOptions(epochs=1, batch_size=32)
    loop = Loop(
        watched("pupil"), data, options, teacher=Teacher(watched("teacher"), data, precision)
    )
    loop.epoch()
    assert seen["pupil"] == (False, torch.float32)
    assert seen["teacher"] == (expected, torch.bfloat16 if expected else torch.float32)


def test_a_precision_that_there_is_not() -> None:
    with pytest.raises(ConfigError) as caught:
        TeacherPart(model="mine.py:net", precision="8-bit")
    assert str(caught.value) == (
        "the teacher's precision must be 32-true or bf16-mixed or 16-mixed, not '8-bit'"
    )


def test_the_bits_and_normalisation_of_a_teacher(tmp_path: Path) -> None:
    saved(tmp_path / "w.safetensors", 3)
    from spikeloom.sw.training import run as module

    seen = {}
    part = {"model": "digits-mlp", "weights": "w.safetensors"}
    real = module._carry_out

    def look(recipe: Recipe, trainer: Any, *rest: Any) -> Any:
        seen["teacher"], seen["pupil"] = trainer.teacher.data, trainer.training
        return real(recipe, trainer, *rest)

    data = {"name": "digits", "limit": 200, "bits": 3, "mean": [0.5], "std": [0.5]}
    phase = [{**QUANTIZED[0], "epochs": 1}]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_carry_out", look)
        own = {**part, "bits": 5, "mean": [0.25], "std": [1.0]}
        # 16 stands for 1 in the 5 bits of the digits; the largest of 3 bits, 7, is their 31.
        for number, (teacher, bits, offset) in enumerate([(part, 3, 8 * 7 / 31), (own, 5, 4)]):
            chosen = recipe("w.safetensors", teacher=teacher, data=data, phase=phase)
            run(chosen, tmp_path / str(number), beside=tmp_path, say=quiet)
            format_ = seen["teacher"].format
            assert format_.bits == bits
            assert format_.offsets[0] == pytest.approx(offset)
            assert seen["pupil"].format.bits == 3
            assert (seen["teacher"].labels == seen["pupil"].labels).all()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "phase 1 .quantized. has no phase before it .* or name weights that the model begins"),
        ({"teacher": {"model": "digits-mlp"}}, "fresh digits-mlp has nothing to teach: name the"),
        (
            {
                "teacher": {"model": "f.py:Net"},
                "phase": [{"kind": "quantized", "epochs": 1, "teacher": False}],
            },
            r"has a \[teacher\] that teaches in no phase: say teacher = true there",
        ),
        ({"teacher": {"modle": "x"}}, "teacher has no key 'modle': did you mean 'model'"),
        ({"teacher": {"weights": "x"}}, "teacher must say 'model'"),
    ],
)
def test_teachers_that_make_no_sense(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe(**parts)


def test_teachers_for_other_images_or_classes(tmp_path: Path) -> None:
    saved(tmp_path / "w.safetensors", 3)
    (tmp_path / "m.py").write_text(
        "from torch import nn\n"
        "def few(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))\n"
        "def small(): return nn.Sequential(nn.Flatten(), nn.Linear(49, 10))\n"
    )
    for name, message in (
        ("few", "teacher m.py:few has 7 outputs, and the model 10: choose a teacher for the same"),
        ("small", r"m\.py:small does not take images of the shape \(1, 8, 8\): choose a teacher"),
    ):
        chosen = recipe("w.safetensors", teacher={"model": f"m.py:{name}"})
        with pytest.raises(DataError, match=message):
            run(chosen, tmp_path / "out", beside=tmp_path, say=quiet)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match=r"weights no\.pth does not exist"):
        run(recipe("no.pth"), tmp_path / "out", say=quiet)


def test_plain_recipes_are_written_as_before() -> None:
    phase = [{"kind": "float", "epochs": 1}]
    table = recipe_of({"model": {"name": "m"}, "data": {"name": "digits"}, "phase": phase})
    assert "weights" not in table.to_toml()
    assert "teacher]" not in table.to_toml()
    assert replace(table, seed=1).plain()["model"] == {"name": "m", "weights": None}
