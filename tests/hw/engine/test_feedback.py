from __future__ import annotations

import pytest
from support.hw.components import STALLS, through

from spikeloom.hw.engine.feedback import Feedback
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.sw.network import Range


@pytest.mark.parametrize("stall_in", STALLS)
@pytest.mark.parametrize("stall_out", STALLS)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_every_image_begins_with_zeros_and_its_last_spikes_are_lost(
    steps: int, stall_in: float, stall_out: float
) -> None:
    dut = Feedback(StreamPlan(2, Range(-4, 3), 2, 1, 1, steps))
    sent = [[k % 8 - 4, 3 - k % 7] for k in range(1, 4 * steps + 1)]
    expected = [[0, 0]]
    for first in range(0, len(sent), steps):
        expected += [*sent[first : first + steps - 1], [0, 0]]
    assert through(dut, sent, len(sent) + 1, stall_in, stall_out) == expected
