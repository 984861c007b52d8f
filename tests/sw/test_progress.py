"""Progress of long work: bars on a terminal, and a line now and then in a log file."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console
from rich.progress import Progress

from spikeloom.sw import progress
from spikeloom.sw.progress import Bars, StageBars, busy, reported, shown


@pytest.fixture
def console() -> Console:
    """A console that writes to memory, as to a file."""
    return Console(file=io.StringIO(), width=80)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_bars_without_a_task_print_nothing(console: Console) -> None:
    with Bars(console):
        pass
    assert text_of(console) == ""


def test_a_file_gets_a_line_when_time_has_passed(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    with Bars(console) as bars:
        task = bars.add_task("training", total=4)
        bars.advance(task)
        bars.update(task, completed=3)
    assert text_of(console).splitlines() == ["training: 1 of 4, 0 s", "training: 3 of 4, 0 s"]


def test_a_file_gets_no_line_before_that(console: Console) -> None:
    with Bars(console) as bars:
        bars.advance(bars.add_task("training", total=4))
    assert text_of(console) == ""


def test_a_terminal_gets_bars() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    with Bars(terminal) as bars:
        bars.advance(bars.add_task("training", total=4))
    assert "1/4" in text_of(terminal)


def test_bars_inside_a_display_of_the_callers_are_left_out() -> None:
    outer = Console(file=io.StringIO(), force_terminal=True)
    with Progress(console=outer) as display, Bars(outer) as bars:
        display.add_task("outer")
        bars.advance(bars.add_task("inner", total=2))


def test_a_choice_of_progress_is_given_back_or_made() -> None:
    own = Progress(disable=True)
    with shown(own) as given:
        assert given is own
    with shown(False) as nothing:
        assert nothing is None
    with shown(None) as made:
        assert isinstance(made, Bars)


def test_a_choice_of_report_is_given_back_or_made() -> None:
    seen: list[tuple[str, int, int]] = []
    with reported(lambda *arguments: seen.append(arguments)) as report:
        report("build", 0, 1)
    assert seen == [("build", 0, 1)]
    with reported(None) as made:
        assert isinstance(made, StageBars)
    with reported(False) as report:
        assert report("build", 0, 1) is None


def test_busy_work_is_told_in_a_file(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.01)
    with busy("generating Verilog", console):
        time.sleep(0.1)
    assert text_of(console).splitlines()[0] == "generating Verilog: 0 s"


def test_short_work_is_not_told_in_a_file(console: Console) -> None:
    with busy("generating Verilog", console):
        pass
    assert text_of(console) == ""
