"""The input of a prepared model: values on the grid of the network's integer pixels.

A network subtracts an integer zero point from its pixels, and has one scale for all of them. An
:class:`InputGrid` does the same in the prepared model, so that training sees the rounding of the
mean and conversion loses nothing: it takes the images that the user's model takes, and gives
``unit * (pixel - zero)``. The ratio between the scale of a channel and the unit goes into the
weights of the layers that read the input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, fx, nn

from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph import Affine, LayerSpec, SynapseSpec
from spikeloom.sw.network import INPUT
from spikeloom.sw.network.inputs import MAX_ZERO, along_channels


class InputGrid(nn.Module):
    """Rounds images to pixels, and gives each as a multiple of one unit, from its zero point on.

    Parameters
    ----------
    pixels : Pixels
        Pixels of the images that the model is given; a scale and an offset for each channel.
    affine : Affine, optional
        Normalisation that the model itself does.

    Attributes
    ----------
    zeros : tuple of int
        Zero point of each channel.
    unit : float
        Real value of a pixel step behind the grid.
    ratios : tuple of float
        Real value of a pixel step in the model, by channel, in units: factors for the weights.

    Raises
    ------
    UnsupportedError
        If a zero point is beyond the contract's range.
    """

    _numbers: Tensor

    def __init__(self, pixels: Pixels, affine: Affine | None = None) -> None:
        super().__init__()
        self.pixels = pixels
        self.affine = affine
        number = len(pixels.scales)
        identity = Affine((1.0,) * number, (0.0,) * number)
        chain = identity if affine is None else identity.then(affine.factors, affine.shifts)
        steps = [a * scale for a, scale in zip(chain.factors, pixels.scales, strict=True)]
        offsets = [
            offset - shift / step
            for offset, shift, step in zip(pixels.offsets, chain.shifts, steps, strict=True)
        ]
        self.zeros = tuple(math.floor(offset + 0.5) for offset in offsets)
        for channel, zero in enumerate(self.zeros):
            if abs(zero) > MAX_ZERO:
                raise UnsupportedError(
                    f"channel {channel} of the input is normalised such that the pixel {zero} "
                    f"stands for 0, but a zero point is from -{MAX_ZERO} to {MAX_ZERO}: scale the "
                    f"images so that their mean is nearer to 0"
                )
        magnitudes = [abs(step) for step in steps]
        if len({*magnitudes}) == 1:
            self.unit = magnitudes[0]
        else:
            self.unit = math.exp(sum(map(math.log, magnitudes)) / number)
        self.ratios = tuple(step / self.unit for step in steps)
        # No part of a checkpoint, whose keys are thus those of the user's model.
        self.register_buffer("_numbers", self._tensor(torch.get_default_dtype()), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return ``unit * (pixel - zero)`` for images as the user's model takes them."""
        numbers = self._numbers
        if (numbers.dtype, numbers.device) != (images.dtype, images.device):
            numbers = self._tensor(images.dtype, images.device)
        scale, offset, zeros = (along_channels(numbers[k], images.ndim) for k in range(3))
        return ((images / scale + offset).round() - zeros) * self.unit

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # A model that was in float32 and goes to float64 would keep numbers rounded to float32, and
        # round pixels to another side: so they are made anew.
        apply: Any = super()._apply  # torch has no types for it
        apply(fn, recurse)
        self._numbers = self._tensor(self._numbers.dtype, self._numbers.device)
        return self

    def _tensor(self, dtype: torch.dtype, device: torch.device | None = None) -> Tensor:
        """Return scales, offsets and zero points as a tensor of shape (3, channels)."""
        numbers = (self.pixels.scales, self.pixels.offsets, self.zeros)
        return torch.tensor(numbers, dtype=torch.float64).to(dtype).to(device)


def input_grid_of(prepared: nn.Module) -> InputGrid | None:
    """Return the grid of a prepared model; None if its images are multiples of one scale."""
    return next((part for part in prepared.modules() if isinstance(part, InputGrid)), None)


def insert_grid(
    module: fx.GraphModule, grid: InputGrid, layers: tuple[LayerSpec, ...], normalising: Any
) -> None:
    """Put a grid behind a model's input, in place of its own normalisation.

    Parameters
    ----------
    module : fx.GraphModule
        Changed in place, as are the weights of the layers that read the input.
    grid : InputGrid
    layers : tuple of LayerSpec
        Of the model.
    normalising : mapping of str to str
        Nodes that normalise the input, in order, and the node that each of them reads.

    Raises
    ------
    UnsupportedError
        If a shortcut or a max-pool reads channels that are scaled differently.
    """
    name = "input_grid"
    while hasattr(module, name):
        name += "_"
    module.add_submodule(name, grid)
    graph = module.graph
    nodes = {node.name: node for node in graph.nodes}
    image = next(node for node in graph.nodes if node.op == "placeholder")
    readers = list(image.users)
    with graph.inserting_after(image):
        call = graph.call_module(name, (image,))
    for reader in readers:
        reader.replace_input_with(image, call)
    # A reshape may stand in between: each node gives way to its own source.
    sources = {image.name: call}
    for name, source in normalising.items():
        sources[name] = sources.get(source, nodes[source])
        nodes[name].replace_all_uses_with(sources[name])
    for name in reversed(list(normalising)):
        graph.erase_node(nodes[name])
    for layer in layers:
        for synapse in layer.synapses:
            if synapse.tap.source == INPUT:
                _scale_weights(module, layer.name, synapse, grid.ratios)


def _scale_weights(
    module: nn.Module, layer: str, synapse: SynapseSpec, ratios: tuple[float, ...]
) -> None:
    """Multiply the weights of a connection from the input by the ratio of each channel."""
    if all(ratio == 1 for ratio in ratios):
        return
    if synapse.target is None:
        raise UnsupportedError(
            f"layer {layer!r} adds the input, whose channels are normalised differently, to other "
            f"values: put a 1x1 convolution into that shortcut"
        )
    pool = synapse.tap.pool
    if pool is not None and pool.kind == "max" and min(ratios) < 0:
        raise UnsupportedError(
            f"layer {layer!r} reads the input through a max-pool, but a channel is multiplied by a "
            f"negative number, which makes it a minimum: multiply by its magnitude instead"
        )
    weighted = module.get_submodule(synapse.target)
    weight = weighted.weight
    assert isinstance(weight, Tensor)
    values = [1.0] * (weight.shape[1] * int(getattr(weighted, "groups", 1)))
    columns = synapse.columns or range(len(values))
    for column, channel in zip(columns, _channels(synapse, len(ratios), len(columns)), strict=True):
        if channel is not None:
            values[column] = ratios[channel]
    factors = torch.tensor(values, dtype=torch.float64, device=weight.device)
    # The rows of a group's output channels have the factors of the group's input channels.
    groups = len(values) // weight.shape[1]
    factors = factors.reshape(groups, -1).repeat_interleave(weight.shape[0] // groups, 0)
    with torch.no_grad():
        scaled = weight.double() * factors.reshape(*factors.shape, *[1] * (weight.ndim - 2))
        weight.copy_(scaled.to(weight.dtype))


def _channels(synapse: SynapseSpec, number: int, columns: int) -> list[int | None]:
    """Return the channel of the input that each column of a connection's weights reads.

    Parameters
    ----------
    synapse : SynapseSpec
    number : int
        Channels of the input.
    columns : int
        Columns of the weights: channels, or features behind a flattening.

    Returns
    -------
    list of int or None
        None for a column that reads nothing but 0.
    """
    tap = synapse.tap
    view = None if tap.view is None else tap.view.channels
    channels: list[int | None] = list(range(number)) if view is None else list(view.chosen)
    if not tap.flat:
        return channels
    size = columns if tap.features is None else tap.features.size
    chosen = range(size) if tap.features is None else tap.features.chosen
    each = size // len(channels)
    return [None if feature is None else channels[feature // each] for feature in chosen]
