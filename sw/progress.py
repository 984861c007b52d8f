"""Progress of long work: bars on a terminal, and a line now and then in a log file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.errors import LiveError
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

#: Choice of a function's progress: bars of the caller's; None or True for bars of its own on
#: stderr; False for none.
Choice = Progress | bool | None
#: Called as ``report(stage, done, total)`` while simulated hardware is built and run.
Report = Callable[[str, int, int], object]

#: Seconds between two lines where stderr is no terminal.
EVERY = 10.0

_STAGES = {
    "run": "running images",
    "build": "building simulator",
    "simulate": "simulating images",
    "compare": "comparing images",
}


class Bars(Progress):
    """Progress bars that print nothing, not even an empty line, until the first is added.

    Where they are written to a file, there are no bars, but a line every :data:`EVERY` seconds
    says how far the work is.

    Parameters
    ----------
    console : rich.console.Console, optional
        By default, one on stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(
            TextColumn("{task.description:<20}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console or Console(stderr=True, highlight=False),
        )
        self._told = time.monotonic()

    def start(self) -> None:
        if not self.tasks or not _moves(self.console):
            return
        try:
            super().start()
        except LiveError:
            # A display of the caller's has the terminal already.
            self.disable = True

    def stop(self) -> None:
        if self.live.is_started:
            super().stop()

    def add_task(self, *args: Any, **kwargs: Any) -> TaskID:
        task = super().add_task(*args, **kwargs)
        self.start()
        return task

    def update(self, task_id: TaskID, *args: Any, **kwargs: Any) -> None:
        super().update(task_id, *args, **kwargs)
        self._tell(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self._tell(task_id)

    def _tell(self, task_id: TaskID) -> None:
        now, task = time.monotonic(), self._tasks[task_id]
        if _moves(self.console) or now - self._told < EVERY:
            return
        self._told = now
        done = f"{task.completed:g} of {task.total:g}" if task.total else f"{task.completed:g}"
        self.console.print(f"{task.description}: {done}, {task.elapsed or 0:.0f} s", markup=False)


class StageBars:
    """Bars of a simulation, one for each stage; a :data:`Report`.

    Parameters
    ----------
    progress : rich.progress.Progress
        Display that the bars are added to.
    suffix : str
        Text after the name of each stage.
    """

    def __init__(self, progress: Progress, suffix: str = "") -> None:
        self._progress = progress
        self._suffix = suffix
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` parts of a stage are done."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(_STAGES[stage] + self._suffix)
        self._progress.update(self._tasks[stage], completed=done, total=total)


@contextmanager
def shown(choice: Choice) -> Iterator[Progress | None]:
    """Give the display for a piece of work: the caller's, one of its own, or None.

    Parameters
    ----------
    choice : rich.progress.Progress, bool or None
        See :data:`Choice`.
    """
    if isinstance(choice, Progress):
        yield choice
    elif choice is False:
        yield None
    else:
        with Bars() as bars:
            yield bars


@contextmanager
def reported(choice: Report | bool | None) -> Iterator[Report]:
    """Give the report for a simulation: the caller's, bars of its own, or one that does nothing.

    Parameters
    ----------
    choice : callable, bool or None
        None or True for bars on stderr; False for none.
    """
    if choice is False:
        yield lambda stage, done, total: None
    elif choice is None or choice is True:
        with Bars() as bars:
            yield StageBars(bars)
    else:
        yield choice


@contextmanager
def busy(text: str, console: Console | None = None) -> Iterator[None]:
    """Show, while a block runs, that work goes on whose length is not known.

    Parameters
    ----------
    text : str
        The work.
    console : rich.console.Console, optional
        By default, one on stderr.
    """
    console = console or Console(stderr=True, highlight=False)
    if _moves(console):
        with console.status(text):
            yield
        return
    begun, ended = time.monotonic(), threading.Event()

    def tell() -> None:
        while not ended.wait(EVERY):
            console.print(f"{text}: {time.monotonic() - begun:.0f} s", markup=False)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _moves(console: Console) -> bool:
    """Return whether a console can show things that move."""
    return console.is_terminal or console.is_jupyter
