"""Checkpoints: trained models as ``.safetensors`` files of tensors and JSON, never a pickle.

A checkpoint does not hold the model's code but its location: a name of the zoo, or ``file.py:Net``.
Loading a model of your own therefore runs your file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor, fx, nn

from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError, FileFormatError, UnsupportedError
from spikeloom.sw.files import read_bytes, replacing, require_version
from spikeloom.sw.graph import Affine
from spikeloom.sw.models.registry import MODELS
from spikeloom.sw.models.spec import build_model, load_model_class
from spikeloom.sw.network.file import METADATA_KEY, read_metadata
from spikeloom.sw.quantized import activations_of, prepare, settle
from spikeloom.sw.quantized.input_grid import input_grid_of
from spikeloom.sw.quantized.prepare import DEFAULT_WEIGHT_BITS
from spikeloom.sw.quantized.prepared import META, layers_of, task_of
from spikeloom.sw.quantized.weights import weights_of
from spikeloom.sw.sealed import sealed
from spikeloom.sw.spiking import SpikingNetwork, spiking
from spikeloom.sw.training.trained import Trained

__all__ = [
    "FORMAT",
    "VERSION",
    "build_model",
    "load",
    "load_model_class",
    "save",
    "save_tensors",
    "timesteps",
    "weight_bits",
]

FORMAT = "spikeloom-model"
#: Newest version that this code reads, and the one that it writes.
VERSION = 2
#: Outputs of a model of the zoo, at most: it is built before its tensors are read.
_CLASSES = 1 << 16

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
        If the location of the model's code (``trained.spec``) is not known.
    FileFormatError
        If the folder cannot be written to.
    """
    if not trained.spec:
        raise ConfigError(
            "a checkpoint must say which model it is of: give train(..., spec='file.py:Net')"
        )
    model = trained.model
    if isinstance(model, fx.GraphModule):
        model = settle(model)  # timesteps that are being learned are fixed in a file
    prepared = model.prepared if isinstance(model, SpikingNetwork) else model
    meta = prepared.meta[META]
    header = {
        "format": FORMAT,
        "version": VERSION,
        "model": trained.spec,
        "dataset": trained.dataset,
        "input": {
            "shape": list(meta["input_shape"]),
            "bits": meta.get("input_bits"),
            "scale": meta.get("input_scale"),
            **({"pixels": meta["pixels"].as_dict()} if "pixels" in meta else {}),
            **_normalisation(prepared),
        },
        "timesteps": timesteps(prepared),
        "weight_bits": weight_bits(prepared),
        "coding": model.options if isinstance(model, SpikingNetwork) else None,
        "start": None if trained.start is None else dict(trained.start),
        "accuracy": {"float": trained.float_accuracy, "quantized": trained.quantized_accuracy},
    }
    if trained.spec in MODELS:
        header["classes"] = outputs(prepared)
    if task_of(prepared) is not None:
        header["task"] = task_of(prepared)
    save_tensors(model.state_dict(), path, header)


def load(path: str | Path, model: nn.Module | None = None) -> Trained:
    """Read a trained model.

    Parameters
    ----------
    path : path
    model : nn.Module, optional
        The model before preparation, if the name in the file does not lead to it. Its weights do
        not matter; it is left as it is.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, not a trained model or of a newer version, or if its
        tensors do not fit the model.
    ConfigError, UnsupportedError
        If the model cannot be built; see :func:`~spikeloom.sw.models.spec.build_model`.
    """
    content = read_bytes(path, "model file")
    header = read_metadata(content, path, METADATA_KEY)
    _require_header(header, path)
    if model is None:
        model = build_model(header["model"], Path(path).resolve().parent, _classes(header, path))
    described = header["input"]
    try:
        given = described.get("pixels")
        pixels = None if given is None else Pixels.from_dict(given)
        prepared = prepare(
            model,
            input_shape=tuple(described["shape"]),
            timesteps=header["timesteps"],
            weight_bits=header["weight_bits"],
            input_scale=described.get("scale") if pixels is None else None,
            pixels=pixels,
            affine=_affine(described),
            task=header.get("task"),
        )
        # The weights of the float model are in no file.
        del prepared.meta[META]["original"]
        loaded: fx.GraphModule | SpikingNetwork = prepared
        coding = header.get("coding")
        if coding is not None:
            _describe_input(prepared, described)
            loaded = spiking(prepared, **coding)
        loaded.load_state_dict(safetensors.torch.load(content))
    except (RuntimeError, ConfigError, UnsupportedError, KeyError, TypeError) as error:
        raise FileFormatError(
            f"{path} does not fit the model {header['model']!r}, which may have changed since it "
            f"was trained: {' '.join(str(error).split())}"
        ) from None
    loaded.eval()
    accuracy = header["accuracy"]
    return Trained.of(
        loaded,
        spec=header["model"],
        dataset=header["dataset"],
        input_bits=described.get("bits"),
        input_scale=described.get("scale"),
        float_accuracy=accuracy.get("float"),
        quantized_accuracy=accuracy.get("quantized"),
        start=header.get("start"),
    )


def save_tensors(
    tensors: Mapping[str, Tensor], path: str | Path, header: Mapping[str, Any]
) -> None:
    """Write tensors and JSON values to ``path``, whole or not at all.

    Raises
    ------
    FileFormatError
        If the folder cannot be written to.
    """
    # Copies, since a file must not hold two names for one memory: layers can share parameters.
    plain = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
    metadata = {METADATA_KEY: json.dumps(header, sort_keys=True)}
    content = sealed(safetensors.torch.save, plain, metadata)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def timesteps(prepared: fx.GraphModule) -> dict[str, int]:
    """Return T of each layer of a prepared model that fires."""
    return {name: activation.levels for name, activation in activations_of(prepared).items()}


def outputs(prepared: fx.GraphModule) -> int:
    """Return the number of a prepared model's outputs."""
    return len(weights_of(prepared, layers_of(prepared)[-1].synapses[0]).weight)


def _classes(header: Mapping[str, Any], path: str | Path) -> int | None:
    """Return the number of outputs of a model of the zoo; None if the file does not say it."""
    count = header.get("classes")
    if count is None:
        return None
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _CLASSES:
        raise FileFormatError(
            f"{path}: 'classes' must be an integer from 1 to {_CLASSES:,}, not {count!r}"
        )
    return count


def weight_bits(prepared: fx.GraphModule) -> dict[str, int]:
    """Return the bits of each layer's weights."""
    return {
        layer.name: getattr(weights_of(prepared, layer.synapses[0]), "bits", DEFAULT_WEIGHT_BITS)
        for layer in layers_of(prepared)
    }


def _normalisation(prepared: fx.GraphModule) -> dict[str, Any]:
    """Return the normalisation that a model does itself, as the key "affine", if it does one.

    It is no part of the tensors, and a batch-norm that is built anew has forgotten its statistics.
    """
    grid = input_grid_of(prepared)
    if grid is None or grid.affine is None:
        return {}
    return {"affine": {"factors": grid.affine.factors, "shifts": grid.affine.shifts}}


def _affine(described: Mapping[str, Any]) -> Affine | None:
    affine = described.get("affine")
    return None if affine is None else Affine(tuple(affine["factors"]), tuple(affine["shifts"]))


def _describe_input(prepared: fx.GraphModule, described: dict[str, Any]) -> None:
    meta = prepared.meta[META]
    if "pixels" not in meta:
        meta |= {"input_bits": described.get("bits"), "input_scale": described.get("scale")}


def _require_header(header: dict[str, Any], path: str | Path) -> None:
    require_version(header, path, "trained model", FORMAT, VERSION)
    for name, kind in _FIELDS.items():
        if not isinstance(header.get(name), kind):
            raise FileFormatError(
                f"{path} has damaged metadata: {name!r} is {header.get(name)!r}: write it again"
            )
