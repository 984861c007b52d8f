"""Runs that are made in parts."""

from __future__ import annotations

import weakref

import numpy as np
import numpy.typing as npt
import pytest
from support.cosim.tiny import CRASH, HANG, POTENTIAL, tiny_images

from spikeloom.sim.cosim import Cosimulator
from spikeloom.sim.divergence import Tally
from spikeloom.sim.records import LayerRecords, RecordFile
from spikeloom.sw.errors import DataError, ToolError

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
        assert report.work == whole.work
        assert report.work is not None
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


class InAFile:
    """Images that are read a slice at a time, and count how many of them are in memory."""

    def __init__(self, images: npt.NDArray[np.int64]) -> None:
        self._images, self.shape = images, images.shape
        self.held = self.most = self.read = 0

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, which: slice, /) -> npt.NDArray[np.int64]:
        given = self._images[which].copy()
        self.read += len(given)
        self.held += len(given)
        self.most = max(self.most, self.held)
        weakref.finalize(given, self._let_go, len(given))
        return given

    def _let_go(self, images: int) -> None:
        self.held -= images


@pytest.mark.parametrize("jobs", [1, 2])
def test_memory_does_not_grow_with_the_number_of_images(
    tiny: Cosimulator, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    held = weakref.WeakSet[LayerRecords]()
    most_records, longest = 0, 0
    begin, read = LayerRecords.__init__, RecordFile.__getitem__

    def counted(self: LayerRecords, *arguments: object) -> None:
        nonlocal most_records
        begin(self, *arguments)  # type: ignore[arg-type]
        held.add(self)
        most_records = max(most_records, len(held))

    def watched(self: RecordFile, which: slice) -> object:
        nonlocal longest
        words = read(self, which)
        longest = max(longest, len(words))
        return words

    monkeypatch.setattr(LayerRecords, "__init__", counted)
    monkeypatch.setattr(RecordFile, "__getitem__", watched)
    monkeypatch.setattr("spikeloom.sim.cosim.PART_IMAGES", 4)
    # 12 neurons with 3 timesteps each, and 2 with one.
    monkeypatch.setattr("spikeloom.sim.part._BATCH_VALUES", 2 * 38)
    images = tiny_images(40)
    source = InAFile(images)
    report = tiny.run(source, jobs=jobs)
    assert report.equal
    assert report.as_dict() == tiny.run(images, jobs=jobs).as_dict()
    assert source.read == 2 * 40, "once to be checked, once to be simulated"
    assert source.most <= jobs * 4, "a part of each job"
    assert source.held == 0
    assert most_records <= jobs * 2, "the two layers of each job's part"
    # A record is a timestep of two lanes: 4 positions, 2 groups and 3 timesteps in two images.
    assert longest == 2 * 4 * 2 * 3


def test_images_in_a_file_are_checked_ahead(
    tiny: Cosimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.sim.cosim.PART_IMAGES", 4)
    images = tiny_images(10)
    images[9, 0, 1, 0] = 16
    with pytest.raises(DataError, match=r"^image 9 holds 16 at \(0, 1, 0\)"):
        tiny.run(InAFile(images))
    with pytest.raises(DataError, match="there are no images"):
        tiny.run(InAFile(images[:0]))
