"""docs/models.md has every architecture, and the command that writes it works."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from benchmarks import models, page
from benchmarks.architectures import ARCHITECTURES, IMAGES, Measured, measure
from spikeloom.sw.conversion import Agreement

TEXT = models.PAGE.read_text(encoding="utf-8")
BY_NAME = {architecture.name: architecture for architecture in ARCHITECTURES}


def rows(name: str, text: str = TEXT) -> list[list[str]]:
    """Return the rows of a table of the page, without its header."""
    _, between, _ = page.parts(text, name)
    return [line.strip("| ").split(" | ") for line in between.splitlines()[2:]]


def require_equal(name: str, found: Measured | str) -> None:
    """Require that an architecture converts as the page says, with everything equal."""
    refused = [row[0] for row in rows("refused")]
    assert isinstance(found, str) == (name in refused), found
    if isinstance(found, Measured):
        assert found.golden.network_as_prepared == found.golden.images == IMAGES
        assert found.golden.counts_compared > 0
        assert found.golden.counts_differing == found.arrays_differing == 0
        assert found.values > 0
        assert found.labels_as_float > 0.8 * IMAGES


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(ARCHITECTURES)


def test_the_page_has_every_architecture() -> None:
    marks = re.findall(r"<!-- ([\w-]+) -->", TEXT)
    assert tuple(marks) == models.MARKS
    on_page = [row[0] for mark in (*models.GROUPS, "refused") for row in rows(mark)]
    assert sorted(on_page) == sorted(BY_NAME)
    for group in models.GROUPS:
        assert {BY_NAME[row[0]].group for row in rows(group)} == {group}


def test_everything_on_the_page_is_equal() -> None:
    for group in models.GROUPS:
        for row in rows(group):
            assert row[4] == str(IMAGES), row
            assert row[6] == row[8] == "0", row


def test_a_signal_and_a_refusal(tmp_path: Path) -> None:
    copy = tmp_path / "models.md"
    shutil.copy(models.PAGE, copy)
    names = ("features without a shape", "2 * x - 1 inside", "LSTM")
    found = {name: measure(BY_NAME[name]) for name in names}
    for name, result in found.items():
        require_equal(name, result)
    models.write(found, copy)
    text = copy.read_text(encoding="utf-8")
    assert [row[0] for row in rows("inputs", text)] == list(names[:2])
    assert rows("published", text) == []
    ((name, reason),) = rows("refused", text)
    assert name == "LSTM"
    assert reason.startswith("LSTM ")
    assert "\n2 of 3 architectures convert." in text


@pytest.mark.sweep
@pytest.mark.parametrize("name", BY_NAME)
def test_every_architecture(name: str) -> None:
    require_equal(name, measure(BY_NAME[name]))


def test_a_row() -> None:
    found = Measured(3, 199, 0.0123, Agreement(200, 200, 7200, 0, 150), 1680, 0)
    cells = ("net", "3", "199", "1.2", "200", "7,200", "0", "1,680", "0")
    assert models.row_of("net", found) == cells
    assert models.refused_row("net", "a | b") == ("net", r"a \| b")
    assert models.summary({"net": found, "other": "refused"}) == (
        "1 of 2 architectures convert. Their networks have the label of the prepared model on 200 "
        "of 200 images; 0 of 7,200 counts differ. In simulated hardware, 1,680 values were "
        "compared with the golden model's; 0 arrays of them differ."
    )
