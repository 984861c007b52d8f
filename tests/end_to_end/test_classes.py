"""Any number of classes: the same model from the zoo to the link's plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.sw import models
from spikeloom.sw.cli import main
from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.golden import Golden
from spikeloom.sw.quantized import initialise, prepare
from spikeloom.sw.training import Trained, checkpoint

PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8), np.uint8))


def trained(classes: int) -> Trained:
    torch.manual_seed(0)
    model = models.build("digits-mlp", classes)
    # The sign of a single output decides between two classes, if that is said.
    task = "classes" if classes == 1 else None
    prepared = prepare(model, input_shape=(1, 8, 8), timesteps=2, task=task)
    initialise(prepared, PIXELS / 255)
    return Trained.of(
        prepared.eval(), spec="digits-mlp", dataset="x", input_bits=8, input_scale=1 / 255
    )


@pytest.mark.parametrize("classes", [1, 2, 100, 200, 1000])
def test_any_number_of_classes(classes: int, tmp_path: Path) -> None:
    made = trained(classes)
    checkpoint.save(made, tmp_path / "model.safetensors")
    loaded = checkpoint.load(tmp_path / "model.safetensors")
    network = convert(loaded.model, transport="count")
    assert network.classes == classes
    logits = made.prepared.double()(PIXELS.double() / 255)
    assert logits.shape == (6, classes)
    golden = Golden(network).run(PIXELS.numpy())
    assert golden.labels.tolist() == logits.argmax(1).tolist()
    assert torch.equal(golden.logits > 0, logits > 0)
    planned = plan(network, HardwareConfig(budget=16))
    link = LinkPlan.of(planned, 12_000_000, 3_000_000)
    assert (link.classes, planned.layers[-1].target.channels) == (classes, classes)
    # The largest label fits, and one bit less would not be enough.
    assert classes - 1 < 1 << link.label_bits
    assert classes < 3 or classes - 1 >= 1 << (link.label_bits - 1)


@pytest.mark.parametrize("classes", [0, -1, True, "10", 1 << 17])
def test_numbers_of_classes_that_cannot_be(
    classes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trained(2)
    monkeypatch.setattr(checkpoint, "outputs", lambda prepared: classes)
    checkpoint.save(made, tmp_path / "model.safetensors")
    with pytest.raises(FileFormatError, match=r"'classes' must be an integer from 1 to 65,536"):
        checkpoint.load(tmp_path / "model.safetensors")


def test_models_of_the_zoo_have_an_output_for_each_class(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(60) % 12)
    arguments = ["train", "digits-mlp", "--data", str(tmp_path / "mine.npz"), "--epochs", "1"]
    out = tmp_path / "trained.safetensors"
    result = CliRunner().invoke(main, [*arguments, "--tune-epochs", "1", "--out", str(out)])
    assert result.exit_code == 0, result.output
    loaded = checkpoint.load(out)
    assert checkpoint.outputs(loaded.prepared) == 12
    assert convert(loaded.model).classes == 12
