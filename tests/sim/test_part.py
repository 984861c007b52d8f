"""Runs that are made in parts."""

from __future__ import annotations

import pytest
from support.cosim.tiny import CRASH, HANG, POTENTIAL, tiny_images

from spikeloom.sim.cosim import Cosimulator
from spikeloom.sim.divergence import Tally
from spikeloom.sw.errors import ToolError

pytestmark = pytest.mark.xdist_group("tiny")


def test_parts_are_put_together(tiny: Cosimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    images = tiny_images(11)
    whole = tiny.run(images, counts=["hidden"])
    monkeypatch.setattr("spikeloom.sim.cosim.PART_IMAGES", 4)
    seen: list[tuple[str, int, int]] = []
    parts = [
        tiny.run(images, counts=["hidden"], jobs=jobs, progress=lambda *args: seen.append(args))
        for jobs in (1, 2)
    ]
    assert parts[0].as_dict() == parts[1].as_dict()
    for report in parts:
        assert report.equal
        assert report.compared == whole.compared
        assert report.logits.tolist() == whole.logits.tolist()
        assert report.counts["hidden"].tolist() == whole.counts["hidden"].tolist()
        # 31 cycles for each image, and one more at each start.
        assert (whole.cycles, report.cycles) == (11 * 31 + 1, 11 * 31 + 3)
        assert (report.interval, report.latency) == (31, 32)
        assert report.layers[0].counters["cycles"] == whole.layers[0].counters["cycles"]
    assert {total for _, _, total in seen} == {11}
    assert ("simulate", 11, 11) in seen
    assert ("compare", 11, 11) in seen


def test_a_part_names_images_of_the_whole_run(
    tiny: Cosimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.sim.cosim.PART_IMAGES", 3)
    report = tiny.run(
        tiny_images(6), stuck_after=2000, plusargs=[f"+defect={HANG}"], labels=[0] * 6
    )
    # Both parts hang at their second image.
    assert report.labels.tolist()[1:3] == [-1, -1]
    assert report.labels[3] >= 0
    assert report.layers[0].tallies["spikes"] == Tally(36 * 6, 36 * 4)
    assert report.stuck is not None
    assert "waited for logit 0 of image 1 (2 of 6 given)" in report.stuck
    wrong = tiny.run(tiny_images(6), plusargs=[f"+defect={POTENTIAL}"])
    assert wrong.divergence is not None
    assert wrong.divergence.image == 2
    monkeypatch.setattr("spikeloom.sim.cosim.PART_IMAGES", 2)
    assert tiny.run(tiny_images(6), plusargs=[f"+defect={POTENTIAL}"]).equal


def test_a_failure_in_one_part_ends_the_others(
    tiny: Cosimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.sim.cosim.PART_IMAGES", 2)
    with pytest.raises(ToolError, match=r"simulation\.log says:(.|\n)*a crash was asked for"):
        tiny.run(tiny_images(20), plusargs=[f"+defect={CRASH}"], jobs=2)
