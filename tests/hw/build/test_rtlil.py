"""Designs in RTLIL: what Yosys is told of their memories."""

from __future__ import annotations

import re

import numpy as np
from amaranth.back import rtlil
from amaranth.lib import wiring
from support.hw.components import plan_of

from spikeloom.hw.build.rtlil import memories, separated
from spikeloom.hw.engine.buffer import RowBuffer
from spikeloom.hw.engine.pool import PoolUnit
from spikeloom.sw.network import Linear, SumPool

_MASK = re.compile(r"COLLISION_X_MASK (\d+'[01]+)\n")


def text(component: wiring.Component) -> str:
    return rtlil.convert(component, name="top", emit_src=False)


def test_a_row_buffer_needs_no_logic_for_collisions() -> None:
    (reader,) = plan_of((1, 4, 4), Linear(np.ones((1, 16), int)))["layer"].readers
    given = text(RowBuffer(reader.windows.buffer))
    assert _MASK.findall(given) == ["1'0"]
    found = separated(given)
    assert _MASK.findall(found) == ["1'1"]
    assert found.replace("COLLISION_X_MASK 1'1", "COLLISION_X_MASK 1'0") == given
    (one,) = memories(given)
    assert one.apart


def test_other_memories_keep_theirs() -> None:
    pooled = plan_of((1, 4, 4), Linear(np.ones((1, 4), int)), pool=SumPool((2, 2)))
    (reader,) = pooled["layer"].readers
    assert reader.pool is not None
    given = text(PoolUnit.of(reader.pool))
    assert separated(given) == given
    assert not any(one.apart for one in memories(given))
