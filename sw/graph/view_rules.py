"""Rules for views: padding with zeros, slices, concatenations, and their opposite, splits."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.joining import beside, together
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import options_of, rule
from spikeloom.sw.graph.values import (
    SCALAR,
    UNKNOWN,
    Axis,
    Joined,
    Pieces,
    Tap,
    Value,
    View,
    map_shape,
)


@rule(torch.cat, torch.concat, torch.concatenate)
def _concatenate(context: Context, node: fx.Node, module: None) -> Value:
    options = dict(zip(("tensors", "dim"), node.args, strict=False)) | dict(node.kwargs)
    dim = options.get("dim", options.get("axis", 0))
    parts = options["tensors"]
    value = context.value(parts) if isinstance(parts, fx.Node) else None
    if value is UNKNOWN:
        return UNKNOWN
    rank = len(context.known_shape(node))
    if dim not in {1, -rank}:
        raise RefusalError(f"joins along dim={dim}, but only channels can be joined: use dim=1")
    if isinstance(value, Pieces):
        joined = [beside(p, n) for p, n in zip(value.parts, value.sizes, strict=True)]
    elif isinstance(parts, (tuple, list)) and all(isinstance(p, fx.Node) for p in parts):
        nodes = [part for part in parts if isinstance(part, fx.Node)]
        if any(context.value(part) is UNKNOWN for part in nodes):
            return UNKNOWN
        joined = [_beside(context, part) for part in nodes]
    else:
        raise RefusalError("joins tensors that are not known: list them in the call")
    context.note = "side by side"
    return _together(
        joined, ((i, place) for i, value in enumerate(joined) for place in range(len(value.places)))
    )


@rule(nn.ChannelShuffle, functional.channel_shuffle, torch.channel_shuffle)
def _shuffle(context: Context, node: fx.Node, module: nn.ChannelShuffle | None) -> Value:
    groups = options_of(node, module, ("groups",))["groups"]
    if context.input_value(node) is UNKNOWN:
        return UNKNOWN
    value = _beside(context, node.all_input_nodes[0])
    each = len(value.places) // groups
    context.note = "the channels in another order"
    return _together([value], ((0, g * each + i) for i in range(each) for g in range(groups)))


@rule(torch.chunk, torch.split, "chunk", "split", "tensor_split", torch.tensor_split)
def _split(context: Context, node: fx.Node, module: None) -> Value:
    options = options_of(node, None, ("sizes", "dim"))
    if options.get("dim", 0) not in (1, -len(context.known_shape(node.all_input_nodes[0]))):
        raise RefusalError("only channels can be split: use dim=1")
    if context.input_value(node) is UNKNOWN:
        return UNKNOWN
    given: Any = next((node.kwargs[k] for k in _SPLITS if k in node.kwargs), options.get("sizes"))
    name = str(getattr(node.target, "__name__", node.target))
    value = _beside(context, node.all_input_nodes[0])
    channels = torch.arange(len(value.places))
    function = getattr(torch, name)
    parts = function(channels, given if isinstance(given, int) else list(given))
    context.note = f"{len(parts)} parts"
    return Pieces(
        tuple(_together([value], ((0, i) for i in p.tolist())) for p in parts),
        tuple(len(p) for p in parts),
    )


_SPLITS = ("chunks", "split_size", "split_size_or_sections", "indices_or_sections", "sections")


@rule(operator.getitem)
def _getitem(context: Context, node: fx.Node, module: None) -> Value:
    source, index = node.args
    value = context.value(source) if isinstance(source, fx.Node) else SCALAR
    if value is SCALAR or value is UNKNOWN:
        return value
    if isinstance(value, Pieces):
        if isinstance(index, int):
            return value.parts[index]
        if not isinstance(index, slice):
            raise RefusalError("takes a part by a number that is not constant: write the number")
        return Pieces(value.parts[index], value.sizes[index])
    assert isinstance(source, fx.Node)
    shape = context.known_shape(source)
    slices = _slices(index, len(shape) + 1)
    if slices[0] != slice(None):
        raise RefusalError("takes some images of a batch: only channels, rows and columns")
    rows, columns = ((), slices[2:]) if len(shape) == 2 else (slices[2:3], slices[3:])
    channels = range(shape[0])[slices[1]]
    value = context.fired(source)
    if len(channels) < shape[0]:
        value = _together([_beside(context, source)], ((0, channel) for channel in channels))
    axes: list[tuple[int, int, int] | None] = []
    for chosen, size in zip((rows, columns), map_shape(shape)[1:], strict=False):
        picked = range(size)[chosen[0]] if chosen else range(size)
        axes.append(None if picked == range(size) else (picked.start, picked.step, len(picked)))
    context.note = "a part of the feature map"
    return _cut(context, source, value, axes)


def _slices(index: Any, rank: int) -> list[slice]:
    """Return an index as one slice for each axis."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if parts.count(Ellipsis) == 1:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (rank - len(parts) + 1)
    numbers = (int, type(None))
    for part in parts:
        if not isinstance(part, slice) or not all(
            isinstance(bound, numbers) for bound in (part.start, part.stop, part.step)
        ):
            raise RefusalError("tensors can only be indexed by constant slices: x[:, :, ::2, ::2]")
    return [slice(None) if p == slice(None, None, 1) else p for p in parts] + [slice(None)] * (
        rank - len(parts)
    )


@rule(nn.ZeroPad1d, nn.ZeroPad2d, nn.ConstantPad1d, nn.ConstantPad2d, functional.pad)
def _pad(context: Context, node: fx.Node, module: nn.ConstantPad2d | None) -> Value:
    options = options_of(node, module, ("padding" if module else "pad", "mode", "value"))
    if options.get("mode", "constant") != "constant" or options.get("value"):
        raise RefusalError("pads with something else than 0: pad with zeros, as nn.ZeroPad2d does")
    pads = options["padding" if module else "pad"]
    if not isinstance(pads, (tuple, list)) or not all(isinstance(p, int) for p in pads):
        raise RefusalError("pads by numbers that are not constant: use nn.ZeroPad2d")
    source = node.all_input_nodes[0]
    value = context.fired(source)
    if not isinstance(value, (Tap, Joined)):
        return UNKNOWN
    if not any(pads):
        context.redundant.append(node.name)
        context.note = "left out: pads nothing"
        return value
    shape = context.known_shape(source)
    sides = [(pads[i], pads[i + 1]) for i in range(0, len(pads), 2)]
    sides += [(0, 0)] * (len(shape) - len(sides))
    before, after = sides[len(shape) - 1] if len(sides) == len(shape) else (0, 0)
    if before < 0 or after < 0 or len(sides) > len(shape):
        raise RefusalError("pads the batch, or cuts channels: use a slice of the channels")
    if before or after:
        inside: list[tuple[int, int] | None] = [(0, i) for i in range(shape[0])]
        value = _together([_beside(context, source)], [*[None] * before, *inside, *[None] * after])
    axes = []
    for i, size in enumerate(reversed(map_shape(shape)[1:])):
        low, high = sides[i] if i < len(shape) - 1 else (0, 0)
        axes.append((-low, 1, size + low + high) if low or high else None)
    context.note = "padded with zeros, which the next layer's kernel allows for"
    return _cut(context, source, value, axes[::-1])


def _cut(
    context: Context,
    source: fx.Node,
    value: Value,
    axes: Iterable[tuple[int, int, int] | None],
) -> Value:
    """Return values of which rows and columns are left out, or added as zeros.

    Parameters
    ----------
    context : Context
    source : fx.Node
        Its shape is that of the values, but for channels.
    value : Tap or Joined
    axes : iterable of (int, int, int) or None
        First, step and count of rows, and of columns; None to leave them as they are.
    """
    axes = tuple(axes)
    if not any(axes):
        return value
    if isinstance(value, Joined):
        return replace(value, taps=tuple(_cut_tap(context, source, t, axes) for t in value.taps))
    return _cut_tap(context, source, value, axes) if isinstance(value, Tap) else value


def _cut_tap(
    context: Context, source: fx.Node, tap: Tap, axes: tuple[tuple[int, int, int] | None, ...]
) -> Tap:
    if tap.flat:
        raise RefusalError("cuts what has been flattened: cut the feature map ahead of that")
    view = tap.view or View()
    found = [view.rows, view.columns]
    for i, size in enumerate(map_shape(context.known_shape(source))[1:]):
        cut = axes[i]
        if cut is not None:
            try:
                found[i] = (found[i] or Axis(size, size)).part(*cut)
            except ValueError:
                raise RefusalError(
                    "pads with 0 what was cut out of a larger feature map: pad first"
                ) from None
    rows, columns = (None if axis is None or axis.whole else axis for axis in found)
    return replace(tap, view=replace(view, rows=rows, columns=columns))


def _beside(context: Context, node: fx.Node) -> Joined:
    value = context.fired(node)
    if not isinstance(value, (Tap, Joined)):
        raise RefusalError("joins or splits something else than feature maps: remove it")
    return beside(value, context.channels(node))


def _together(values: list[Joined], picked: Iterable[tuple[int, int] | None]) -> Tap | Joined:
    try:
        return together(values, picked)
    except ValueError:
        raise RefusalError("has nothing but zeros: leave it out") from None
