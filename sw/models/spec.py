"""Models by name: from the zoo, from a user's file, ``file.py:Net``, or from an ONNX file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from spikeloom.sw import python_file
from spikeloom.sw.errors import ConfigError, SpikeloomError, UnsupportedError
from spikeloom.sw.models.registry import MODELS
from spikeloom.sw.names import unknown_model


def load_model_class(
    spec: str, folder: Path | None = None, classes: int | None = None
) -> Callable[[], Any]:
    """Return the class or function that builds the model called ``spec``.

    A model that the user's file has built already gets a function that returns it.

    Parameters
    ----------
    spec : str
        A name in the zoo, or ``path/to/file.py:Net``, which is run as Python, or
        ``path/to/file.onnx``.
    folder : path, optional
        A second place to look for a file with a relative path.
    classes : int, optional
        Number of outputs of a model of the zoo; ten by default. Models of the user's own have as
        many as they have.

    Raises
    ------
    ConfigError
        If there is no such model or file, or the name is neither a class nor a function.
    UnsupportedError
        If the file raises an error when it is run.
    """
    if spec.lower().endswith(".onnx"):
        return functools.partial(_read_onnx, spec, folder)
    place, colon, name = spec.rpartition(":")
    if not colon:
        if spec not in MODELS:
            raise ConfigError(unknown_model(spec, MODELS))
        return MODELS[spec] if classes is None else functools.partial(MODELS[spec], classes)
    if not place.endswith(".py") or not name.isidentifier():
        raise ConfigError(f"a model is a name of the zoo, FILE.py:NAME or FILE.onnx, not {spec!r}")
    module = _run_file(place, folder)
    if not hasattr(module, name):
        found = ", ".join(_models_in(module)) or "none"
        raise ConfigError(f"{place} has no {name!r}; the models in it: {found}")
    value = getattr(module, name)
    if isinstance(value, nn.Module):
        return lambda: value
    if not callable(value):
        raise ConfigError(f"{spec} is a {type(value).__name__}, not a model: name a class")
    maker: Callable[[], Any] = value
    return maker


def build_model(spec: str, folder: Path | None = None, classes: int | None = None) -> nn.Module:
    """Return a fresh model; the parameters are those of :func:`load_model_class`.

    Raises
    ------
    ConfigError
        If there is no such model, or the class or function returns something else.
    UnsupportedError
        If the user's code raises an error, because it needs arguments, for instance.
    """
    maker = load_model_class(spec, folder, classes)
    try:
        model = maker()
    except SpikeloomError:
        raise
    except Exception as error:
        raise UnsupportedError(
            f"{spec} cannot be built without arguments: {type(error).__name__}: {error}. Give its "
            f"parameters default values, or name a function that returns the model"
        ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{spec}() returns {type(model).__name__}, not a torch.nn.Module")
    return model


def _read_onnx(place: str, folder: Path | None) -> nn.Module:
    from spikeloom.sw.importing.onnx import from_onnx

    return from_onnx(_path(place, folder))


def _path(place: str, folder: Path | None) -> Path:
    """Return the path of a model's file."""
    candidates = [Path(place), *([folder / place] if folder else [])]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise ConfigError(f"the model's file {place} does not exist: check the path")
    return path


def _run_file(place: str, folder: Path | None) -> ModuleType:
    path = _path(place, folder)
    return python_file.run(path, "spikeloom_model")


def _models_in(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, nn.Module)
        and value.__module__ == module.__name__
    ]
