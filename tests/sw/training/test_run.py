"""Training by a recipe: its files, the best epoch, kills, devices, and every kind of phase."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from support.models import small

from spikeloom.sw import network as contract
from spikeloom.sw.cli import main
from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import ConfigError, FileFormatError, UnsupportedError
from spikeloom.sw.golden import Golden
from spikeloom.sw.locks import locked
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.spiking import SpikingNetwork, SpikingNeuron
from spikeloom.sw.training import checkpoint, evaluate, train
from spikeloom.sw.training.loop import Loop
from spikeloom.sw.training.recipe import Recipe, recipe_of
from spikeloom.sw.training.run import run

TWO = [{"kind": "float", "epochs": 3}, {"kind": "quantized", "epochs": 3}]
FILES = ("trained.safetensors", "network.safetensors", "phase-1-float.safetensors")


def recipe(model: str = "digits-mlp", **parts: Any) -> Recipe:
    table = {
        "model": {"name": model},
        "data": {"name": "digits", "limit": 800},
        "engine": {"accelerator": "cpu", "threads": 1},
        "phase": TWO,
    }
    return recipe_of(table | parts)


def quiet(text: object) -> None:
    del text


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    run(recipe(), folder, say=quiet)
    return folder


def test_a_folder_holds_all_that_came_of_it(unbroken: Path) -> None:
    trained = checkpoint.load(unbroken / "trained.safetensors")
    network = contract.load(unbroken / "network.safetensors")
    result = json.loads((unbroken / "result.json").read_text())
    test = small.digits("test")
    assert result["images"] == len(test) == 360
    assert result["quantized_accuracy"] == evaluate(trained.model, test) > 0.4
    labels = Golden(network).run(test.images).labels
    assert result["integer_accuracy"] == int((labels == test.targets()).sum()) / 360
    assert result["differing_labels"] == 0
    assert result["spiking_accuracy"] is None
    assert result["network"] == network.digest == convert(trained.model, name="digits-mlp").digest
    assert result["timesteps"] == {"fc1": 4, "fc2": 4}
    assert result["weight_bits"] == {"fc1": 8, "fc2": 8, "fc3": 8}
    assert trained.start is not None
    assert trained.start.keys() == {"fc1", "fc2"}
    assert list((unbroken / "tensorboard").glob("events.*"))


def test_the_log_has_a_line_per_epoch(unbroken: Path) -> None:
    lines = records(unbroken)
    assert [(line["phase"], line["kind"], line["epoch"]) for line in lines] == [
        *((1, "float", epoch) for epoch in range(3)),
        *((2, "quantized", epoch) for epoch in range(3)),
    ]
    assert lines[2]["loss"] < lines[0]["loss"]
    assert "health" not in lines[0]
    assert [layer["name"] for layer in lines[3]["health"]] == ["fc1", "fc2"]
    assert lines[3]["timesteps"] == {"fc1": 4, "fc2": 4}


def test_the_best_epoch_is_the_last_of_those_with_the_best_validation(unbroken: Path) -> None:
    result = json.loads((unbroken / "result.json").read_text())
    for number, phase in enumerate(result["phases"], start=1):
        rights = [r["validation_accuracy"] for r in records(unbroken) if r["phase"] == number]
        last_of_best = max(range(len(rights)), key=lambda epoch: (rights[epoch], epoch))
        assert phase["best"]["epoch"] == last_of_best


def test_two_trainings_in_one_folder(tmp_path: Path) -> None:
    refused = f"another training is at work in {tmp_path}: take another folder, or wait"
    with (
        locked(tmp_path, "training"),
        pytest.raises(FileFormatError, match=f"^{refused}$"),
    ):
        run(recipe(), tmp_path, say=quiet)
    assert not any(tmp_path.iterdir())


def test_without_validation_it_is_what_train_does(tmp_path: Path) -> None:
    chosen = recipe(data={"name": "digits", "limit": 800, "validation": 0.0})
    run(chosen, tmp_path, say=quiet)
    torch.manual_seed(0)
    examples = small.digits("train").head(800)
    alike = train(
        checkpoint.build_model("digits-mlp"),
        examples,
        epochs=3,
        tune_epochs=3,
        lr=5e-3,
        tune_lr=5e-3,
    )
    made = checkpoint.load(tmp_path / "trained.safetensors").model.state_dict()
    expected = alike.model.state_dict()
    assert made.keys() == expected.keys()
    assert all(torch.equal(made[key], expected[key]) for key in made)


KILLED = """
import os, signal, sys
from pathlib import Path
from spikeloom.sw.training.loop import Loop
from spikeloom.sw.training.recipe import load
from spikeloom.sw.training.run import run

steps, real = 0, Loop._step
def step(self, *args):
    global steps
    steps += 1
    if steps == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, *args)
Loop._step = step
run(load(sys.argv[1]), sys.argv[2])
"""


def test_a_killed_training_goes_on_and_ends_the_same(
    tmp_path: Path, unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, folder = tmp_path / "recipe.toml", tmp_path / "out"
    file.write_text(recipe().to_toml())
    batches = 720 // 64
    # In the middle of the last epoch of the first phase.
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(file), str(folder), str(2 * batches + 2)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert len(records(folder)) == 2
    assert not (folder / "result.json").exists()

    real, steps = Loop._step, [0]

    def interrupted(self: Loop, *args: Any) -> Any:
        steps[0] += 1
        if steps[0] == batches + batches + 1:
            raise KeyboardInterrupt
        return real(self, *args)

    said: list[str] = []
    monkeypatch.setattr(Loop, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(recipe(), folder, say=lambda text: said.append(str(text)))
    # One epoch was left of the first phase, one of the second is done.
    assert said[0] == f"going on in {folder} after 2 epochs"
    assert len(records(folder)) == 4
    monkeypatch.undo()
    run(recipe(), folder, say=quiet)
    for name in FILES:
        assert (folder / name).read_bytes() == (unbroken / name).read_bytes(), name
    assert json.loads((folder / "result.json").read_text()) == json.loads(
        (unbroken / "result.json").read_text()
    )
    # The monitor looks at neurons by chance, and begins anew; it changes nothing.
    varying = {"seconds": 0, "health": []}
    for ours, theirs in zip(records(folder), records(unbroken), strict=True):
        assert ours | varying == theirs | varying


def test_a_finished_training_is_only_measured_again(
    unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: (unbroken / name).read_bytes() for name in FILES}
    monkeypatch.setattr(Loop, "epoch", None)
    run(recipe(), unbroken, say=quiet)
    assert before == {name: (unbroken / name).read_bytes() for name in FILES}


def test_a_finished_training_goes_on_with_more_phases(unbroken: Path, tmp_path: Path) -> None:
    more = recipe(phase=[*TWO, {"kind": "quantized", "epochs": 1, "weight_bits": 3}])
    folder, whole = tmp_path / "training", tmp_path / "whole"
    shutil.copytree(unbroken, folder)
    said: list[str] = []
    result = run(more, folder, say=lambda text: said.append(str(text)))
    assert said[0] == f"going on in {folder} after {len(records(unbroken))} epochs"
    assert result is not None
    assert set(result.weight_bits.values()) == {3}
    assert result.differing_labels == 0
    run(more, whole, say=quiet)
    for name in FILES:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_folder_of_another_recipe_is_left_alone(unbroken: Path) -> None:
    other = dataclasses.replace(recipe(), seed=5)
    with pytest.raises(ConfigError, match="another recipe, where seed is 0 and not 5: name anoth"):
        run(other, unbroken, say=quiet)
    other = recipe(phase=[TWO[0], {**TWO[1], "lr": 0.1}])
    with pytest.raises(ConfigError, match=r"where phase\.2\.lr is 0\.005 and not 0\.1"):
        run(other, unbroken, say=quiet)


def test_all_of_it_at_mixed_precision(tmp_path: Path) -> None:
    result = run(
        recipe(
            "digits-conv",
            engine={
                "accelerator": "cpu",
                "threads": 1,
                "precision": "bf16-mixed",
                "channels_last": True,
            },
            phase=[
                {"kind": "float", "epochs": 3, "flip": True, "cutout": 2, "average": 0.9},
                {"kind": "quantized", "epochs": 2, "clip_gradient": 1.0, "warmup": 0.5},
            ],
        ),
        tmp_path,
        say=quiet,
    )
    assert result is not None
    assert result.quantized_accuracy > 0.5
    assert result.differing_labels == 0


def test_training_through_time_and_calibration(tmp_path: Path) -> None:
    chosen = recipe(
        conversion={"transport": "spikes", "neuron": "if"},
        phase=[
            *TWO,
            {"kind": "spiking", "epochs": 2, "shift": 0},
            {"kind": "calibrate", "epochs": 1, "images": 64},
        ],
    )
    result = run(chosen, tmp_path, say=quiet)
    assert result is not None
    assert result.spiking_accuracy is not None
    assert result.spiking_accuracy > 0.4
    assert result.differing_spiking_labels == 0
    assert result.neurons == {"fc1": "if", "fc2": "if"}
    loaded = checkpoint.load(tmp_path / "trained.safetensors")
    assert isinstance(loaded.model, SpikingNetwork)
    neurons: list[Any] = [n for n in loaded.model.neurons.values() if isinstance(n, SpikingNeuron)]
    assert any((n.start_share != 0.5).any() and n.threshold_gain.any() for n in neurons)
    out = tmp_path / "converted.safetensors"
    made = CliRunner().invoke(
        main, ["convert", str(tmp_path / "trained.safetensors"), "--out", str(out)]
    )
    assert made.exit_code == 0, made.output
    assert contract.load(out).digest == result.network
    assert [line["kind"] for line in records(tmp_path)][-3:] == ["spiking"] * 2 + ["calibrate"]
    again = run(chosen, tmp_path, say=quiet)
    assert again == result


def test_learned_timesteps_are_steered_and_settled(tmp_path: Path) -> None:
    result = run(
        recipe(
            levels={"timesteps": 8, "learn": "t,alpha"},
            initialise={"method": "mse", "staged": 1},
            phase=[
                {"kind": "float", "epochs": 1},
                {
                    "kind": "quantized",
                    "epochs": 6,
                    "timestep_lr_factor": 30.0,
                    "average_timesteps": 4.0,
                    "penalties": {"timesteps": {"target": 4.0}},
                },
                {"kind": "quantized", "epochs": 1, "settle": True},
            ],
        ),
        tmp_path,
        say=quiet,
    )
    assert result is not None
    assert result.average_timesteps <= 4
    assert result.differing_labels == 0
    steps = [line["average_timesteps"] for line in records(tmp_path)[1:]]
    assert steps[0] > 4
    assert records(tmp_path)[1]["penalties"]["average_timesteps"] == pytest.approx(steps[0])
    assert result.phases[1]["best"]["allowed"]


def test_cycles_are_steered_by_the_callers_measure(tmp_path: Path) -> None:
    shapes: list[tuple[int, ...]] = []

    def cycles(network: contract.Network, pixels: IntArray) -> float:
        shapes.append(pixels.shape)
        return 100.0 * sum(layer.timesteps for layer in network.layers if layer.neuron.fires)

    def chosen(measure: str) -> Recipe:
        penalty = {"target": 400.0, "measure": measure}
        return recipe(
            levels={"timesteps": 8, "learn": "t,alpha"},
            phase=[
                {"kind": "float", "epochs": 1},
                {"kind": "quantized", "epochs": 1, "penalties": {"cycles": penalty}},
            ],
        )

    run(chosen("hundreds"), tmp_path / "a", cycles={"hundreds": cycles}, say=quiet)
    assert set(shapes) == {(16, 1, 8, 8)}
    assert records(tmp_path / "a")[1]["penalties"]["cycles"] == pytest.approx(1600)
    with pytest.raises(ConfigError, match="measure must be hundreds, not 'mean'"):
        run(chosen("mean"), tmp_path / "b", cycles={"hundreds": cycles}, say=quiet)
    with pytest.raises(ConfigError, match="the penalty 'cycles' needs a prediction of cycles"):
        run(chosen("hundreds"), tmp_path / "b", say=quiet)
    assert not (tmp_path / "b").exists()


def test_patience_ends_a_phase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.5, 0.7, 0.6, 0.6, 0.9])
    monkeypatch.setattr("spikeloom.sw.training.trainer.measure", lambda *args: (1.0, next(shares)))
    result = run(recipe(phase=[{"kind": "float", "epochs": 9, "patience": 2}]), tmp_path, say=quiet)
    assert result is not None
    assert result.phases == [
        {"kind": "float", "epochs": 4, "best": {"epoch": 1, "allowed": True, "score": 0.7}}
    ]


def test_what_cannot_work_is_said_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Loop, "epoch", None)
    with pytest.raises(ConfigError, match="'timesteps' steers timesteps that are learned"):
        run(
            recipe(phase=[TWO[0], {**TWO[1], "penalties": {"timesteps": {"target": 3}}}]),
            tmp_path / "a",
            say=quiet,
        )
    with pytest.raises((ConfigError, UnsupportedError), match="ladder"):
        run(
            recipe(conversion={"transport": "spikes", "neuron": "ladder"}),
            tmp_path / "b",
            say=quiet,
        )
    with pytest.raises(ConfigError, match="fc9"):
        run(recipe(levels={"timesteps": {"fc9": 1}}), tmp_path / "c", say=quiet)
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    phase = {"kind": "float", "epochs": 2, "optimizer": "sgd", "lr": 1e30}
    with pytest.raises(ConfigError, match="training has diverged; take a smaller lr than 1e"):
        run(recipe(phase=[phase]), tmp_path, say=quiet)


TWO_PROCESSES = """
import sys
from spikeloom.sw.training.recipe import load
from spikeloom.sw.training.run import run

result = run(load(sys.argv[1]), sys.argv[2], say=lambda text: None)
print("result" if result else "helper")
"""


def test_two_processes_share_the_batches(tmp_path: Path) -> None:
    file, script, folder = tmp_path / "recipe.toml", tmp_path / "run.py", tmp_path / "out"
    chosen = recipe(
        "digits-conv",
        engine={"accelerator": "cpu", "devices": 2, "threads": 1},
        phase=[{"kind": "float", "epochs": 2}, {"kind": "quantized", "epochs": 1}],
    )
    file.write_text(chosen.to_toml())
    script.write_text(TWO_PROCESSES)
    done = subprocess.run(
        [sys.executable, str(script), str(file), str(folder)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["helper", "result"]
    lines = records(folder)
    assert len(lines) == 3
    assert lines[1]["loss"] < lines[0]["loss"]
    # Shares of all images that were seen, by both processes together.
    seen = 720 // 64 * 64
    assert all((line["accuracy"] * seen) % 1 == pytest.approx(0, abs=1e-6) for line in lines)
    assert json.loads((folder / "result.json").read_text())["differing_labels"] == 0
