"""Layout: the words in which a connection's source is stored, and its weights in this order.

A dense connection reads whole positions, so that the part of a row under a kernel is contiguous. A
grouped convolution reads, for each lane group (M output channels), only the words that hold the
source channels of its convolution groups. That includes depthwise convolutions, and residual
identities, which are depthwise convolutions of a single weight.
"""

from __future__ import annotations

import numpy as np

from spikeloom.hw.options import MOST_WORD_VALUES
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.planning.synapses import convolution
from spikeloom.hw.planning.windows import BufferPlan, Share, WindowPlan
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Synapses
from spikeloom.sw.network.record import IntArray


def windows_of(
    synapses: Synapses, source: StreamPlan, target: StreamPlan, events: int, slots: int
) -> WindowPlan:
    """Return the windows of a connection."""
    shape = (target.height, target.width)
    conv = convolution(synapses, source)
    kernel, stride, padding, groups = conv.kernel, conv.stride, conv.padding, conv.groups
    outs, ins = len(conv.weight) // groups, conv.weight.shape[1]
    if groups == 1:
        buffer = BufferPlan(source, _chunks(source, events, slots), rows=1)
        return WindowPlan(buffer, kernel, stride, padding, shape, events)
    buffer = BufferPlan(source, _grouped_chunks(source, ins, events), rows=1)
    share = _share(buffer, target, outs, ins)
    return WindowPlan(buffer, kernel, stride, padding, shape, events, share=share)


def kernel_of(synapses: Synapses, windows: WindowPlan, target: StreamPlan) -> IntArray:
    """Return the weights of a connection, in the order in which they are read."""
    source, share = windows.buffer.stream, windows.share
    conv = convolution(synapses, source)
    weight, groups = conv.weight, conv.groups
    dense = np.zeros((target.stored_channels, source.stored_channels, *conv.kernel), np.int64)
    outs, ins = len(weight) // groups, weight.shape[1]
    for group in range(groups):
        # The output channels of a convolution group lie together, and so do its source channels.
        rows = slice(group * outs, (group + 1) * outs)
        dense[rows, group * ins : (group + 1) * ins] = weight[rows]
    if share is None:
        return np.ascontiguousarray(dense.transpose(0, 2, 3, 1))
    size = windows.buffer.word_values
    stored = np.zeros((target.stored_channels, *conv.kernel, share.words * size), np.int64)
    for lane_group, first in enumerate(share.firsts):
        rows = slice(lane_group * target.lanes, (lane_group + 1) * target.lanes)
        kept = dense[rows, first * size : (first + share.words) * size]
        stored[rows] = kept.transpose(0, 2, 3, 1)
    return stored


def _chunks(source: StreamPlan, events: int, slots: int) -> int:
    """Return how many transfers to put into a word.

    Enough for each bank to get its slots, and a multiple of E values. Where that leaves a choice,
    the channels of a position fill whole words, so that nothing has to be masked.
    """
    goal = min(slots * events, MOST_WORD_VALUES, source.row_values)
    most = max(MOST_WORD_VALUES, source.lanes * events)
    sizes = [n for n in range(source.lanes, most + 1, source.lanes) if n % events == 0]
    aligned = [n for n in sizes if source.stored_channels % n == 0 and 2 * n >= goal]
    size = (
        min((n for n in aligned if n >= goal), default=0)
        or max(aligned, default=0)
        or min((n for n in sizes if n >= goal), default=sizes[-1])
    )
    return size // source.lanes


def _grouped_chunks(source: StreamPlan, channels: int, events: int) -> int:
    """Return how many transfers to put into a word that does not cross positions.

    As few values as a convolution group has, or as E needs: all others in a word are read for
    nothing.

    Parameters
    ----------
    source : StreamPlan
    channels : int
        Number of source channels in a convolution group.
    events : int
        E.
    """
    sizes = [
        n
        for n in range(source.lanes, source.stored_channels + 1, source.lanes)
        if source.stored_channels % n == 0 and n % events == 0
    ]
    if not sizes:
        raise ConfigError(
            f"events = {events} must divide the {source.stored_channels} stored channels of its "
            f"source (the channels, filled up to a multiple of the source's lanes): choose 1 or "
            f"another divisor, or give events by layer"
        )
    goal = min(channels, MOST_WORD_VALUES)
    return min((n for n in sizes if n >= goal), default=sizes[-1]) // source.lanes


def _share(buffer: BufferPlan, target: StreamPlan, outs: int, ins: int) -> Share:
    """Return which words of a position each lane group reads.

    ``outs`` and ``ins`` are the numbers of output and source channels in a convolution group.
    """
    size = buffer.word_values
    position = buffer.stream.stored_channels // size
    spans = []
    for lane_group in range(target.lane_groups):
        start = lane_group * target.lanes
        channels = range(start, min(start + target.lanes, target.channels))
        low, high = channels[0] // outs * ins, (channels[-1] // outs + 1) * ins
        spans.append((low // size, (high - 1) // size))
    words = max(last - first + 1 for first, last in spans)
    firsts = tuple(min(first, position - words) for first, _ in spans)
    return Share(words, position, firsts)
