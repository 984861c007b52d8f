"""docs/calibration.md has the rows that its command writes."""

from __future__ import annotations

from benchmarks import calibration, page
from benchmarks.calibration import DEEP_DATA, HEADER, VARIANTS


def test_the_page_has_every_variant() -> None:
    _, between, _ = page.parts(calibration.PAGE.read_text(encoding="utf-8"), "accuracies")
    header, _, *rows = [line.strip("| ").split(" | ") for line in between.splitlines()]
    assert header == [name.removeprefix("#") for name in HEADER]
    neurons = list(dict.fromkeys(variant.neuron for variant in VARIANTS))
    expected = [
        [data, *cells]
        for data in DEEP_DATA
        for cells in (
            ["ladder", "count transport at T = L", "-", "-"],
            *([neuron, "nothing", "-", "-"] for neuron in neurons),
            *(variant.cells() for variant in VARIANTS),
        )
    ]
    assert [row[:-1] for row in rows] == expected
    assert all(0 < float(row[-1]) <= 100 for row in rows)
