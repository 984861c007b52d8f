from __future__ import annotations

import torch
from support.cosim.layers import IMAGES, engine, record

from spikeloom.sim.order import in_hardware_order


def test_hardware_order_is_the_specified_one() -> None:
    layer = engine(shape=(5, 2, 3), timesteps=4)
    values = torch.arange(4 * IMAGES * 5 * 2 * 3).reshape(4, IMAGES, 5, 2, 3)
    records = in_hardware_order(layer, values)
    for image, y, x, group, t, lane in [(0, 0, 0, 0, 0, 0), (1, 0, 2, 1, 3, 1), (2, 1, 2, 2, 0, 0)]:
        at = record(layer, image, y, x, group, t)
        assert records[at, lane] == values[t, image, group * 2 + lane, y, x]
    assert not records.reshape(-1, 3, 4, 2)[:, 2, :, 1].any(), "the unused lane is 0"
