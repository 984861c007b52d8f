"""Agreement: a user's float model, its prepared model and the network on the same images."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from spikeloom.sw.conversion.reference import reference
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError, ConversionError
from spikeloom.sw.golden import Golden, check_images
from spikeloom.sw.graph import copied, taking_rows
from spikeloom.sw.network import DirectInput, Network
from spikeloom.sw.quantized.prepared import META, activations_of
from spikeloom.sw.tasks import Classes, Values, of_network

#: Share of the labels that ties may change in float64.
_TIES = 0.01
#: Images that a model computes at a time.
_BATCH = 256


@dataclass(frozen=True)
class Agreement:
    """On how many of some images models agree.

    Parameters
    ----------
    images : int
        Number of images.
    network_as_prepared : int
        Images of which the network has the label of the prepared model; or the decision, if the
        model was prepared for another task: the same labels, or values that differ by at most one
        step of the integer logits.
    counts_compared, counts_differing : int
        Counts of spikes that the network was compared in with the prepared model, and those that
        differ; both 0 where the coding does not promise equal counts.
    prepared_as_float : int or None
        Images of which the prepared model has the label of the float model, or its decision; None
        without one, and for real values, of which hardly any are ever equal.
    """

    images: int
    network_as_prepared: int
    counts_compared: int
    counts_differing: int
    prepared_as_float: int | None

    def as_dict(self) -> dict[str, int | None]:
        """Return the figures in JSON values."""
        return dict(vars(self))

    def __str__(self) -> str:
        lines = [
            f"the integer network agrees with the prepared model on "
            f"{self.network_as_prepared} of {self.images} images"
        ]
        if self.counts_compared:
            lines.append(
                f"{self.counts_differing} of {self.counts_compared} counts of spikes differ"
            )
        if self.prepared_as_float is not None:
            lines.append(
                f"the prepared model agrees with the float model on "
                f"{self.prepared_as_float} of {self.images} images"
            )
        return "; ".join(lines)


def agreement(
    network: Network,
    prepared: nn.Module,
    images: npt.ArrayLike | Tensor,
    original: nn.Module | None = None,
    input_scale: float | None = None,
    exact: bool = True,
) -> Agreement:
    """Run a network, its prepared model and the float model on the same images, and compare them.

    Parameters
    ----------
    network : Network
        Converted from ``prepared``, for pixels that are constant over time.
    prepared : nn.Module
        From :func:`~spikeloom.sw.quantized.prepare`.
    images : array or tensor, shape (N, *input_shape)
        Integers as the network takes them, or real numbers as the model takes them.
    original : nn.Module, optional
        The float model.
    input_scale : float, optional
        Real value of one pixel step, if the prepared model does not know it.
    exact : bool
        Whether a difference is an error where the coding promises equality. It does not if the
        network was converted with fewer fraction bits than are exact.

    Returns
    -------
    Agreement

    Raises
    ------
    ConfigError
        If the network's input has a time axis.
    DataError
        If the images do not fit the network's input.
    ConversionError
        If the network should agree with the prepared model on every image, and does not.
    """
    if network.input.kind != "direct":
        raise ConfigError(
            f"only networks of pixels can be checked by images, not an input of "
            f"{network.input.kind!r}: leave check out"
        )
    meta: Mapping[str, Any] = getattr(prepared, "meta", {})[META]
    source = network.input
    assert isinstance(source, DirectInput)
    scale = meta["input_scale"] if input_scale is None else input_scale
    pixels = meta.get("pixels") or Pixels(source.bits, scale, source.zeros, source.signed)
    given = images if isinstance(images, Tensor) else torch.from_numpy(np.array(images))
    if given.is_floating_point():
        # In float64: a model in float32 could round a tie the other way.
        integers = pixels.nearest(given.cpu()).reshape(-1, *network.input.shape)
    else:
        integers = torch.from_numpy(check_images(network, given).astype(np.int64))
    found = Golden(network).run(integers)
    wide = copy.deepcopy(prepared).cpu().double().eval()
    # As the model takes them: (C, L) of signals, where the network has (C, 1, L).
    seen = pixels.real(integers.reshape(-1, *meta["input_shape"]), torch.float64)
    task = of_network(network.about) or Classes()
    outputs = _outputs(wide, seen)
    # A model's outputs are real values already.
    real = Values() if isinstance(task, Values) else task
    labels, integer = real.decide(outputs), task.decide(found.logits)
    same = int(task.same(labels, integer).sum())
    compared = differing = 0
    if exact and _promises_equal_counts(network, prepared):
        expected = reference(prepared, integers, scale)
        unlike = int((~task.same(real.decide(expected.logits), integer)).sum())
        for name, counts in expected.counts.items():
            compared += counts.numel()
            differing += int((counts != found.counts[name]).sum())
        # The reference computes with whole numbers, and is equal. The modules compute with
        # fractions, which may round a tie the other way once in a long while.
        if differing or unlike or len(integers) - same > _TIES * len(integers):
            raise ConversionError(
                f"the integer network and the prepared model differ in the labels of "
                f"{len(integers) - same} of {len(integers)} images and in {differing} of "
                f"{compared} counts, where they should be equal: a hook or a changed forward() may "
                f"compute something that conversion cannot see"
            )
    floats = None
    if original is not None and not isinstance(task, Values):
        float_model = copied(original).cpu().double().eval()
        theirs = _outputs(taking_rows(float_model, tuple(meta["input_shape"])), seen)
        floats = int(task.same(real.decide(theirs), labels).sum())
    return Agreement(len(integers), same, compared, differing, floats)


def _outputs(model: nn.Module, images: Tensor) -> Tensor:
    """Return the logits of each image, shape (N, K)."""
    with torch.no_grad():
        return torch.cat([model(batch).flatten(1) for batch in torch.split(images, _BATCH)])


def _promises_equal_counts(network: Network, prepared: nn.Module) -> bool:
    """Return whether the network has the counts of the quantized model by construction.

    It has in count transport at the timesteps of the training, with neurons that have no leak.
    """
    highest = {
        name: activation.levels * activation.amplitudes[0]
        for name, activation in activations_of(prepared).items()
    }
    return all(
        layer.constant
        and not layer.neuron.shifts
        and (
            not layer.neuron.fires
            or layer.neuron.count(layer.timesteps).high == highest[layer.name]
        )
        for layer in network.layers
    )
