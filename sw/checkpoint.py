"""Trained models as ``.safetensors`` files: tensors and JSON metadata, and never a pickle.

A file does not hold the model's code, but where it is: a name of the zoo, or ``file.py:Net``.
Loading a model of the user's own runs that file of theirs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.files import read_bytes, replacing, require_version
from spikeloom.sw.models.spec import build_model, load_model_class
from spikeloom.sw.network.file import METADATA_KEY, read_metadata
from spikeloom.sw.prepare import META, activation_of, layers_of, prepare
from spikeloom.sw.trained import Trained

__all__ = ["FORMAT", "VERSION", "build_model", "load", "load_model_class", "save"]

FORMAT = "spikeloom-model"
#: Newest version that this code reads, and the one that it writes.
VERSION = 1

_FIELDS: dict[str, type | tuple[type, ...]] = {
    "model": str,
    "dataset": str,
    "input": dict,
    "timesteps": dict,
    "weight_bits": dict,
    "accuracy": dict,
}


def save(trained: Trained, path: str | Path) -> None:
    """Write a trained model to ``path``, whole or not at all.

    Raises
    ------
    ConfigError
        If the model does not say where its code is (``trained.spec``).
    FileFormatError
        If the folder cannot be written to.
    """
    if not trained.spec:
        raise ConfigError(
            "a checkpoint must say which model it is of: give train(..., spec='file.py:Net')"
        )
    model = trained.model
    layers = layers_of(model).layers
    meta = model.meta[META]
    header = {
        "format": FORMAT,
        "version": VERSION,
        "model": trained.spec,
        "dataset": trained.dataset,
        "input": {
            "shape": list(meta["input_shape"]),
            "bits": meta.get("input_bits"),
            "scale": meta.get("input_scale"),
        },
        "timesteps": {
            layer.name: activation_of(model, layer).levels for layer in layers if layer.activation
        },
        "weight_bits": {
            layer.name: model.get_submodule(str(layer.synapses[0].target)).bits for layer in layers
        },
        "accuracy": {"float": trained.float_accuracy, "quantized": trained.quantized_accuracy},
    }
    tensors = {key: value.cpu().contiguous() for key, value in model.state_dict().items()}
    metadata = {METADATA_KEY: json.dumps(header, sort_keys=True)}
    content = safetensors.torch.save(tensors, metadata=metadata)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def load(path: str | Path, model: nn.Module | None = None) -> Trained:
    """Read a trained model.

    Parameters
    ----------
    path : path
    model : nn.Module, optional
        The model before preparation, if it cannot be found by its name in the file; its weights
        do not matter. Left as it is.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, no trained model, of a newer version, or its tensors do
        not fit the model.
    ConfigError, UnsupportedError
        If the model cannot be built; see :func:`~spikeloom.sw.models.spec.build_model`.
    """
    content = read_bytes(path, "model file")
    header = read_metadata(content, path, METADATA_KEY)
    _require_header(header, path)
    if model is None:
        model = build_model(header["model"], Path(path).resolve().parent)
    described = header["input"]
    try:
        prepared = prepare(
            model,
            input_shape=tuple(described["shape"]),
            timesteps=header["timesteps"],
            weight_bits=header["weight_bits"],
        )
        prepared.load_state_dict(safetensors.torch.load(content))
    except (RuntimeError, ConfigError, KeyError, TypeError) as error:
        raise FileFormatError(
            f"{path} does not fit the model {header['model']!r}, which may have changed since it "
            f"was trained: {error}"
        ) from None
    prepared.eval()
    accuracy = header["accuracy"]
    return Trained.of(
        prepared,
        spec=header["model"],
        dataset=header["dataset"],
        input_bits=described.get("bits"),
        input_scale=described.get("scale"),
        float_accuracy=accuracy.get("float"),
        quantized_accuracy=accuracy.get("quantized"),
    )


def _require_header(header: dict[str, Any], path: str | Path) -> None:
    require_version(header, path, "trained model", FORMAT, VERSION)
    for name, kind in _FIELDS.items():
        if not isinstance(header.get(name), kind):
            raise FileFormatError(
                f"{path} has damaged metadata: {name!r} is {header.get(name)!r}: write it again"
            )
