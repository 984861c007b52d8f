"""Results of mutants, and what is known of tests, in lines of JSON that are only added to."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TestRecord:
    """A test as it runs without a mutant.

    Parameters
    ----------
    name : str
        pytest's name of the test.
    digest : str
        Of its file, of the tests' helpers, and of all files that get mutants.
    outcome : str
        ``"passed"``, or why mutants do not meet it.
    seconds : float
        Time of the processor.
    lines : dict of str to list of int
        First lines of the statements that it runs, by file.
    """

    __test__ = False

    name: str
    digest: str
    outcome: str
    seconds: float
    lines: dict[str, list[int]]


@dataclass(frozen=True)
class Result:
    """What has become of a mutant.

    Parameters
    ----------
    mutant : str
        Its name.
    digest : str
        Of the file and the change.
    file, function, operator, before, after : str
        See :class:`~mutants.choice.Mutant`.
    outcome : str
        ``"killed"``, ``"clock"`` (a test took much longer than without it), ``"survived"``, or
        ``"unrun"`` (no test runs its line).
    by : str
        The test that has noticed it.
    tried : int
        Number of tests that it has met.
    digest_of_tests : str
        A survivor meets other tests once more.
    seconds : float
        Time of the processor.
    """

    mutant: str
    digest: str
    file: str
    function: str
    operator: str
    before: str
    after: str
    outcome: str
    by: str
    tried: int
    digest_of_tests: str
    seconds: float

    @property
    def killed(self) -> bool:
        return self.outcome in ("killed", "clock")


def digest(paths: Iterable[Path]) -> str:
    """Return a digest of the content of files."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]


def add(path: Path, record: TestRecord | Result) -> None:
    """Add a record to a file, which is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(dataclasses.asdict(record)) + "\n")


def tests(path: Path) -> dict[str, TestRecord]:
    """Return the last record of each test in a file."""
    return {line["name"]: TestRecord(**line) for line in _lines(path)}


def results(path: Path) -> dict[str, Result]:
    """Return the last result of each mutant in a file, by the digest of its change."""
    return {line["mutant"] + line["digest"]: Result(**line) for line in _lines(path)}


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    # A run that is killed may leave half a line.
    whole = [line for line in path.read_text(encoding="utf-8").splitlines(True) if line[-1] == "\n"]
    return [json.loads(line) for line in whole]
