"""Charts have room for all that they show."""

from __future__ import annotations

from spikeloom.sw.report.charts import bars


def test_rows_have_the_same_room_with_and_without_a_legend() -> None:
    plain = bars("cycles", ["a", "b"], {"at work": [1, 2]}, "clock cycles")
    told = bars("cycles", ["a", "b"], {"at work": [1, 2], "starved": [2, 1]}, "clock cycles")
    assert len(plain.legend) == 0
    (legend,) = told.legend
    room = legend.glyph_height + 2 * (legend.padding + legend.margin)
    assert told.height == plain.height + room
