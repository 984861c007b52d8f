"""Prepared models: their layers and activations, their task, and the images that they take."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, fx, nn

from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph import LayerSpec, analyse
from spikeloom.sw.quantized import rules  # noqa: F401  # it enters the rules of our own modules
from spikeloom.sw.quantized.activations import Activation
from spikeloom.sw.quantized.choices import LayerChoice, per_layer
from spikeloom.sw.quantized.weights import QuantizedWeights, largest, weights_of

#: Key of Spikeloom's entry in a prepared model's ``meta``: its input shape, the model that was
#: prepared, and what is known of its pixels.
META = "spikeloom"


def layers_of(prepared: nn.Module) -> tuple[LayerSpec, ...]:
    """Return the layers of a prepared model, in order of evaluation; the last has no activation.

    Raises
    ------
    UnsupportedError
        If ``prepared`` does not come from :func:`prepare`.
    """
    meta = getattr(prepared, "meta", {}).get(META)
    if not isinstance(prepared, fx.GraphModule) or not isinstance(meta, dict):
        raise UnsupportedError(
            f"{type(prepared).__name__} has not been prepared: call prepare(model, ...) first"
        )
    return analyse(prepared, meta["input_shape"], meta.get("task")).require().layers


def activation_of(prepared: fx.GraphModule, layer: LayerSpec) -> Activation:
    """Return the activation of a layer that fires."""
    (node,) = (n for n in prepared.graph.nodes if n.name == layer.activation)
    activation = prepared.get_submodule(str(node.target))
    assert isinstance(activation, Activation)
    return activation


def activations_of(prepared: nn.Module) -> dict[str, Activation]:
    """Return the activations of the layers that fire, by the layers' names, in their order.

    Raises
    ------
    UnsupportedError
        If ``prepared`` does not come from :func:`prepare`.
    """
    layers = layers_of(prepared)
    assert isinstance(prepared, fx.GraphModule)
    return {
        layer.name: activation_of(prepared, layer)
        for layer in layers
        if layer.activation is not None
    }


def task_of(prepared: nn.Module) -> str | None:
    """Return the task that a model was prepared for; None if its largest output decides."""
    found: str | None = getattr(prepared, "meta", {}).get(META, {}).get("task")
    return found


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model's parameters; the CPU, if it has none."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def require_images(prepared: fx.GraphModule, images: Tensor) -> None:
    """Require that images are those that a prepared model's network will take, as far as is known.

    Where the pixels are not known yet, the range of the images is kept, and conversion compares
    it with the pixels that it is given.

    Parameters
    ----------
    prepared : fx.GraphModule
        From :func:`prepare`.
    images : tensor, shape (N, *input_shape)
        As for the model.

    Raises
    ------
    DataError
        If a value is beyond the range of the pixels.
    """
    meta = prepared.meta[META]
    pixels = meta.get("pixels")
    if pixels is None and None not in (meta.get("input_bits"), meta.get("input_scale")):
        pixels = Pixels(meta["input_bits"], meta["input_scale"])
    if pixels is not None:
        pixels.require(images)
        return
    low, high = (float(end) for end in torch.aminmax(images.detach()))
    before = meta.get("seen", (low, high))
    meta["seen"] = (min(low, before[0]), max(high, before[1]))


def require_threshold(layer: str, activation: Activation) -> None:
    """Require that a layer's λ is positive and finite, which a training can lose.

    Parameters
    ----------
    layer : str
        Its name, for the message.
    activation : Activation

    Raises
    ------
    UnsupportedError
        If λ is 0, infinite or no number.
    """
    if not 0 < activation.threshold < math.inf:
        raise UnsupportedError(
            f"the threshold λ of layer {layer!r} is {activation.threshold}: its training has "
            f"diverged; set it anew by initialise(), and train with a lower learning rate (lr), or "
            f"a lower one for λ (lambda_lr_factor)"
        )


def settle(prepared: fx.GraphModule) -> fx.GraphModule:
    """Return a copy in which what activations have learned by whole numbers is fixed.

    These are timesteps, and the powers of two of negative thresholds.

    Training through time, calibration, checkpoints, and further training at these timesteps rely
    on this: T is fixed, and ``log_threshold`` is ln λ. λ stays as it is, but for the rounding of
    its logarithm if it was learned as "n,d".

    Parameters
    ----------
    prepared : fx.GraphModule
        From :func:`prepare`; left as it is.

    Raises
    ------
    UnsupportedError
        If the training of a layer has diverged, so that its λ is 0 or not finite.
    """
    for name, activation in activations_of(prepared).items():
        require_threshold(name, activation)
    settled = copy.deepcopy(prepared)
    for module in settled.modules():
        if isinstance(module, Activation):
            module.settle()
    return settled


def requantized(prepared: fx.GraphModule, weight_bits: LayerChoice) -> fx.GraphModule:
    """Return a copy whose weights have other numbers of bits, and are otherwise trained as before.

    A model of few bits comes out better if it is trained with more bits first.

    Parameters
    ----------
    prepared : fx.GraphModule
        From :func:`prepare`; left as it is.
    weight_bits : int or mapping
        As for :func:`prepare`, but layers that are left out keep their bits.

    Raises
    ------
    ConfigError
        If weight bits are out of range, or name a layer that has no quantized weights.
    """
    changed = copy.deepcopy(prepared)
    weights = {
        layer.name: [
            found
            for synapse in layer.synapses
            if isinstance(found := weights_of(changed, synapse), QuantizedWeights)
        ]
        for layer in layers_of(changed)
    }
    weights = {name: found for name, found in weights.items() if found}
    present = {name: found[0].bits for name, found in weights.items()}
    bits = per_layer(weight_bits, list(weights), "weight_bits", present)
    for value in bits.values():
        largest(value)  # refuses bits out of range before anything is changed
    for name, found in weights.items():
        for one in found:
            one.requantize(bits[name])
    return changed
