"""Tables between marks; docs/neurons.md has those that its command writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import neurons, page
from benchmarks.activity import Activity
from benchmarks.lanes import ADDERS, UNITS, Cells
from benchmarks.neurons import Row, Variant

TEXT = neurons.PAGE.read_text(encoding="utf-8")


def test_table() -> None:
    assert page.table(("a", "#b"), [("x", "1")]) == "| a | b |\n| --- | ---: |\n| x | 1 |"


def test_replace_leaves_the_rest_alone(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("one\n<!-- x -->\n<!-- /x -->\ntwo\n<!-- y -->\nz\n<!-- /y -->\n")
    for text in ("new\nlines", "newer"):
        page.replace(path, "x", text)
        assert path.read_text() == (
            f"one\n<!-- x -->\n{text}\n<!-- /x -->\ntwo\n<!-- y -->\nz\n<!-- /y -->\n"
        )


@pytest.mark.parametrize(
    "content",
    ["", "<!-- /x -->\n<!-- x -->\n", "<!-- x -->\n<!-- /x -->\n<!-- x -->\n<!-- /x -->\n"],
    ids=["none", "wrong order", "twice"],
)
def test_marks_must_be_there_once(content: str) -> None:
    with pytest.raises(ValueError, match=r"^the page needs <!-- x --> and <!-- /x --> once"):
        page.parts(content, "x")


def cells(name: str) -> list[list[str]]:
    """Return a table of the page, row by row, without the line under its header."""
    _, between, _ = page.parts(TEXT, name)
    rows = [line.strip("| ").split(" | ") for line in between.splitlines()]
    return [rows[0], *rows[2:]]


def headings(header: tuple[str, ...]) -> list[str]:
    return [name.removeprefix("#") for name in header]


def test_the_page_has_every_unit_and_element() -> None:
    header, *rows = cells("lanes")
    assert header == headings(neurons.LANE_HEADER)
    assert [row[:2] for row in rows] == [[unit.label, unit.sends] for unit in UNITS]
    header, *rows = cells("elements")
    assert header == headings(neurons.ADDER_HEADER)
    adders = [[adder.kind, adder.transport] for adder in ADDERS]
    assert [row[:2] for row in rows] == adders
    header, *rows = cells("together")
    assert header == headings(neurons.TOGETHER_HEADER)
    assert [row[:2] for row in rows] == adders


@pytest.mark.parametrize("name", neurons.DIGITS)
def test_the_page_has_every_run(name: str) -> None:
    header, *rows = cells(name)
    assert header == headings(neurons.RUN_HEADER)
    assert [row[:3] for row in rows] == [
        [str(steps), variant.label, variant.transport]
        for steps in neurons.STEPS
        for variant in neurons.VARIANTS[name]
    ]
    assert [row[6] != "-" for row in rows] == [
        name in neurons.CLOCKED and int(row[0]) in neurons.CLOCKED_STEPS for row in rows
    ]


def test_the_page_has_dual_beside_if() -> None:
    relu = ("digits-conv", "digits-residual")
    for table, networks in (("dual", relu), ("deep", neurons.DEEP_DATA)):
        header, *rows = cells(table)
        assert header == headings(neurons.DUAL_HEADER)
        expected = [[name, str(steps)] for name in networks for steps in neurons.STEPS]
        assert [row[:2] for row in rows] == expected


def test_the_page_has_every_seed() -> None:
    header, *rows = cells("seeds")
    assert header == headings(neurons.SEED_HEADER)
    assert [row[:2] for row in rows] == [
        [data, str(seed)] for data in neurons.DEEP_DATA for seed in neurons.SEEDS
    ]


def test_equivalents_on_the_page_add_up() -> None:
    for name, first in (("lanes", 2), ("elements", 4)):
        for row in cells(name)[1:]:
            lut4, ccu2c, equivalents = (float(x.replace(",", "")) for x in row[first : first + 3])
            assert equivalents == lut4 + 2 * ccu2c, row


def test_every_mark_is_one_that_the_command_writes() -> None:
    marks = set(re.findall(r"<!-- ([\w-]+) -->", TEXT))
    assert marks == {"lanes", "elements", "together", "dual", "deep", "seeds", *neurons.DIGITS}


def test_together_table() -> None:
    units = [Cells(k, 0, 0, 0, 0, 0) for k in range(len(UNITS))]
    adders = [Cells(10, 5, 0, 0, 0, 0) for _ in ADDERS]
    lines = neurons.together_table(units, adders).splitlines()
    # Units are in order: if is the first, dual the second.
    assert lines[2] == "| if | spikes | 0 | 20 | 20 | 1.00x |"
    assert lines[3] == "| dual | spikes | 1 | 20 | 21 | 1.05x |"
    (ladder,) = (
        k for k, unit in enumerate(UNITS) if (unit.label, unit.sends) == ("ladder", "count")
    )
    both = ladder + 20
    assert lines[6] == f"| ladder | count | {ladder} | 20 | {both} | {both / 20:.2f}x |"


def runs() -> list[Row]:
    """Return made-up runs: additions 10 T for if, 11 T for dual, 5 T for counts."""
    return [
        Row(
            Variant(label, "spikes", "if"),
            steps,
            Activity(share, 2.0 * share * steps, {"x": 4.0 * factor * steps, "y": factor * steps}),
            1234.4 if steps == 2 else None,
        )
        for steps in neurons.STEPS
        for label, share, factor in (("if", 0.5, 2.0), ("dual", 0.75, 2.2), ("ladder", 0.8, 1.0))
    ]


def test_run_table() -> None:
    lines = neurons.run_table(runs()).splitlines()
    assert lines[2] == "| 1 | if | spikes | 50.00 | 1 | 10 | - |"
    assert lines[6] == "| 2 | dual | spikes | 75.00 | 3 | 22 | 1,234 |"


def test_dual_table() -> None:
    lines = neurons.dual_table({"net": runs()}).splitlines()
    assert lines[2] == (
        "| net | 1 | 50.00 | 75.00 | +25.00 | 1.50x | 1.10x | 50.00 | 2.00x | 80.00 | 0.50x |"
    )
    assert (
        lines[5] == "| net | 8 | 50.00 | 75.00 | +25.00 | 1.50x | 1.10x | - | - | 80.00 | 0.50x |"
    )
