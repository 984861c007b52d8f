"""Logs of trainings, and their picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
from support.models.small import HEALTH

from spikeloom.sw.diagnostics import LayerHealth, Phase, read_log
from spikeloom.sw.diagnostics.picture import HEIGHT, WIDTH, draw
from spikeloom.sw.errors import FileFormatError

FIRST = replace(HEALTH, name="a")
SECOND = replace(FIRST, name="b", threshold=2.0, clipped=None)


def line(phase: int, epoch: int, *layers: LayerHealth, **others: Any) -> str:
    record = {"phase": phase, "epoch": epoch, "loss": 0.5, **others}
    if layers:
        record["health"] = [layer.to_json() for layer in layers]
    return json.dumps(record) + "\n"


def test_a_log_is_read_phase_by_phase(tmp_path: Path) -> None:
    moved = replace(FIRST, threshold=3.0)
    (tmp_path / "log.jsonl").write_text(
        line(1, 0, kind="float")
        + line(2, 0, FIRST, SECOND, kind="quantized")
        + line(2, 1, moved, SECOND, kind="quantized")
        + line(3, 0, FIRST)
        + line(3, 0, SECOND)  # another training of the same phase
    )
    assert read_log(tmp_path) == [
        Phase("2 quantized", [[FIRST, SECOND], [moved, SECOND]]),
        Phase("3", [[FIRST]]),
        Phase("3", [[SECOND]]),
    ]


def test_an_unfinished_last_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(line(1, 0, FIRST) + line(1, 1, SECOND)[:-20])
    assert read_log(tmp_path) == [Phase("1", [[FIRST]])]
    path.write_text(line(1, 0, FIRST)[:-20] + "\n" + line(1, 1, SECOND))
    with pytest.raises(FileFormatError, match=r"log\.jsonl is damaged in line 1: it is no JSON"):
        read_log(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]\n", "damaged in line 1: it is no JSON object"),
        (line(1, 0, FIRST) + '{"epoch": 2}\n', "damaged in line 2: KeyError.*should have phase"),
        ('{"phase": 1, "epoch": "x"}\n', "damaged in line 1: ValueError"),
        ('{"phase": 1, "epoch": 1, "health": [{}]}\n', "damaged in line 1: a layer's health"),
        ('{"phase": 1, "epoch": 1, "health": [7]}\n', "damaged in line 1: a layer's health is no"),
        (line(1, 0), "tells nothing of layers"),
        ("", "tells nothing of layers"),
    ],
)
def test_damaged_logs_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        read_log(tmp_path)


def test_a_missing_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"training log .*log\.jsonl does not exist"):
        read_log(tmp_path)


def test_the_picture_shows_every_layer(tmp_path: Path) -> None:
    phases = [Phase("1", [[FIRST, SECOND], [SECOND]]), Phase("2", [[FIRST]])]
    draw(phases, tmp_path / "few.png")
    few = matplotlib.image.imread(tmp_path / "few.png")
    height, width, _ = few.shape
    assert width / height == pytest.approx(WIDTH / HEIGHT, rel=0.01)
    draw([Phase("1", [[FIRST], [FIRST]])], tmp_path / "one.png")
    one = matplotlib.image.imread(tmp_path / "one.png")
    assert len({tuple(colour) for colour in few.reshape(-1, 4)}) > len(
        {tuple(colour) for colour in one.reshape(-1, 4)}
    )


def test_a_picture_without_thresholds_can_be_drawn(tmp_path: Path) -> None:
    bare = replace(FIRST, start=None, threshold=None, clipped=None)
    draw([Phase("network", [[bare]])], tmp_path / "bare.png")
    assert (tmp_path / "bare.png").stat().st_size > 0


def test_a_picture_is_not_written_where_nothing_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileFormatError, match="cannot write"):
        draw([Phase("1", [[FIRST]])], tmp_path / "file" / "picture.png")
