"""Block RAM of memories, against what Yosys 0.70 made of them."""

from __future__ import annotations

import pytest

from spikeloom.hw.build.blocks import Memory
from spikeloom.hw.build.family import Family

#: Family, memory, and the blocks in Yosys' log of synthesis.
COUNTED = [
    # Constants: several blocks deep, where bits of all words are packed; and up to 2,048 bits.
    ("ecp5", Memory(4096, 256), 57),
    ("ecp5", Memory(2048, 256), 29),
    ("ecp5", Memory(4096, 64), 15),
    ("ecp5", Memory(288, 128), 4),
    ("ecp5", Memory(512, 13), 1),
    ("ecp5", Memory(8, 208), 0),
    ("ecp5", Memory(256, 16, forced=True), 1),
    ("ice40", Memory(288, 128), 16),
    ("gowin", Memory(288, 128), 4),
    # Rows: small memories of look-up tables cost less up to some depth. A part takes whole bytes.
    ("ecp5", Memory(80, 24, parts=2), 1),
    ("ecp5", Memory(40, 48, parts=1), 0),
    ("ecp5", Memory(32, 96, parts=1), 0),
    ("ecp5", Memory(224, 64, parts=4), 2),
    ("gowin", Memory(80, 24, parts=2), 1),
    ("gowin", Memory(32, 96, parts=1), 0),
    ("nexus", Memory(80, 24, parts=2), 1),
    ("ice40", Memory(40, 48, parts=1), 3),
    ("ice40", Memory(80, 24, parts=2), 2),
    # Queues are read in the same cycle, and a few words are logic where there is nothing smaller.
    ("ecp5", Memory(7, 512, parts=1, registered=False), 0),
    ("ice40", Memory(4, 224), 0),
]


@pytest.mark.parametrize(("family", "memory", "blocks"), COUNTED)
def test_blocks_are_those_that_yosys_makes(family: str, memory: Memory, blocks: int) -> None:
    assert Family.find(family).blocks(memory) == blocks


@pytest.mark.parametrize("name", ["ecp5", "ice40", "gowin", "nexus"])
def test_more_words_and_wider_words_never_take_less(name: str) -> None:
    family = Family.find(name)
    for parts in (0, 1):
        for width in (8, 33, 70):
            found = [family.blocks(Memory(2**k, width, parts)) for k in range(4, 16)]
            assert found == sorted(found)
        found = [family.blocks(Memory(1000, width, parts)) for width in range(1, 100)]
        assert found == sorted(found)
        assert found[-1] >= 99 * 1000 / 18432
