"""ONNX files of models, as torch's two exporters write them.

The older exporter needs the package ``onnx`` alone, and tests call it. The newer one,
``dynamo=True``, needs ``onnxscript`` and takes seconds for each model, so that its files are kept
in `FOLDER`. To write them anew, install ``onnxscript``, and from the repository's root run

    PYTHONPATH=tests python -m support.models.onnx_files
"""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from support.models import inputs, published, written

#: Files by the newer exporter.
FOLDER = Path(__file__).parents[2] / "sw/importing/onnx/files"
#: Builders and shapes of images, by name.
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    **published.MODELS,
    **written.MODELS,
    **{name: (build, shape) for name, (build, shape, _) in inputs.MODELS.items()},
}
#: Models whose files by the newer exporter are kept.
KEPT = (
    "MLP with batch-norm",
    "LeNet-5",
    "AlexNet",
    "network in network",
    "Darknet: leaky ReLUs",
    "ResNet: option A",
    "ResNet: pre-activation",
    "MobileNet v2",
    "SqueezeNet",
    "shuffle_by_view",
    "signals",
    "inception",
    "(x - mean) / std inside, by buffers",
)


def model_named(name: str) -> nn.Module:
    """Return a model in eval mode, whose numbers follow from its name, whatever torch draws."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    model = MODELS[name][0]().eval()
    with torch.no_grad():
        for path, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if path.endswith("running_var") or (tensor.ndim == 1 and path.endswith("weight")):
                tensor.copy_(torch.from_numpy(rng.uniform(0.5, 2.0, tensor.shape)))
            elif tensor.is_floating_point() and not path.endswith(("mean", "std")):
                spread = 1 / np.sqrt(max(1, tensor[0].numel())) if tensor.ndim else 1.0
                tensor.copy_(torch.from_numpy(rng.normal(0, spread, tensor.shape)))
    return model


def images_for(name: str, number: int = 5) -> Tensor:
    """Return images of random pixels for a model."""
    rng = np.random.default_rng(1)
    return torch.from_numpy(rng.random((number, *MODELS[name][1]), dtype=np.float32))


def file_of(name: str) -> Path:
    """Return the path of a model's file by the newer exporter."""
    return FOLDER / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.onnx"


def exported(model: nn.Module, images: Tensor, *, open_batch: bool = True, **options: Any) -> bytes:
    """Return an ONNX file by the older exporter."""
    file: Any = io.BytesIO()  # which the older exporter takes, whatever its annotation says
    axes = {"x": {0: "batch"}} if open_batch else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces its end
        torch.onnx.export(
            model, (images,), file, dynamo=False, input_names=["x"], dynamic_axes=axes, **options
        )
    return bytes(file.getvalue())


def _exported_by_dynamo(model: nn.Module, images: Tensor) -> bytes:
    """Return an ONNX file by the newer exporter, without the places in files that it notes."""
    batch = torch.export.Dim("batch")
    program = torch.onnx.export(
        model, (images,), dynamo=True, verbose=False, dynamic_shapes=({0: batch},)
    )
    assert program is not None
    proto = program.model_proto
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for part in (proto, proto.graph, *proto.graph.value_info, *proto.graph.input):
        del part.metadata_props[:]
        part.doc_string = ""
    return bytes(proto.SerializeToString())


def main() -> None:
    """Write the files of `KEPT`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        file_of(name).write_bytes(_exported_by_dynamo(model_named(name), images_for(name)))


if __name__ == "__main__":
    main()
