from __future__ import annotations

import itertools
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.hw.components import plain_if, plan_of
from support.networks.examples import ints, logits_layer

from spikeloom.hw.planning import HardwareConfig, LayerPlan, plan
from spikeloom.hw.planning.connection import ConnectionPlan, spare_rows
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    DirectInput,
    Identity,
    Layer,
    Linear,
    Network,
    Range,
    SumPool,
    Synapses,
)

Array = np.ndarray[Any, Any]


def drawn_synapses(draw: st.DrawFn, source: tuple[int, int, int], outs: int) -> Synapses:
    """Return synapses that keep the size of a map."""
    channels, _, _ = source
    rng = np.random.default_rng(draw(st.integers(0, 1 << 16)))
    if channels == outs and draw(st.booleans()):
        return Identity(rng.integers(-9, 9, channels))
    most = int(np.gcd(channels, outs))
    groups = draw(st.sampled_from([g for g in range(1, most + 1) if most % g == 0]))
    pads = draw(st.tuples(st.integers(0, 1), st.integers(0, 1)))
    kernel = (2 * pads[0] + 1, 2 * pads[1] + 1)
    weight = rng.integers(-9, 9, (outs, channels // groups, *kernel))
    return Conv2d(weight, padding=pads, groups=groups)


@st.composite
def layers_with_connections(draw: st.DrawFn) -> LayerPlan:
    """A layer with one to three connections to one source, and random lanes and events."""
    source = (draw(st.integers(1, 6)), draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    source_lanes = draw(st.integers(1, source[0]))
    stored = -(-source[0] // source_lanes) * source_lanes
    synapses: list[Synapses]
    if draw(st.booleans()):
        outs, size = draw(st.integers(1, 6)), int(np.prod(source))
        rng = np.random.default_rng(draw(st.integers(0, 1 << 16)))
        number = draw(st.integers(1, 2))
        synapses = [Linear(rng.integers(-9, 9, (outs, size))) for _ in range(number)]
        events = draw(st.integers(1, 5))
    else:
        outs = draw(st.sampled_from([1, source[0], source[0], 2 * source[0]]))
        number = draw(st.integers(1, 3))
        synapses = [drawn_synapses(draw, source, outs) for _ in range(number)]
        events = draw(st.sampled_from([e for e in range(1, 7) if stored % e == 0]))
    copy = Conv2d(np.eye(source[0], dtype=np.int64)[:, :, None, None])
    neurons = plain_if(source[0], 3)
    layers = [Layer("source", 2, neurons, (Connection("input", "count", copy),))]
    connections = tuple(Connection("source", "count", s) for s in synapses)
    layers.append(Layer("layer", 2, plain_if(outs, 9), connections))
    shape = synapses[0].shape(source)
    layers.append(logits_layer("layer", np.ones((1, int(np.prod(shape))), np.int64)))
    lanes = {"source": source_lanes, "layer": draw(st.integers(1, outs))}
    config = HardwareConfig(lanes, {"layer": events})
    return plan(Network(DirectInput(source, bits=2), tuple(layers)), config)["layer"]


def as_convolution(reader: ConnectionPlan) -> Array:
    """Return the dense weights of synapses: (outs, source channels, height, width)."""
    stream, synapses = reader.stream, reader.connection.synapses
    if isinstance(synapses, Linear):
        return synapses.weight.reshape(-1, stream.channels, stream.height, stream.width)
    if isinstance(synapses, Identity):
        return np.diag(synapses.weight)[:, :, None, None]
    assert isinstance(synapses, Conv2d)
    outs, ins = len(synapses.weight), synapses.weight.shape[1]
    dense = np.zeros((outs, ins * synapses.groups, *synapses.kernel), np.int64)
    for out in range(outs):
        group = out * synapses.groups // outs
        dense[out, group * ins : (group + 1) * ins] = synapses.weight[out]
    return dense


@given(planned=layers_with_connections())
@settings(max_examples=150)
def test_every_weight_is_where_its_address_says(planned: LayerPlan) -> None:
    lanes, events = planned.lanes, planned.events
    banks = [np.array(planned.bank(e)) for e in range(events)]
    found = [np.zeros(bank.shape, np.int64) for bank in banks]
    for reader in planned.readers:
        windows, weight = reader.windows, as_convolution(reader)
        stored, share = reader.stream.stored_channels, windows.share
        read = share.words * windows.buffer.word_values if share else stored
        for out, channel, y, x in itertools.product(*map(range, weight.shape)):
            group = out // lanes
            first = share.firsts[group] * windows.buffer.word_values if share else 0
            if not 0 <= channel - first < read:
                assert weight[out, channel, y, x] == 0, "a weight of a word that is not read"
                continue
            value = x * read + channel - first
            address = reader.first + (group * weight.shape[2] + y) * windows.span + value // events
            assert banks[value % events][address, out % lanes] == weight[out, channel, y, x]
            found[value % events][address, out % lanes] += 1
    for bank, times in zip(banks, found, strict=True):
        assert times.max() <= 1, "two weights at one place"
        # What no weight is found at multiplies lanes, channels or columns that do not exist.
        assert (bank[times == 0] == 0).all()


@given(planned=layers_with_connections())
@settings(max_examples=50)
def test_connections_lie_one_behind_the_other(planned: LayerPlan) -> None:
    first = 0
    for reader in planned.readers:
        assert reader.first == first
        words = [len(reader.bank(e, planned.lanes)) for e in range(planned.events)]
        size = planned.target.lane_groups * reader.kernel.shape[1] * reader.windows.span
        assert words == [size] * planned.events
        first += words[0]
    assert [len(planned.bank(e)) for e in range(planned.events)] == [first] * planned.events


class TestStreams:
    """Alignment of a source's timesteps, by the definition in the contract."""

    def reader(self, transport: str, steps: int, own: int, pool: Any = None) -> ConnectionPlan:
        """Return a reader of ``steps`` timesteps in a layer of ``own``; counts beside spikes."""
        copy = Identity(ints(1, 1))
        layers = (
            Layer("source", steps, plain_if(2, 3), (Connection("input", "count", copy),)),
            Layer("spiky", steps, plain_if(2, 3), (Connection("source", "spikes", copy),)),
            Layer("layer", own, plain_if(2, 3), (Connection("source", transport, copy, pool),)),
        )
        size = 2 * 2 * 2 if pool is None else 2
        out = logits_layer("layer", np.ones((1, size), np.int64))
        network = Network(DirectInput((2, 2, 2), bits=2), (*layers, out))
        return plan(network)["layer"].readers[0]

    def test_counts_of_spikes_are_summed(self) -> None:
        reader = self.reader("count", 3, 2)
        assert reader.alignment is not None
        assert reader.alignment.summed
        assert (reader.source.steps, reader.stream.steps) == (3, 1)
        assert (reader.source.values, reader.stream.values) == (Range(0, 1), Range(0, 3))
        assert reader.windows.steps == (0,), "a constant current is computed once"

    def test_equal_timesteps_pass(self) -> None:
        reader = self.reader("spikes", 3, 3)
        assert reader.alignment is None
        assert reader.windows.steps == (0, 1, 2)

    def test_truncated_steps_are_not_kept(self) -> None:
        reader = self.reader("truncate", 5, 3)
        assert reader.alignment is not None
        assert not reader.alignment.summed
        assert reader.stream.steps == 3
        assert reader.windows.steps == (0, 1, 2)

    def test_replicated_steps_are_read_again(self) -> None:
        reader = self.reader("replicate", 2, 4)
        assert reader.alignment is None
        assert reader.windows.steps == (0, 0, 1, 1)

    def test_pools_come_behind(self) -> None:
        reader = self.reader("count", 3, 2, SumPool((2, 2)))
        assert reader.alignment is not None
        assert reader.pool is not None
        assert reader.pool.source == reader.alignment.target
        assert reader.stream.values == Range(0, 12)


@pytest.mark.parametrize(
    ("synapses", "spare"),
    [
        (Linear(np.ones((1, 20), np.int64)), 5),
        (Conv2d(np.ones((1, 1, 2, 2), np.int64), (2, 1)), 2),
        (Identity(ints(1)), 1),
    ],
    ids=["linear", "convolution", "identity"],
)
def test_spare_rows(synapses: Synapses, spare: int) -> None:
    reader = plan_of((1, 5, 4), synapses)["layer"].readers[0]
    assert spare_rows(reader) == spare
    assert reader.windows.buffer.rows == max(x.need for x in reader.windows.lines) + spare


def test_spare_rows_behind_a_layer_are_those_that_its_next_map_begins_with() -> None:
    # Three rows of the first window; of the input, which sends fast, only what a line releases.
    conv = Conv2d(np.ones((1, 1, 3, 3), np.int64))
    behind = plan_of((1, 5, 4), conv, incoming="spikes", timesteps=2)["layer"].readers[0]
    assert spare_rows(behind) == 3
    assert spare_rows(plan_of((1, 5, 4), conv)["layer"].readers[0]) == 1


class TestBuffers:
    """A buffer that cannot hold the rows of a line would wait for ever."""

    @pytest.mark.parametrize(
        ("height", "kernel", "stride", "padding", "capacity"),
        [
            (6, 3, 1, 1, 4),
            (6, 3, 1, 0, 4),
            (7, 2, 5, 0, 10),
            (7, 1, 3, 0, 6),
            (2, 4, 1, 2, 3),
            (1, 3, 2, 1, 3),
            (9, 2, 2, 0, 5),
            (5, 5, 1, 0, 6),
        ],
    )
    def test_rows(self, height: int, kernel: int, stride: int, padding: int, capacity: int) -> None:
        synapses = Conv2d(np.ones((1, 1, kernel, 1), np.int64), (stride, 1), (padding, 0))
        windows = plan_of((1, height, 2), synapses)["layer"].readers[0].windows
        assert windows.buffer.rows == capacity
        assert capacity >= max(line.need for line in windows.lines) + stride, "and room to go on"

    def test_linear_keeps_two_maps(self) -> None:
        windows = plan_of((1, 3, 2), Linear(np.ones((1, 6), np.int64)))["layer"].readers[0].windows
        assert windows.buffer.rows == 6
