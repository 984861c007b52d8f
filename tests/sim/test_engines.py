"""Both engines, on whole and on broken hardware, beside each other."""

from __future__ import annotations

import pytest
from support.cosim.tiny import (
    COUNT,
    HANG,
    LAST,
    MISSING,
    POTENTIAL,
    SURPLUS,
    UNSTABLE,
    tiny_images,
)

from spikeloom.sim.cosim import Cosimulator

pytestmark = pytest.mark.xdist_group("tiny")

IMAGES = 6
DEFECTS = (0, POTENTIAL, HANG, SURPLUS, MISSING, LAST, UNSTABLE, COUNT)


@pytest.mark.parametrize("stalls", [(0.0, 0.0), (0.4, 0.7)])
@pytest.mark.parametrize("defect", DEFECTS)
def test_both_engines_report_the_same(
    tiny: Cosimulator, tiny_in_cocotb: Cosimulator, defect: int, stalls: tuple[float, float]
) -> None:
    native, cocotb = (
        engine.run(
            tiny_images(IMAGES),
            stalls=stalls,
            seed=3,
            stuck_after=2000,
            plusargs=[f"+defect={defect}"],
            counts=["hidden"],
        )
        for engine in (tiny, tiny_in_cocotb)
    )
    assert native.equal is (defect in (0, UNSTABLE)[: 1 if stalls[1] else 2])
    assert native.as_dict() == cocotb.as_dict()
    assert native.logits.tolist() == cocotb.logits.tolist()
    assert native.counts["hidden"].tolist() == cocotb.counts["hidden"].tolist()
