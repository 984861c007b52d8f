"""Benchmarks: the networks that stand beside peers', their figures, and the page's marks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from support.hw.networks import showcase
from support.networks.examples import everything

from benchmarks import accelerators, bench, page, pictures
from spikeloom.hw.boards import Resources
from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw import datasets
from spikeloom.sw.datasets import Dataset


def test_every_part_has_its_place_on_the_page() -> None:
    content = bench.PAGE.read_text(encoding="utf-8")
    for part in bench.PARTS:
        _, between, _ = page.parts(content, part)
        assert between.startswith("| "), part
    for name in ("pareto", "events", "timesteps", "widths", "growth"):
        assert f"(benchmarks/{name}.png)" in content
        assert (pictures.FOLDER / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_parts_are_asked_for_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "page.md"
    copy.write_text("".join(f"<!-- {x} -->\n<!-- /{x} -->\n" for x in bench.PARTS))
    monkeypatch.setattr(bench, "PAGE", copy)
    monkeypatch.setattr(bench, "WITH_MNIST", dict.fromkeys(bench.WITH_MNIST, str))
    monkeypatch.setattr(bench, "WITHOUT", {x: lambda: "figures" for x in bench.WITHOUT})

    def written() -> list[str]:
        return [x for x in bench.PARTS if page.parts(copy.read_text(), x)[1]]

    bench.main(["growth", "events"])
    assert written() == ["events", "growth"]
    bench.main([])
    assert written() == list(bench.WITHOUT)
    bench.main(["--data", "folder", "zoo"])
    assert page.parts(copy.read_text(), "zoo")[1] == str(Path("folder", "mnist"))
    for wrong, message in (("zoo", "peers, zoo, pareto need --data"), ("no", "no part 'no'")):
        with pytest.raises(SystemExit):
            bench.main([wrong])
        assert message in capsys.readouterr().err


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
    monkeypatch.setattr(accelerators, "whole", lambda *_: found)
    net = everything()
    sent = activity(net, np.ones((3, *net.input.image_shape), np.int64))
    planned = plan(net)
    measured = accelerators.measure(planned, sent)
    predicted = predict(planned, sent)
    most = max(x.events.mean() / x.events_per_cycle for x in predicted.layers)
    assert measured.resources is found
    assert measured.cycles == predicted.interval
    assert measured.ratio == pytest.approx(measured.cycles / most)
    assert measured.ratio >= 1
    assert measured.cells() == ["1", "2", "3", f"{measured.cycles:,.0f}"]


def test_lanes_in_words() -> None:
    net = showcase()
    config = HardwareConfig(
        lanes={"conv": 3, "steps": 5, "spiking": 2, "out": 1},
        events={"steps": 3},
    )
    assert accelerators.lanes(plan(net, config)) == "3, 5x3, 2, 1"
    copied = dataclasses.replace(config, copies={"conv": 2})
    assert accelerators.lanes(plan(net, copied)) == "3 (C = 2), 5x3, 2, 1"
    unrolled = HardwareConfig(lanes={"steps": 1, "spiking": 1, "out": 1}, planes={"conv": 3})
    assert accelerators.lanes(plan(net, unrolled)) == "3 (P = 3), 1, 1, 1"
