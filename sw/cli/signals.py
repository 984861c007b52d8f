"""Signals that ask a command to end, and who answers them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

#: The ones that this system has, of Ctrl-C and two requests to end.
INTERRUPT = (signal.SIGINT,)
REQUESTS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@dataclass(frozen=True)
class _Answer:
    """A handler of ours."""

    handler: Callable[[signal.Signals], object]

    def __call__(self, number: int, _: object) -> None:
        self.handler(signal.Signals(number))


def answer(
    handler: Callable[[signal.Signals], object], numbers: Sequence[signal.Signals] = REQUESTS
) -> dict[signal.Signals, signal._HANDLER]:
    """Call ``handler`` when a signal arrives, unless it is ignored or somebody else handles it.

    ``nohup`` starts a command with SIGHUP ignored; and a program that calls commands may have
    handlers of its own.

    Returns
    -------
    dict of Signals to handler
        Handlers until now, of the signals that ``handler`` answers from now on.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {number: signal.getsignal(number) for number in numbers}
    free = (signal.SIG_DFL, signal.default_int_handler)
    taken: dict[signal.Signals, signal._HANDLER] = {
        x: last for x, last in before.items() if last in free or isinstance(last, _Answer)
    }
    for number in taken:
        signal.signal(number, _Answer(handler))
    return taken


@contextmanager
def answered(
    handler: Callable[[signal.Signals], object], numbers: Sequence[signal.Signals]
) -> Iterator[None]:
    """Call ``handler`` when a signal arrives, as :func:`answer`, for as long as the block runs."""
    before = answer(handler, numbers)
    try:
        yield
    finally:
        for number, last in before.items():
            signal.signal(number, last)
