from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from amaranth.back import verilog
from hypothesis import given, settings
from support.hw.components import Bench

from spikeloom.hw.engine import BernoulliCoder, InputUnit
from spikeloom.sw.golden.streams import pixel_stream
from spikeloom.sw.network import BernoulliInput, CountInput, DirectInput, SpikeInput
from spikeloom.sw.network.record import IntArray


def spikes_of(
    source: BernoulliInput, images: IntArray, stalls: tuple[float, float] = (0.0, 0.0)
) -> IntArray:
    """Return the spikes that the component makes of images, shape (N, spikes), as they come."""
    dut = BernoulliCoder(source)
    bench = Bench(dut)
    bench.put(dut.i, pixel_stream(source, images).flatten().tolist(), stalls[0])
    number = len(images) * math.prod(source.carried_shape)
    seen = bench.get(dut.o, number, stalls[1])
    bench.run()
    return np.array(seen).reshape(len(images), -1)


def in_order(source: BernoulliInput, spikes: IntArray) -> IntArray:
    """Return spikes, shape (N, T, *shape), as the input of spikes takes them."""
    return pixel_stream(SpikeInput(source.shape, source.timesteps), spikes)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_spikes_are_those_of_the_contract(data: st.DataObject) -> None:
    bits = data.draw(st.integers(1, 16))
    side = st.integers(1, 3)
    shape = data.draw(st.one_of(st.tuples(side), st.tuples(side, side, side)))
    source = BernoulliInput(
        shape, bits, data.draw(st.integers(1, 5)), data.draw(st.integers(0, (1 << 32) - 1))
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    images = rng.integers(0, 1 << bits, (2, *shape))
    stalls = data.draw(st.tuples(st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 0.5])))
    expected = in_order(source, source.carried(images))
    assert spikes_of(source, images, stalls).tolist() == expected.tolist()


@pytest.mark.parametrize("bits", range(1, 17))
def test_every_width_from_black_to_white(bits: int) -> None:
    highest = (1 << bits) - 1
    source = BernoulliInput((1, 1, 3), bits, timesteps=20, seed=bits)
    images = np.array([0, highest, (highest + 1) // 2, highest, 0, highest]).reshape(2, 1, 1, 3)
    seen = spikes_of(source, images)
    assert seen.tolist() == in_order(source, source.carried(images)).tolist()
    black, white = seen[0, :20], seen[0, 20:40]
    assert not black.any()
    assert white.all()


@pytest.mark.parametrize("timesteps", [1, 2, 5])
def test_every_image_begins_anew(timesteps: int) -> None:
    source = BernoulliInput((2, 2, 1), 8, timesteps, seed=4)
    image = np.array([100, 200, 30, 150]).reshape(1, 2, 2, 1)
    other = 255 - image
    seen = spikes_of(source, np.concatenate([image, other, image]))
    assert (
        seen[0].tolist() == seen[2].tolist() == in_order(source, source.carried(image))[0].tolist()
    )
    assert seen[0].tolist() != seen[1].tolist()


def test_a_spike_in_every_clock_cycle() -> None:
    source = BernoulliInput((2,), 8, timesteps=3)
    dut = BernoulliCoder(source)
    bench = Bench(dut)
    bench.put(dut.i, [7] * 4)
    bench.get(dut.o, 12)
    cycles = bench.watch(dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready)
    bench.run()
    assert cycles[:13] == [(0, 1), (0, 1), (1, 1)] * 4 + [(0, 0)]


def test_inputs_without_random_spikes_have_no_coder() -> None:
    for source in (DirectInput((2,), 8), CountInput((2,), 3), SpikeInput((2,), 3)):
        assert InputUnit.of(source) is None


@pytest.mark.parametrize(("bits", "timesteps"), [(1, 1), (8, 4), (11, 3), (16, 7)])
def test_becomes_verilog(bits: int, timesteps: int) -> None:
    coder = InputUnit.of(BernoulliInput((1, 2, 2), bits, timesteps))
    assert isinstance(coder, BernoulliCoder)
    assert "module coder" in verilog.convert(coder, name="coder")
