"""Preparing a model: a copy of it that computes, already in training, as the hardware will.

:func:`prepare` replaces activations and weights by quantized ones; everything else stays as it is,
the user's code included. Train the result like any torch module, then convert it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.graph import (
    Affine,
    Analysis,
    LayerSpec,
    NodeReport,
    Rectifier,
    Tap,
    analyse,
    copyable,
    trace,
    weighted_shortcuts,
)
from spikeloom.sw.graph.tracing import SUMMARY
from spikeloom.sw.network import INPUT
from spikeloom.sw.quantized import rules  # noqa: F401  # it enters the rules of our own modules
from spikeloom.sw.quantized.activations import QCFS, Activation, SignedQCFS
from spikeloom.sw.quantized.additions import Addition, Branch
from spikeloom.sw.quantized.choices import LayerChoice, per_layer
from spikeloom.sw.quantized.input_grid import InputGrid, insert_grid
from spikeloom.sw.quantized.prepared import META, device_of
from spikeloom.sw.quantized.summary import summary
from spikeloom.sw.quantized.weights import (
    QuantConv1d,
    QuantConv2d,
    QuantizedWeights,
    QuantLinear,
    QuantParts,
    QuantShortcut,
    largest,
    weights_of,
)
from spikeloom.sw.tasks import CLASSES, require_task

DEFAULT_TIMESTEPS = 4
DEFAULT_WEIGHT_BITS = 8

#: Quantized form of each module with weights.
_QUANTIZED: dict[type[nn.Module], Any] = {
    nn.Conv1d: QuantConv1d,
    nn.Conv2d: QuantConv2d,
    nn.Linear: QuantLinear,
}


def check(
    model: nn.Module, input_shape: tuple[int, ...] | None = None, task: str | None = None
) -> list[NodeReport]:
    """Report on every node of a model: whether it can be converted, and if not, what to do.

    Parameters
    ----------
    model : nn.Module
        Left as it is.
    input_shape : tuple of int, optional
        Shape of one image. Without it, nothing that depends on shapes is checked.
    task : {"classes", "labels", "values"}, optional
        As for :func:`prepare`.

    Returns
    -------
    list of NodeReport
        In order of evaluation; the model can be converted if all are ``supported``.
    """
    try:
        module = trace(model)
    except UnsupportedError as error:
        return [NodeReport("forward", type(model).__name__, False, str(error))]
    return list(analyse(module, input_shape, _task(task)).reports)


def prepare(
    model: nn.Module,
    *,
    input_shape: tuple[int, ...],
    timesteps: LayerChoice | None = None,
    weight_bits: LayerChoice = DEFAULT_WEIGHT_BITS,
    learn: str | None = None,
    learn_negative: bool | None = None,
    input_scale: float | None = None,
    pixels: Pixels | None = None,
    affine: Affine | None = None,
    task: str | None = None,
) -> fx.GraphModule:
    """Return a copy of ``model`` with quantized activations and weights.

    ReLU becomes :class:`~spikeloom.sw.quantized.QCFS`, LeakyReLU becomes
    :class:`~spikeloom.sw.quantized.SignedQCFS`. Quantized weights and activations that the
    model has already are kept, but for the levels of activations that do not come with a file.

    Parameters
    ----------
    model : nn.Module
        Trained or not; left as it is.
    input_shape : tuple of int
        Shape of one image: (channels, height, width), (channels, length) or (features,).
    timesteps : int or mapping, optional
        T, the levels of each activation. A mapping goes from layer name to T; ``"first"``,
        ``"last"`` (of those that fire) and ``"default"`` are understood. Other layers get 4, or
        the levels that a file of another toolkit states.
    weight_bits : int or mapping
        2 to 16. A mapping goes from layer name to bits; ``"first"``, ``"last"`` and
        ``"default"`` are understood, and other layers get 8.
    learn : {"t,alpha", "n,alpha", "n,d", "d,alpha", "clip"}, optional
        How the timesteps are learned, beginning with ``timesteps``, which are then up to 64; see
        :mod:`.activations.timesteps`. By default they are fixed. With "clip", activations are not
        quantized, but clipped at a λ that is learned, until :func:`settle` brings the timesteps
        into force.
    learn_negative : bool, optional
        Whether the negative thresholds θ_N of LeakyReLU layers are learned apart from the positive
        ones, within powers of two: :class:`~spikeloom.sw.quantized.SignedQCFS`.
    input_scale : float, optional
        Real value of one pixel step, as :func:`~spikeloom.sw.conversion.convert` takes it. Needed
        only where a layer adds the input to the values of another layer: without it, pixels of 8
        bits are taken, as ``image / 255``.
    pixels : Pixels, optional
        The integers of the images, and the real numbers that the model is given in their place,
        such as ``Pixels.normalised(mean, std)``; in place of ``input_scale``. The prepared model
        then rounds its input to the nearest pixels. By default images are multiples of
        ``input_scale``; a model that normalises its input itself, or adds it to other values, is
        taken to be given pixels of 8 bits, as ``image / 255``.
    affine : Affine, optional
        The normalisation that the model does itself, in place of the one found in it, where a
        model built anew lacks its batch-norm's statistics. From :func:`.input_grid_of`.
    task : {"classes", "labels", "values"}, optional
        Meaning of the outputs, see :mod:`spikeloom.sw.tasks`: one class of several, several labels
        at once, or real values. A model with one output needs it: its sign decides for "classes".

    Returns
    -------
    fx.GraphModule
        The prepared model. Its thresholds λ are 1: set them with
        :func:`~spikeloom.sw.quantized.initialise`.

    Raises
    ------
    UnsupportedError
        If the model cannot be converted; the message names every obstacle.
    ConfigError
        If timesteps or weight bits are out of range, or name a layer that does not exist, or
        there is no such way to learn timesteps, or no such task.
    """
    if META in getattr(model, "meta", {}):
        raise UnsupportedError("the model is prepared already: prepare the original instead")
    analysis = analyse(trace(model), input_shape, _task(task)).require()
    module, layers = analysis.module, analysis.layers
    described = _input_grid(analysis, pixels, input_scale, affine, tuple(input_shape))
    if described is not None:
        input_scale = described.unit
        insert_grid(module, described.to(device_of(module)), layers, analysis.normalising)
    sources: dict[str, Activation | float | None] = {INPUT: input_scale}
    names = [layer.name for layer in layers]
    nodes = {node.name: node for node in module.graph.nodes}
    made = {
        layer.name: _activation(module, nodes[layer.activation], layer.rectifier)
        for layer in layers
        if layer.activation is not None
    }
    own = {name: x.levels if x.given else DEFAULT_TIMESTEPS for name, x in made.items()}
    levels = per_layer({} if timesteps is None else timesteps, names[:-1], "timesteps", own)
    usual = dict.fromkeys(names, DEFAULT_WEIGHT_BITS)
    bits = per_layer(weight_bits, names, "weight_bits", usual)
    for value in bits.values():
        largest(value)  # refuses bits out of range before anything is built
    activations = _container(module, "activations")
    shortcuts = _insert_shortcuts(analysis, nodes, bits)
    for layer in layers:
        _quantize(module, layer, bits[layer.name])
        if layer.activation is not None:
            path = f"{activations}.{layer.name}"
            node = nodes[layer.activation]
            activation = made[layer.name]
            _set_levels(activation, levels[layer.name], learn)
            if learn_negative and isinstance(activation, SignedQCFS):
                activation.learn_negative()
            activation.to(device_of(module))
            module.add_submodule(path, activation)
            if layer.implied:
                _insert(module.graph, node, path)
            else:
                _replace(module.graph, node, path)
            sources[layer.name] = activation
        _add_up(module, layer, sources, shortcuts)
    for name in analysis.redundant:
        nodes[name].replace_all_uses_with(nodes[name].all_input_nodes[0])
        module.graph.erase_node(nodes[name])
    module.graph.eliminate_dead_code()
    module.graph.lint()
    module.recompile()
    module.delete_all_unused_submodules()
    module.meta[SUMMARY] = summary
    module.meta[META] = {"input_shape": tuple(input_shape), "original": copyable(model)}
    if task is not None and (task != CLASSES or analysis.outputs == (1,)):
        module.meta[META]["task"] = task
    if input_scale is not None:
        module.meta[META]["input_scale"] = input_scale
    if described is not None:
        module.meta[META] |= {
            "pixels": described.pixels,
            "input_bits": described.pixels.bits,
            "input_signed": described.pixels.signed,
            "input_zero": described.zeros,
        }
    return module


def _task(name: str | None) -> str | None:
    return None if name is None else require_task(name)


def _input_grid(
    analysis: Analysis,
    pixels: Pixels | None,
    input_scale: float | None,
    affine: Affine | None,
    input_shape: tuple[int, ...],
) -> InputGrid | None:
    """Return the grid of a model's input; None if images are multiples of ``input_scale``."""
    affine = affine or analysis.affine()
    added = any(
        synapse.target is None and synapse.tap.source == INPUT
        for layer in analysis.layers
        for synapse in layer.synapses
    )
    if pixels is None:
        # A shortcut from the input is a whole number of units, which need its scale.
        if affine is None and (input_scale is not None or not added):
            return None
        pixels = Pixels(scale=input_scale)
    elif input_scale is not None:
        raise ConfigError("pixels have a scale already: leave input_scale out")
    return InputGrid(pixels.channels(input_shape[0]), affine)


def _activation(module: fx.GraphModule, node: fx.Node, rectifier: Rectifier | None) -> Activation:
    """Return the activation to train with at a node: a copy of the user's own, or a new one."""
    assert rectifier is not None, "a layer that fires has one"
    if node.op == "call_module":
        original = module.get_submodule(str(node.target))
        if isinstance(original, Activation):
            return copy.deepcopy(original)
    made = SignedQCFS(slope=rectifier.slope) if rectifier.signed else QCFS()
    made.limit = rectifier.limit
    return made


def _set_levels(activation: Activation, levels: int, learn: str | None) -> None:
    """Set the levels of an activation, and, if ``learn`` is given, how they are learned."""
    if learn is not None:
        activation.learn(None)
    activation.set_levels(levels)  # an activation of the user's may be learning them
    if learn is not None:
        activation.learn(learn)


def _container(module: fx.GraphModule, name: str) -> str:
    """Return a name, free in the user's model, for the module that holds modules of ours."""
    while hasattr(module, name):
        name += "_"
    return name


def _quantize(module: fx.GraphModule, layer: LayerSpec, bits: int) -> None:
    """Replace the modules with a layer's weights by their quantized forms."""
    columns: dict[str, list[tuple[int, ...]]] = {}
    for synapse in layer.synapses:
        if synapse.target is not None:  # an identity has no weights of its own
            columns.setdefault(synapse.target, []).append(synapse.columns)
    for target, chosen in columns.items():
        original = module.get_submodule(target)
        # Logits are compared with each other, so the output layer has one scale for all.
        per_channel = layer.activation is not None
        if isinstance(original, QuantizedWeights) and chosen != [()]:
            quantized: nn.Module = QuantParts.of(
                original, original.bits, per_channel, chosen, original.scale
            )
        elif type(original) not in _QUANTIZED:
            continue  # the user has quantized it
        elif chosen == [()]:
            quantized = _QUANTIZED[type(original)].of(original, bits, per_channel)
        else:
            quantized = QuantParts.of(original, bits, per_channel, chosen)
        parent, _, name = target.rpartition(".")
        setattr(module.get_submodule(parent), name, quantized)


def _insert_shortcuts(
    analysis: Analysis, nodes: Mapping[str, fx.Node], bits: Mapping[str, int]
) -> dict[tuple[str, str], QuantShortcut]:
    """Insert the modules of shortcuts that need weights, and return them by their places."""
    module = analysis.module
    container = _container(module, "shortcuts")
    made: dict[tuple[str, str], QuantShortcut] = {}
    for layer in analysis.layers:
        for synapse in weighted_shortcuts(layer.synapses):
            assert synapse.place is not None
            reader, read = (nodes[name] for name in synapse.place)
            shortcut = QuantShortcut(
                analysis.shapes[read.name][0], max(DEFAULT_WEIGHT_BITS, bits[layer.name])
            )
            path = f"{container}.{layer.name}_{len(made)}"
            module.add_submodule(path, shortcut.to(device_of(module)).train(module.training))
            with module.graph.inserting_before(reader):
                call = module.graph.call_module(path, (read,))
            reader.replace_input_with(read, call)
            made[synapse.place] = shortcut
    return made


def _add_up(
    module: fx.GraphModule,
    layer: LayerSpec,
    sources: Mapping[str, Activation | float | None],
    shortcuts: Mapping[tuple[str, str], QuantShortcut],
) -> None:
    """Give the connections of a layer one unit, if there are several."""
    if len(layer.synapses) == 1:
        return
    branches = []
    for synapse in layer.synapses:
        weights = weights_of(module, synapse)
        if synapse.place is not None:
            weights = shortcuts.get(synapse.place)
        branches.append(
            Branch(
                sources[synapse.tap.source],
                synapse.divisor,
                weights,
                None if synapse.norm is None else module.get_submodule(synapse.norm),
                _filled(synapse.tap),
            )
        )
    addition = Addition(branches, output=layer.activation is None)
    for branch in branches:
        if isinstance(branch.module, QuantizedWeights):
            branch.module.addition = addition


def _filled(tap: Tap) -> Tensor | None:
    """Return which channels of a tap are not all 0; None if it has them all."""
    selection = None if tap.view is None else tap.view.channels
    if selection is None or None not in selection.chosen:
        return None
    return torch.tensor([place is not None for place in selection.chosen])


def _insert(graph: fx.Graph, node: fx.Node, path: str) -> None:
    """Insert a call of the module at ``path`` behind a node."""
    users = list(node.users)
    with graph.inserting_after(node):
        call = graph.call_module(path, (node,))
    for user in users:
        user.replace_input_with(node, call)


def _replace(graph: fx.Graph, node: fx.Node, path: str) -> None:
    """Replace a node by a call of the module at ``path``, with the same input."""
    with graph.inserting_after(node):
        call = graph.call_module(path, (node.all_input_nodes[0],))
    node.replace_all_uses_with(call)
    graph.erase_node(node)
