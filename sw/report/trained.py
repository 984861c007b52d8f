"""Trained models: what their files say, read without running the model's code."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.report.run import Json
from spikeloom.sw.report.shapes import NUMBER, TEXT, WHOLE, ByName, Maybe, require

FORMAT = "spikeloom-model"
#: Parts of the name of a tensor with the logarithm of a layer's λ, before and behind the layer's.
_BEFORE, _BEHIND = "activations.", ".log_threshold"
_SHAPE: Any = {
    "model": TEXT,
    "dataset": TEXT,
    "timesteps": ByName(WHOLE),
    "weight_bits": ByName(WHOLE),
    "accuracy": ByName(Maybe(NUMBER)),
}


def trained(content: bytes, header: Json, path: Path) -> Json:
    """Return what a trained model's file says of it.

    Parameters
    ----------
    content : bytes
        Of the file.
    header : dict
        Its metadata.
    path : path
        For messages.

    Returns
    -------
    dict
        ``model``, ``dataset``, ``timesteps``, ``weight_bits`` and ``accuracy`` of its metadata, and
        ``thresholds``, λ by layer.

    Raises
    ------
    FileFormatError
        If it is damaged.
    """
    require(header, _SHAPE, str(path))
    try:
        tensors = safetensors_numpy.load(content)
    except (SafetensorError, KeyError, ValueError) as error:
        raise FileFormatError(f"{path} is damaged ({' '.join(str(error).split())})") from None
    thresholds = {}
    for name, tensor in tensors.items():
        if name.startswith(_BEFORE) and name.endswith(_BEHIND) and tensor.size == 1:
            logarithm = float(np.ravel(tensor)[0])
            if not abs(logarithm) < 700:
                raise FileFormatError(f"{path}: {name!r} is {logarithm}: train the model again")
            thresholds[name[len(_BEFORE) : -len(_BEHIND)]] = math.exp(logarithm)
    order = {name: k for k, name in enumerate(header["weight_bits"])}
    return {
        **{key: header[key] for key in _SHAPE},
        "thresholds": dict(sorted(thresholds.items(), key=lambda x: order.get(x[0], len(order)))),
    }
