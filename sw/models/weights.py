"""Weights of float models, read from the files in which people keep them.

These are ``.safetensors``, and torch's own ``.pth`` and ``.pt``, of which tensors alone are read:
no code that such a file may hold is ever run.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.files import read_bytes

#: Endings of the files that can be read.
SUFFIXES = (".safetensors", ".pth", ".pt")
#: Keys under which training scripts keep the tensors, beside an optimizer's state and the like.
CONTAINERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights", "params")
#: Beginnings of all names that come from a wrapper around the model.
PREFIXES = ("module.", "model.", "_orig_mod.", "net.")
#: A count of batches, which old files lack, and which nothing here reads.
COUNTER = "num_batches_tracked"
#: Names that a message lists, of each kind.
LISTED = 6


@dataclass(frozen=True)
class Weights:
    """Tensors of a float model, by name, from a file.

    Parameters
    ----------
    path : Path
    tensors : mapping of str to Tensor
        On the CPU.
    digest : str
        SHA-256 of the file, in hexadecimal.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    digest: str

    def load_into(self, model: nn.Module, name: str) -> None:
        """Give a model these weights.

        Names may begin with ``module.``, ``model.`` and other prefixes of wrappers. Counts of
        batches may be missing, and so may second names of parameters that layers share.

        Parameters
        ----------
        model : nn.Module
        name : str
            Of the model, for messages.

        Raises
        ------
        ConfigError
            If names or shapes do not fit; the message lists them. The model is left as it is.
        """
        own = model.state_dict()
        given = _unwrapped(self.tensors, own)
        present = {own[key].data_ptr() for key in given.keys() & own.keys() if own[key].numel()}
        missing = [
            key
            for key, value in own.items()
            if key not in given
            and not key.endswith(COUNTER)
            and not (value.numel() and value.data_ptr() in present)
        ]
        unexpected = [key for key in given if key not in own and not key.endswith(COUNTER)]
        both = {key: (given[key], own[key]) for key in given if key in own}
        shapes = [
            f"{key} {tuple(ours.shape)} in the model and {tuple(theirs.shape)} in the file"
            for key, (theirs, ours) in both.items()
            if theirs.shape != ours.shape
        ]
        whole = [
            key
            for key, (theirs, ours) in both.items()
            if ours.is_floating_point() and not theirs.is_floating_point()
        ]
        parts = [
            f"{what}: {_listed(found)}"
            for what, found in (
                ("the file lacks", missing),
                ("the model has no", unexpected),
                ("of other shapes are", shapes),
                ("of whole numbers are", whole),
            )
            if found
        ]
        if parts:
            raise ConfigError(
                f"{self.path} does not fit the model {name}. {'; '.join(parts)}. Choose the model "
                f"that the file was saved from, or rename its tensors as in model.state_dict()"
            )
        bad = [key for key, (theirs, _) in both.items() if not bool(theirs.isfinite().all())]
        if bad:
            raise ConfigError(
                f"{self.path} holds values that are not finite, in {_listed(bad)}: its training "
                f"has diverged, so choose another file"
            )
        model.load_state_dict({key: theirs for key, (theirs, _) in both.items()}, strict=False)


def read_weights(name: str, folders: Iterable[Path | None] = ()) -> Weights:
    """Read the weights of a float model.

    Parameters
    ----------
    name : str
        Path of a file that ends in one of :data:`SUFFIXES`.
    folders : iterable of Path or None
        Further places to look for a file with a relative path, in this order.

    Raises
    ------
    ConfigError
        If there is no such file.
    FileFormatError
        If it is damaged, or holds something else than tensors by name.
    """
    candidates = [Path(name), *(folder / name for folder in folders if folder is not None)]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        places = ", ".join(dict.fromkeys(str(candidate.parent) for candidate in candidates))
        raise ConfigError(
            f"the file of weights {name} does not exist: check the path (looked in {places})"
        )
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"weights are files that end in {', '.join(SUFFIXES)}, not {path.name}")
    content = read_bytes(path, "file of weights")
    tensors = _safe(path, content) if suffix == SUFFIXES[0] else _torchs(path, content)
    return Weights(path, tensors, hashlib.sha256(content).hexdigest())


def _safe(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(content)
    except SafetensorError as error:
        raise FileFormatError(f"{path} is no safetensors file, or damaged: {error}") from None


def _torchs(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).partition("\n")[0]
        raise FileFormatError(
            f"{path} holds more than tensors, or is damaged, and code in files is never run "
            f"({reason}). Save the tensors alone: torch.save(model.state_dict(), path)"
        ) from None
    except Exception as error:  # torch raises many kinds of errors for damaged files
        reason = str(error).partition("\n")[0]
        raise FileFormatError(
            f"{path} is no file of tensors that torch can read ({type(error).__name__}: {reason}). "
            f"Write it again: torch.save(model.state_dict(), path)"
        ) from None
    return _named(path, found)


def _named(path: Path, found: Any) -> dict[str, Tensor]:
    """Return the tensors by name, out of what a training script has put around them."""
    if isinstance(found, Mapping):
        tensors = {str(key): x for key, x in found.items() if isinstance(x, Tensor)}
        inner = {key: found[key] for key in CONTAINERS if isinstance(found.get(key), Mapping)}
        if inner and not tensors:
            return _named(path, next(iter(inner.values())))
        if tensors:
            return tensors
    keys = f"the keys {_listed(map(str, found))}" if isinstance(found, Mapping) else type(found)
    raise FileFormatError(
        f"{path} has no tensors by name, but {keys}: save them by "
        f"torch.save(model.state_dict(), path)"
    )


def _unwrapped(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors without the prefixes that all names have, and that the model's have not."""
    given = dict(tensors)
    while True:
        prefix = next((p for p in PREFIXES if all(key.startswith(p) for key in given)), None)
        if prefix is None or not given or given.keys() & own.keys():
            return given
        given = {key.removeprefix(prefix): value for key, value in given.items()}


def _listed(names: Iterable[str]) -> str:
    """Return the first names, and how many there are beside them."""
    known = list(names)
    rest = len(known) - LISTED
    return ", ".join(known[:LISTED]) + (f" and {rest} more" if rest > 0 else "")
