"""Benchmarks: the networks that stand beside peers', their figures, and the page's marks."""

from __future__ import annotations

import numpy as np
import pytest
from support.networks.examples import everything

from benchmarks import bench, page
from spikeloom.hw.boards import Resources
from spikeloom.hw.planning import plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw import datasets
from spikeloom.sw.datasets import Dataset


def test_every_part_has_its_place_on_the_page() -> None:
    content = bench.PAGE.read_text(encoding="utf-8")
    for part in ("peers", "zoo", "events", "growth"):
        _, between, _ = page.parts(content, part)
        assert between.startswith("| "), part
    assert (bench.PICTURES / "events.png").read_bytes().startswith(b"\x89PNG")


def test_images_are_averaged_and_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.zeros((1, 1, 28, 28), np.uint8)
    images[0, 0, :2, :2] = [[255, 255], [0, 0]]
    images[0, 0, 2, 2] = 34
    given = Dataset.from_arrays(images, [3], classes=10, bits=8)
    monkeypatch.setattr(datasets, "load", lambda *_: given)
    small = bench.SMALL.data("test", bench.PAGE)
    # Means of four pixels, in fifteenths of 255: 127.5 is 7.5, rounded to even, and 8.5 is 0.5.
    assert small.shape == (1, 14, 14)
    assert (small.bits, small.images[0, 0, 0, 0], small.images[0, 0, 1, 1]) == (4, 8, 0)
    assert bench.WIDE.data("test", bench.PAGE).images[0, 0, 2, 2] == 2
    assert small.labels.tolist() == [3]


def test_the_ratio_compares_cycles_with_events(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Resources(1, 2, 3, 0)
    monkeypatch.setattr(bench, "area", lambda *_: type("Area", (), {"whole": found}))
    net = everything()
    images = np.ones((3, *net.input.image_shape), np.int64)
    measured = bench.measure(net, images)
    planned = plan(net)
    predicted = predict(planned, activity(net, images))
    most = max(x.events.mean() / planned[x.name].events for x in predicted.layers)
    assert measured.resources is found
    assert measured.cycles == predicted.interval
    assert measured.ratio == pytest.approx(measured.cycles / most)
    assert measured.ratio >= 1
