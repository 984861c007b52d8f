"""What a fuzzed reader may not do is found."""

from __future__ import annotations

import resource
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from fuzz import execution
from fuzz.child import Session
from fuzz.execution import execute
from fuzz.targets import Target
from spikeloom.sw.errors import DataError


class Wrong(Target):
    """A reader that does what the input says."""

    def read(self, path: Path) -> object:
        data = path.read_bytes()
        if data == b"refused":
            raise DataError("values 'a' and 3 differ")
        if data == b"lines":
            raise DataError("one line\nand another")
        if data == b"silent":
            raise DataError("")
        if data == b"error":
            raise KeyError("x")
        if data == b"warning":
            warnings.warn("twice as loud", stacklevel=1)
        while data == b"long":
            pass
        if data == b"library":
            exec(compile("while True: pass", "library.pyx", "exec"))
        return data


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Wrong(tmp_path)


def test_success_and_refusal(target: Target) -> None:
    assert execute(target, b"fine") == execution.Verdict(None, "")
    refused = execute(target, b"refused")
    assert (refused.failure, refused.message) == ("", "values 'a' and 3 differ")
    assert refused.kind == "values _ and _ differ"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"lines", "a message of several lines"),
        (b"silent", "a message of several lines, or none"),
        (b"error", "KeyError: 'x'"),
        (b"warning", "UserWarning: twice as loud"),
    ],
)
def test_failures(target: Target, data: bytes, says: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert says in execute(target, data).failure


def test_an_execution_that_takes_much_memory(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its numbers are the most that a process has ever had, which other tests have raised.
    peaks = iter((100 << 10, 356 << 10, 356 << 10, 613 << 10))
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=next(peaks)))
    assert execute(target, b"fine").failure == ""
    assert execute(target, b"fine").failure == "257 MiB of memory for 4 bytes: None"


def test_an_execution_that_does_not_end(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "SECONDS", 0.05)
    assert execute(target, b"long").failure.startswith("more than 0.05 s\n")
    assert execute(target, b"fine").failure == ""


def test_a_library_that_does_not_return_is_refused_where_it_is_guarded(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "SECONDS", 0.05)
    assert execute(target, b"library").failure.startswith("more than 0.05 s\n")
    monkeypatch.setattr(Wrong, "guarded", True)
    assert execute(target, b"library") == execution.Verdict("the library does not return")
    assert execute(target, b"long").failure.startswith("more than 0.05 s\n")


def test_failing_inputs_are_saved_once_for_each_place(target: Target, tmp_path: Path) -> None:
    session = Session(target, tmp_path / "failures")
    for data in (b"fine", b"error", b"error", b"refused", b"lines"):
        session.execute(data)
    saved = {path.read_bytes() for path in (tmp_path / "failures").iterdir() if not path.suffix}
    assert saved == {b"error", b"lines"}
    counts = session.counts
    assert (counts.executions, counts.accepted, counts.refused, counts.failures) == (5, 1, 1, 3)
