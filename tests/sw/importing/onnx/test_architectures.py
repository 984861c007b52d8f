"""Whole models, exported by each of torch's exporters, compute as they did."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.models.onnx_files import KEPT, MODELS, exported, file_of, images_for, model_named
from torch import nn

from spikeloom.sw.importing.onnx import from_onnx
from spikeloom.sw.quantized import check

#: Models that have all forms of layers; those of the newer exporter have theirs, too.
CHOSEN = (
    "LeNet-5",
    "all convolutional net",
    "Darknet: leaky ReLUs",
    "ResNet: option A",
    "MobileNet v1",
    "DeepLab: atrous pyramid",
    "causal",
    "pads",
    "inception",
    "maxima",
    "shuffle_by_view",
    "shortcuts",
    "(x - mean) / std inside, by buffers",
)
#: As it is, without folding batch-norm into the weights before it.
AS_IT_IS: dict[str, Any] = {
    "training": torch.onnx.TrainingMode.PRESERVE,
    "do_constant_folding": False,
}
#: Largest error, relative to the largest output, where an exporter has folded batch-norms, each of
#: which rounds its weights once more.
FOLDED = 1e-6


def has_norm(model: nn.Module) -> bool:
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.modules())


@pytest.mark.parametrize("name", CHOSEN)
def test_the_older_exporter_s_files_compute_the_same(name: str) -> None:
    model, images = model_named(name), images_for(name)
    read = from_onnx(exported(model, images, **AS_IT_IS))
    with torch.no_grad():
        assert torch.equal(read(images), model(images))
    assert read.input_shape == MODELS[name][1]


@pytest.mark.parametrize("name", ["MobileNet v1", "(x - mean) / std inside, by buffers"])
def test_a_file_for_one_number_of_images_takes_any(name: str) -> None:
    model, images = model_named(name), images_for(name)
    read = from_onnx(exported(model, images[:1], open_batch=False))
    with torch.no_grad():
        expected = model(images)
        assert (read(images) - expected).abs().max() <= FOLDED * expected.abs().max()


@pytest.mark.parametrize("name", KEPT)
def test_the_newer_exporter_s_files_compute_the_same(name: str) -> None:
    model, images = model_named(name), images_for(name)
    read = from_onnx(file_of(name))
    with torch.no_grad():
        found, expected = read(images), model(images)
    if has_norm(model):
        assert (found - expected).abs().max() <= FOLDED * expected.abs().max()
    else:
        assert torch.equal(found, expected)
    reports = check(read, read.input_shape)
    assert [report for report in reports if not report.supported] == []


def test_layers_have_the_names_that_they_had() -> None:
    names = [name for name, _ in from_onnx(file_of("Darknet: leaky ReLUs")).named_modules()]
    model = model_named("Darknet: leaky ReLUs")
    weighted = [n for n, part in model.named_modules() if isinstance(part, (nn.Conv2d, nn.Linear))]
    # A name of Python's in place of a path: no digit comes first.
    assert [f"part_{name}".replace(".", "_") for name in weighted] == [
        name for name in names if name.startswith("part_")
    ]


def test_reports_have_no_lines_of_generated_code() -> None:
    read = from_onnx(file_of("LeNet-5"))
    assert {report.where for report in check(read, read.input_shape)} == {""}
