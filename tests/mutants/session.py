"""A run of pytest in which each mutant meets the tests that run its line.

pytest collects the tests once. From there, a process is forked for each file of tests, to measure
them without a mutant, and for each mutant.
"""

from __future__ import annotations

import functools
import gc
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TextIO

import pytest
from _pytest.runner import runtestprotocol

from mutants import records
from mutants.choice import Mutant
from mutants.live import Live, statement_line
from mutants.records import Result, TestRecord

#: Tests that mutants meet, if they take no longer than the limit and start no program: in a process
#: of its own, the source has no fault.
TESTS = (
    *("tests/hw/axi", "tests/hw/engine", "tests/hw/link", "tests/hw/neurons", "tests/hw/values"),
    *("tests/hw/test_accelerator.py", "tests/hw/test_components.py", "tests/hw/test_device.py"),
    *("tests/hw/test_recurrence.py", "tests/hw/test_selftest.py", "tests/hw/test_verilog.py"),
    *("tests/sw/golden", "tests/sw/spiking", "tests/sw/conversion", "tests/sw/link"),
    *("tests/sim/test_order.py", "tests/sim/test_records.py", "tests/sim/test_scoreboard.py"),
)
#: Sets of parameters with which a test meets mutants.
MOST = 6
#: Tests that convert hardware without looking at its values, or in a simulator of its own.
DESELECTED = "not converts and not multiplier and not the_command and not cocotb"
#: Memory that a mutant may take beyond what is loaded, in bytes.
_MEMORY = 4 << 30
#: Exit statuses of processes that are forked.
_KILLED, _CLOCK, _SURVIVED, _NO_FUNCTION = range(10, 14)


@dataclass
class Run:
    """A pytest plugin that runs mutants instead of tests.

    Parameters
    ----------
    root : Path
        The checkout.
    sources : sequence of str
        All files that may get mutants, from the root.
    mutants : sequence of Mutant
    folder : Path
        Where records are.
    limit : float
        Time of the processor, in seconds, after which a test counts as long. It is cut off then,
        with a mutant as well, which has survived it so far.
    budget : float
        Longest time of the tests that one mutant meets, without it.
    grace : float
        Time that a test may take beyond five times that without a mutant, before it is ended.
    again : bool
        Whether survivors meet tests once more even if no test has changed.
    out : TextIO
        Where the progress is printed.

    Attributes
    ----------
    results : list of Result
        One for each mutant.
    """

    root: Path
    sources: Sequence[str]
    mutants: Sequence[Mutant]
    folder: Path
    limit: float = 3.0
    budget: float = 12.0
    grace: float = 5.0
    again: bool = False
    out: TextIO = sys.stdout
    results: list[Result] = field(default_factory=list)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Have Hypothesis look for a failing example, and not for the smallest one."""
        # pytest has to be there before it, to rewrite its assertions.
        from hypothesis import Phase, settings

        settings.register_profile("mutants", settings(), phases=[Phase.explicit, Phase.generate])
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure the tests, and let each mutant meet those that run its line."""
        items = {item.nodeid: item for item in _few(session.items)}
        live = Live(self.root)
        gc.collect()
        gc.freeze()  # forked processes share what is loaded
        known = self._measured(live, items)
        of_tests = records.digest({item.path for item in items.values()})
        path = self.folder / "results.jsonl"
        done = records.results(path)
        for number, one in enumerate(self.mutants, 1):
            result = done.get(one.name + one.digest)
            if (
                result is None
                or (not result.killed and result.digest_of_tests != of_tests)
                or (not result.killed and self.again)
            ):
                result = self._result(live, one, items, known, of_tests)
                records.add(path, result)
                self._say(f"{number}/{len(self.mutants)} {_line(result)}")
            self.results.append(result)
        return True

    def _say(self, text: str) -> None:
        print(text, file=self.out, flush=True)

    def _measured(self, live: Live, items: dict[str, pytest.Item]) -> list[TestRecord]:
        """Return a record of each test; those whose files have not changed are known already."""
        shared = [self.root / file for file in self.sources]
        shared += (self.root / "tests" / "support").rglob("*.py")
        of_shared = records.digest(shared)
        path = self.folder / "tests.jsonl"
        by_file: dict[Path, list[pytest.Item]] = {}
        for item in items.values():
            by_file.setdefault(item.path, []).append(item)
        for file, mine in by_file.items():
            digest = records.digest([file]) + of_shared
            left, before = mine, 0
            while True:
                found = records.tests(path)
                left = [
                    item
                    for item in mine
                    if item.nodeid not in found or found[item.nodeid].digest != digest
                ]
                if not left:
                    break
                if len(left) == before:
                    raise RuntimeError(f"{left[0].nodeid} ends its process")
                before = len(left)
                self._say(f"measuring {file.relative_to(self.root)}: {before} tests")
                _forked(functools.partial(self._measure, live, left, digest, path))
        known = [record for name, record in records.tests(path).items() if name in items]
        for record in known:
            if record.outcome == "failed":
                self._say(f"fails without a mutant: {record.name}")
        return known

    def _measure(self, live: Live, items: list[pytest.Item], digest: str, path: Path) -> None:
        """Record tests one by one. The process ends at one that is left out."""
        seen = live.note_lines(self.root, list(self.sources))
        started = 0.0
        current = ""

        def note(outcome: str) -> None:
            lines: dict[str, list[int]] = {}
            for file, line in sorted(seen):
                lines.setdefault(self.sources[file], []).append(line)
            seconds = round(time.process_time() - started, 3)
            records.add(path, TestRecord(current, digest, outcome, seconds, lines))

        def leave_out(why: str) -> NoReturn:
            note(why)
            os._exit(0)

        def audit(event: str, words: object) -> None:
            # Yosys, which writes Verilog, runs nothing of the source.
            if event == "subprocess.Popen" and current and "yosys" not in repr(words):
                leave_out("starts a program")

        sys.addaudithook(audit)
        for item in items:
            live.clear()
            seen.clear()
            started, current = time.process_time(), item.nodeid
            _limit(self.limit, 20 * self.limit, lambda: leave_out("long"))
            passed = _passes(item)
            _limit(0, 0, None)
            note("passed" if passed else "failed")

    def _result(
        self,
        live: Live,
        mutant: Mutant,
        items: dict[str, pytest.Item],
        known: list[TestRecord],
        of_tests: str,
    ) -> Result:
        line = statement_line(mutant.source, mutant.line)
        tests = in_order(mutant.file, line, known, self.budget)
        reading, writing = os.pipe()

        def meet() -> int:
            live.clear()
            if not live.exchange(mutant.file, mutant.tree()):
                return _NO_FUNCTION
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, used + _MEMORY))
            for number, test in enumerate(tests):
                os.write(writing, f"{number} ".encode())
                if test.outcome == "long":
                    # In a process of its own, which can be cut off.
                    if _forked(functools.partial(self._meets_long, items[test.name])) != _SURVIVED:
                        return _KILLED
                    continue
                seconds = 5 * test.seconds + self.grace
                _limit(seconds, 20 * seconds, lambda: os._exit(_CLOCK))
                if not _passes(items[test.name]):
                    return _KILLED
            return _SURVIVED

        before = _children_time()
        status = _forked(meet) if tests else _SURVIVED
        os.close(writing)
        with os.fdopen(reading) as file:
            met = file.read().split()
        if status == _NO_FUNCTION:
            self._say(f"{mutant.name}: no function that is loaded has changed")
            status = _SURVIVED
        outcome = {_CLOCK: "clock", _SURVIVED: "survived"}.get(status, "killed")
        return Result(
            mutant.name,
            mutant.digest,
            mutant.file,
            mutant.function,
            mutant.fault.operator if mutant.fault else "known",
            mutant.before,
            mutant.after,
            outcome if tests else "unrun",
            tests[int(met[-1])].name if status != _SURVIVED and met else "",
            len(met),
            of_tests,
            round(_children_time() - before, 2),
        )

    def _meets_long(self, item: pytest.Item) -> int:
        _limit(self.limit, 20 * self.limit, lambda: os._exit(_SURVIVED))
        return _SURVIVED if _passes(item) else _KILLED


def in_order(file: str, line: int, known: Sequence[TestRecord], budget: float) -> list[TestRecord]:
    """Return the tests that run a line, those that are likely to notice a fault first.

    The file's own tests come first, quick ones before slow ones, then those of its folder, then
    others, where all files take turns. Tests for which the budget is too small are left out.
    """
    mine: list[tuple[int, float, TestRecord]] = []
    others: dict[str, list[TestRecord]] = {}
    for test in sorted(known, key=lambda test: test.seconds):
        if test.outcome not in ("passed", "long") or line not in test.lines.get(file, ()):
            continue
        tests = test.name.split("::")[0]
        if tests == mirror(file):
            mine.append((0, test.seconds, test))
        else:
            near = 1 if Path(tests).parent == Path(mirror(file)).parent else 2
            turn = others.setdefault(tests, [])
            turn.append(test)
            mine.append((near, len(turn), test))
    chosen, spent = [], 0.0
    for _, _, test in sorted(mine, key=lambda one: (one[0], one[1], one[2].seconds)):
        if spent + test.seconds <= budget:
            spent += test.seconds
            chosen.append(test)
    return chosen


def _few(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return tests; of one with many sets of parameters, only some, evenly spread."""
    functions: dict[str, list[pytest.Item]] = {}
    for item in items:
        functions.setdefault(item.nodeid.split("[")[0], []).append(item)
    return [
        mine[len(mine) * k // min(MOST, len(mine))]
        for mine in functions.values()
        for k in range(min(MOST, len(mine)))
    ]


def mirror(file: str) -> str:
    """Return the path of the tests of a file."""
    path = Path("tests", file)
    return path.with_name(f"test_{path.name}").as_posix()


def _passes(item: pytest.Item) -> bool:
    """Run a test with all its fixtures, which end with it."""
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def _limit(seconds: float, wall: float, end: Callable[[], None] | None) -> None:
    """Have ``end`` called after a time of the processor, or one of the clock on the wall."""
    for timer, number, time_ in (
        (signal.ITIMER_PROF, signal.SIGPROF, seconds),
        (signal.ITIMER_REAL, signal.SIGALRM, wall),
    ):
        signal.setitimer(timer, 0)
        if end:
            signal.signal(number, lambda *_: end())
            signal.setitimer(timer, time_)


def _forked(work: Callable[[], int | None]) -> int:
    """Return the exit status of a process that does some work; negative if a signal ended it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        status = work() or 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def _children_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _line(result: Result) -> str:
    by = f" by {result.by}" if result.by else f" {result.tried} tests"
    change = f"{result.before} -> {result.after}".replace("\n", " ")
    return f"{result.outcome:8} {result.seconds:5.1f} s  {result.mutant}{by}: {change[:100]}"
