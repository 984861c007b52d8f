"""The committed pictures are those that are drawn now: ``make docs``, which brings schemdraw."""

from __future__ import annotations

import json

import pytest

from pictures.diagrams import diagrams
from pictures.waves import FOLDER

pytestmark = pytest.mark.docs


def committed(name: str, ending: str) -> str:
    return (FOLDER / f"{name}.{ending}").read_text(encoding="utf-8")


def test_diagrams_are_drawn_as_they_are_described() -> None:
    from pictures import draw

    for name, diagram in diagrams().items():
        assert committed(name, "svg") == draw.of_diagram(diagram), name


def test_waveforms_are_drawn_from_their_wavejson() -> None:
    from pictures import draw

    files = sorted(FOLDER.glob("*.json"))
    assert len(files) == 3
    for path in files:
        waveform = json.loads(path.read_text(encoding="utf-8"))
        assert committed(path.stem, "svg") == draw.of_waveform(waveform), path.stem
