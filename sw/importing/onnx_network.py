"""From an ONNX file to an integer network at once, without training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden import Golden
from spikeloom.sw.importing.agreement import Agreement
from spikeloom.sw.importing.importer import Imported, Report
from spikeloom.sw.importing.onnx import from_onnx
from spikeloom.sw.importing.readers import Options
from spikeloom.sw.network import Network
from spikeloom.sw.quantized import activations_of, initialise, prepare

#: Options that only networks of spiking neurons have.
_OF_NEURONS = ("origin", "dt", "reset", "largest")
#: Images that the network and the float model are run on at a time.
_BATCH = 256


def network_from_onnx(path: Path, options: Options) -> Imported:
    """Return the integer network of an ONNX file, and a report that compares it with the file.

    Thresholds are those of the file or, of rectifiers without levels, those with the least squared
    error on the images. Batch-norm and scales are absorbed, and nothing is trained.

    Parameters
    ----------
    path : path
    options : Options
        ``timesteps`` are the levels of each activation; by default those of the file, or 4.

    Raises
    ------
    ConfigError
        If an option is for neurons, or thresholds need images and there are none.
    FileFormatError, UnsupportedError
        As :func:`~spikeloom.sw.importing.onnx.from_onnx`, :func:`~spikeloom.sw.quantized.prepare`
        and :func:`~spikeloom.sw.conversion.convert` raise them.
    """
    for name in _OF_NEURONS:
        if getattr(options, name) is not None:
            raise ConfigError(
                f"{path} has no spiking neurons, so that {name} says nothing: omit it"
            )
    model = from_onnx(path, input_shape=options.input_shape)
    pixels = model.pixels or _pixels(options)
    prepared = prepare(
        model,
        input_shape=model.input_shape,
        timesteps=options.timesteps,
        weight_bits=options.bits,
        pixels=pixels,
    )
    if options.images is not None:
        images = pixels.real(_integers(options.images)).reshape(-1, *model.input_shape)
        initialise(prepared, images, method="mse")
    elif not all(activation.given for activation in activations_of(prepared).values()):
        raise ConfigError(
            f"the thresholds of {path} follow from images: give some, by --data or --images"
        )
    network = convert(prepared, fraction_bits=options.fraction_bits, name=options.name or path.stem)
    levels = {name: x.levels for name, x in activations_of(prepared).items() if x.given}
    assumed = {"pixels": f"{pixels.bits} bits, of the file" if model.pixels else "of the images"}
    if levels:
        assumed["levels of the file"] = ", ".join(f"{name} {n}" for name, n in levels.items())
    compared = options.images if options.compared is None else options.compared
    found = None if compared is None else _compare(network, model, pixels, compared, options)
    return Imported(network, Report(assumed, agreement=found))


def _pixels(options: Options) -> Pixels:
    """Return the grid of the images."""
    given = options.images
    if isinstance(given, Dataset) and options.input_bits is None and options.input_scale is None:
        return given.format
    return Pixels(options.input_bits or 8, options.input_scale)


def _integers(images: Any) -> Tensor:
    """Return images as integers."""
    return images.pixels() if isinstance(images, Dataset) else torch.from_numpy(np.asarray(images))


def _compare(
    network: Network, model: nn.Module, pixels: Pixels, compared: Any, options: Options
) -> Agreement:
    """Run the network and the model of the file on the same images."""
    labels = compared.labels if isinstance(compared, Dataset) else options.labels
    golden = Golden(network)
    found: list[tuple[Tensor, Tensor]] = []
    number = 0
    for images in _batches(compared):
        shape = getattr(model, "input_shape", images.shape[1:])
        with torch.no_grad():
            real = model(pixels.real(images).reshape(-1, *shape)).argmax(1)
        result = golden.run(images.reshape(-1, *network.input.image_shape))
        found.append((real, result.labels))
        number += len(images)
        if options.progress is not None:
            options.progress(number, len(compared))
    real, own = (torch.cat(each) for each in zip(*found, strict=True))
    right = None if labels is None else torch.as_tensor(np.asarray(labels))
    return Agreement(
        images=number,
        labels=float((real == own).double().mean()),
        layers={},
        float_accuracy=None if right is None else float((real == right).double().mean()),
        accuracy=None if right is None else float((own == right).double().mean()),
    )


def _batches(images: Any) -> Iterator[Tensor]:
    for first in range(0, len(images), _BATCH):
        if isinstance(images, Dataset):
            yield images.pixels(slice(first, first + _BATCH))
        else:
            yield _integers(images[first : first + _BATCH])
