from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.hw.components import plan_of
from support.networks.examples import ints, logits_layer

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.sw.network import Connection, Conv2d, DirectInput, Ladder, Layer, Linear, Network


def test_weights_of_lanes_that_fill_up_are_zero() -> None:
    ladder = Ladder(ints([1], [2], [3]))
    first = Connection("input", "count", Conv2d(np.ones((3, 1, 1, 1), np.int64)))
    network = Network(
        DirectInput((1, 2, 2), bits=2),
        (
            Layer("conv", 1, ladder, (first,)),
            logits_layer("conv", np.arange(1, 25).reshape(2, 12)),
        ),
    )
    planned = plan(network, HardwareConfig(lanes={"conv": 2, "out": 1}))["out"]
    kernel = planned.readers[0].kernel
    assert kernel.shape == (2, 2, 2, 4)
    # Torch's order is channel, row, column; the stored order is row, column, channel.
    assert kernel[0, :, :, :3].tolist() == [
        [[1, 5, 9], [2, 6, 10]],
        [[3, 7, 11], [4, 8, 12]],
    ]
    assert (kernel[..., 3] == 0).all()


class TestShare:
    def share(self, groups: int, ins: int, outs: int, lanes: int, events: int = 1) -> Any:
        weight = np.ones((outs, ins // groups, 1, 1), np.int64)
        synapses = Conv2d(weight, groups=groups)
        planned = plan_of((ins, 1, 1), synapses, lanes=lanes, events=events)["layer"]
        return planned.readers[0].windows

    def test_depthwise_reads_one_word_for_each_group(self) -> None:
        windows = self.share(groups=8, ins=8, outs=8, lanes=2)
        assert windows.buffer.word_values == 1
        assert windows.share.words == 2
        assert windows.share.firsts == (0, 2, 4, 6)
        windows = self.share(groups=8, ins=8, outs=8, lanes=2, events=2)
        assert (windows.share.words, windows.share.firsts) == (1, (0, 1, 2, 3))

    def test_a_group_that_crosses_two_of_the_convolution_reads_both(self) -> None:
        windows = self.share(groups=2, ins=4, outs=6, lanes=2)
        assert windows.buffer.word_values == 2
        # Channels 0, 1 and 4, 5 are of one group; 2, 3 of both. All read as many words.
        assert (windows.share.words, windows.share.firsts) == (2, (0, 0, 0))

    def test_dense_convolutions_share_nothing(self) -> None:
        assert self.share(groups=1, ins=4, outs=6, lanes=2) is not None
        assert self.share(groups=1, ins=4, outs=6, lanes=2).share is None


class TestWords:
    @pytest.mark.parametrize("events", [1, 2, 3, 4, 5, 8, 70])
    @pytest.mark.parametrize(("channels", "side"), [(1, 1), (1, 9), (16, 4), (12, 3), (100, 1)])
    def test_words_serve_every_bank(self, events: int, channels: int, side: int) -> None:
        weight = np.ones((1, channels * side * side), np.int64)
        windows = (
            plan_of((channels, side, side), Linear(weight), events=events)["layer"]
            .readers[0]
            .windows
        )
        assert windows.buffer.word_values % events == 0
        assert windows.slots >= 1
        assert windows.buffer.word_values <= max(64, events)

    def test_words_are_aligned_where_that_is_possible(self) -> None:
        weight = np.ones((1, 16, 3, 3), np.int64)
        windows = (
            plan_of((16, 4, 4), Conv2d(weight, padding=(1, 1)), events=2)["layer"]
            .readers[0]
            .windows
        )
        assert windows.buffer.word_values == 16
        assert windows.aligned
