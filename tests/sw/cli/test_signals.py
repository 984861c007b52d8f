"""Signals that ask a command to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from spikeloom.sw.cli.signals import INTERRUPT, REQUESTS, answer, answered


@pytest.fixture
def hangup() -> Iterator[None]:
    """Give signals their handlers of now back; a shell may have started us with some ignored."""
    before = {number: signal.getsignal(number) for number in INTERRUPT + REQUESTS}
    for number in before:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, last in before.items():
        signal.signal(number, last)


def test_an_answer_lasts_as_long_as_its_block(hangup: None) -> None:
    told: list[signal.Signals] = []
    before = [signal.getsignal(number) for number in INTERRUPT + REQUESTS]
    with answered(told.append, INTERRUPT + REQUESTS):
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGINT)
    assert told == [signal.SIGHUP, signal.SIGINT]
    assert [signal.getsignal(number) for number in INTERRUPT + REQUESTS] == before


def test_what_is_ignored_stays_so(hangup: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    told: list[signal.Signals] = []
    assert answer(told.append, (signal.SIGHUP,)) == {}
    os.kill(os.getpid(), signal.SIGHUP)
    assert told == []


def test_handlers_of_others_stay_and_ours_are_replaced(hangup: None) -> None:
    told: list[str] = []
    signal.signal(signal.SIGHUP, lambda *_: told.append("other"))
    assert answer(lambda _: told.append("first"), (signal.SIGHUP,)) == {}
    os.kill(os.getpid(), signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    answer(lambda _: told.append("first"), (signal.SIGHUP,))
    with answered(lambda _: told.append("second"), (signal.SIGHUP,)):
        os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)
    assert told == ["other", "second", "first"]
