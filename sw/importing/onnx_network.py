"""From an ONNX file to an integer network at once, without training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden import Golden
from spikeloom.sw.importing.agreement import Agreement
from spikeloom.sw.importing.importer import Imported, Report
from spikeloom.sw.importing.onnx import OnnxModel, from_onnx
from spikeloom.sw.network import Network
from spikeloom.sw.quantized import activations_of, initialise, prepare

#: Images that the network and the float model are run on at a time.
_BATCH = 256


def network_from_onnx(
    path: str | Path,
    *,
    timesteps: int | None = None,
    bits: int = 8,
    fraction_bits: int | None = None,
    input_shape: tuple[int, ...] | None = None,
    input_bits: int | None = None,
    input_scale: float | None = None,
    name: str | None = None,
    images: Any = None,
    compared: Any = None,
    labels: Any = None,
    progress: Callable[[int, int], None] | None = None,
    **of_neurons: Any,
) -> Imported:
    """Return the integer network of an ONNX file, and a report that compares it with the file.

    Thresholds are those of the file or, of rectifiers without levels, those with the least squared
    error on the images. Batch-norm and scales are absorbed, and nothing is trained.

    Parameters
    ----------
    path : path
    timesteps : int, optional
        Levels of each activation; by default those of the file, or 4.
    bits : int
        Of weights that are not integers in the file.
    fraction_bits : int, optional
        F of the neurons; by default the fewest that are exact.
    input_shape : tuple of int, optional
        Shape of one image, where the file leaves it open.
    input_bits, input_scale : int and float, optional
        Bits of a pixel and real value of one of its units, by default those of the images, or 8
        bits and 1/255. A file that rounds its input says both.
    name : str, optional
        Of the network; by default that of the file.
    images, compared : Dataset, or array of integers of shape (N, *shape), optional
        Images that thresholds are fitted to, and those that the network is compared on; by default
        the same.
    labels : array of integers, shape (N,), optional
        Of an array to compare on.
    progress : callable, optional
        Is told how many images have been compared, and of how many.
    **of_neurons
        Options of networks of spiking neurons, which must be None.

    Raises
    ------
    ConfigError
        If an option is for neurons, or thresholds need images and there are none.
    FileFormatError, UnsupportedError
        As :func:`~spikeloom.sw.importing.onnx.from_onnx`, :func:`~spikeloom.sw.quantized.prepare`
        and :func:`~spikeloom.sw.conversion.convert` raise them.
    """
    path = Path(path)
    for option, value in of_neurons.items():
        if value is not None:
            raise ConfigError(f"{path} has no spiking neurons: leave out the option {option}")
    model = from_onnx(path, input_shape=input_shape)
    pixels = model.pixels or _pixels(images, input_bits, input_scale)
    prepared = prepare(
        model,
        input_shape=model.input_shape,
        timesteps=timesteps,
        weight_bits=bits,
        pixels=pixels,
    )
    activations = activations_of(prepared)
    if images is not None:
        seen = pixels.real(_integers(images)).reshape(-1, *model.input_shape)
        initialise(prepared, seen, method="mse")
    elif not all(activation.given for activation in activations.values()):
        raise ConfigError(
            f"the thresholds of {path} follow from images: give some, by --data or --images"
        )
    network = convert(prepared, fraction_bits=fraction_bits, name=name or path.stem)
    levels = {layer: x.levels for layer, x in activations.items() if x.given}
    assumed = {"pixels": f"{pixels.bits} bits, of the file" if model.pixels else "of the images"}
    if levels:
        assumed["levels of the file"] = ", ".join(f"{layer} {n}" for layer, n in levels.items())
    tested = images if compared is None else compared
    if tested is None:
        return Imported(network, Report(assumed))
    labels = tested.labels if isinstance(tested, Dataset) else labels
    return Imported(
        network,
        Report(assumed, agreement=_compare(network, model, pixels, tested, labels, progress)),
    )


def _pixels(images: Any, bits: int | None, scale: float | None) -> Pixels:
    """Return the grid of the images."""
    if isinstance(images, Dataset) and bits is None and scale is None:
        return images.format
    return Pixels(bits or 8, scale)


def _integers(images: Any) -> Tensor:
    """Return images as integers."""
    return images.pixels() if isinstance(images, Dataset) else torch.from_numpy(np.asarray(images))


def _compare(
    network: Network,
    model: OnnxModel,
    pixels: Pixels,
    compared: Any,
    labels: Any,
    progress: Callable[[int, int], None] | None,
) -> Agreement:
    """Run the network and the model of the file on the same images."""
    golden = Golden(network)
    found: list[tuple[Tensor, Tensor]] = []
    number = 0
    for images in _batches(compared):
        with torch.no_grad():
            outputs = model(pixels.real(images).reshape(-1, *model.input_shape))
        result = golden.run(images.reshape(-1, *network.input.image_shape))
        found.append((outputs.argmax(1), result.labels))
        number += len(images)
        if progress is not None:
            progress(number, len(compared))
    real, own = (torch.cat(each) for each in zip(*found, strict=True))
    right = None if labels is None else torch.as_tensor(np.asarray(labels))
    return Agreement(
        images=number,
        labels=_share(real == own),
        layers={},
        float_accuracy=None if right is None else _share(real == right),
        accuracy=None if right is None else _share(own == right),
    )


def _share(equal: Tensor) -> float:
    return float(equal.double().mean())


def _batches(images: Any) -> Iterator[Tensor]:
    for first in range(0, len(images), _BATCH):
        if isinstance(images, Dataset):
            yield images.pixels(slice(first, first + _BATCH))
        else:
            yield _integers(images[first : first + _BATCH])
