"""Fuzz all targets, or those named, and print a table; the exit status is 1 if something fails.

    python -m fuzz [TARGET ...] [--runs N] [--seed S]
    python -m fuzz TARGET --input FILE

The second form reads one input, and shows what comes of it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fuzz.child import guided, save
from fuzz.execution import execute
from fuzz.status import Counts, Status
from fuzz.targets import Target

FOLDER = Path("build/fuzz")
#: Seconds of processor time without a new execution after which code has not returned; executions
#: of Python are ended long before.
PATIENCE = 30.0
#: Seconds until the first execution.
START = 300.0


@dataclass
class Result:
    """What came of one target, in all its processes."""

    counts: Counts
    edges: int = 0
    seconds: float = 0.0


def main(words: list[str]) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(Target.kinds))
    parser.add_argument("--runs", type=int, help="executions of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--input", type=Path, help="one input to read")
    options = parser.parse_args(words)
    unknown = sorted(set(options.targets) - set(Target.kinds))
    if unknown:
        parser.error(f"no target is called {unknown[0]!r}; there are {', '.join(Target.kinds)}")
    chosen = options.targets or list(Target.kinds)
    if options.input is not None:
        return _read(Target.kinds[chosen[0]], options.input)
    how = "guided by atheris" if guided() else "atheris is not installed: drawn from the corpus"
    print(f"Python {sys.version.split()[0]}, seed {options.seed}; inputs are {how}")
    titles = ("executions", "accepted", "refused", "messages", "edges", "failures", "s")
    print(f"{'target':10}" + "".join(f"{title:>11}" for title in titles), flush=True)
    failed = 0
    for name in chosen:
        result = fuzz(name, options.runs or Target.kinds[name].runs, options.seed)
        counts = result.counts
        figures = (counts.executions, counts.accepted, counts.refused, counts.kinds, result.edges)
        row = "".join(f"{figure:11,}" for figure in (*figures, counts.failures))
        print(f"{name:10}{row}{result.seconds:11.0f}", flush=True)
        for path in sorted((FOLDER / name / "failures").glob("*.txt")):
            failed += 1
            print(f"    {path.with_suffix('')}: {path.read_text().strip().splitlines()[-1][:200]}")
    return 1 if failed else 0


def _read(target: type[Target], path: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        verdict = execute(target(Path(folder)), path.read_bytes())
    print(verdict.failure or verdict.message or "accepted")
    return 1 if verdict.failure else 0


def fuzz(name: str, runs: int, seed: int) -> Result:
    """Execute a target, in as many processes as it takes: some inputs may end one."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    result = Result(Counts())
    while result.counts.executions < runs:
        before = result.counts.executions
        _run(name, runs - before, seed, folder, result)
        seed += 1
        if result.counts.executions == before:
            result.counts.failures += 1
            save(folder / "failures", "begin", b"", f"no execution: see {folder / 'log'}")
            break
    return result


def _run(name: str, runs: int, seed: int, folder: Path, result: Result) -> None:
    """Run one process to its end, and add what it did."""
    (folder / "status").unlink(missing_ok=True)
    status = Status(folder / "status")
    command = [sys.executable, "-m", "fuzz.child", name, str(runs), str(seed), str(folder)]
    with open(folder / "log", "a") as log:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            stuck = _watched(process, status, result)
        finally:
            process.kill()
            process.wait()
            for left in Path("/dev/shm").glob(f"fuzz-{process.pid}"):
                shutil.rmtree(left)
    counts = status.counts()
    if counts.executions and process.returncode != 0 and Target.kinds[name].guarded:
        counts.refused += 1
    elif counts.executions and process.returncode != 0:
        counts.failures += 1
        why = "does not return" if stuck else f"ends the process with {process.returncode}"
        save(folder / "failures", f"process-{counts.executions}", status.input(), why)
    result.counts = Counts(
        result.counts.executions + counts.executions,
        result.counts.accepted + counts.accepted,
        result.counts.refused + counts.refused,
        max(result.counts.kinds, counts.kinds),
        result.counts.failures + counts.failures,
    )
    edges = re.findall(r"cov: (\d+)", (folder / "log").read_text(errors="replace"))
    result.edges = max([result.edges, *map(int, edges[-1:])])


def _watched(process: subprocess.Popen[bytes], status: Status, result: Result) -> bool:
    """Wait for a process; return whether it was stuck, and is still there."""
    seen, since, spent = 0, time.monotonic(), 0.0
    begun = result.seconds
    while process.poll() is None:
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            used = _seconds(process.pid)
            result.seconds = begun + used
            if status.counts().executions != seen:
                seen, since, spent = status.counts().executions, time.monotonic(), used
            elif used - spent > (PATIENCE if seen else START):
                return True
            elif time.monotonic() - since > 20 * START:
                return True  # it waits for something
    return False


def _seconds(pid: int) -> float:
    """Return the processor time of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
