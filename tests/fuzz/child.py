"""One target, in a process of its own: ``python -m fuzz.child TARGET RUNS SEED FOLDER``.

If atheris is installed, it chooses the inputs that are damaged next, by the code that they reach;
else they are drawn from the corpus.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import logging
import os
import resource
import sys
import warnings
from pathlib import Path
from random import Random
from types import FunctionType
from typing import Any

from fuzz.execution import Verdict, execute
from fuzz.status import Counts, Status
from fuzz.targets import CORPUS, Target

#: Address space that a process may take beyond what it has when it begins.
_ROOM = 4 << 30


class Session:
    """A series of executions of one target.

    Parameters
    ----------
    target : Target
    failures : Path
        Folder that inputs are saved in, if there is something wrong with their reading.
    status : Status, optional

    Attributes
    ----------
    counts : Counts
    """

    def __init__(self, target: Target, failures: Path, status: Status | None = None) -> None:
        self.target, self.failures, self.status = target, failures, status
        self.counts = Counts()
        self._kinds: set[str] = set()
        self._seeds: list[bytes] = []

    def execute(self, data: bytes) -> Verdict:
        """Execute the target, and count and save what comes of it."""
        self.counts.executions += 1
        if self.status is not None:
            self.status.write(self.counts, data)
        verdict = execute(self.target, data)
        if verdict.failure:
            self.counts.failures += 1
            save(self.failures, verdict.name, data, verdict.failure)
        elif verdict.message is None:
            self.counts.accepted += 1
        else:
            self.counts.refused += 1
            self._kinds.add(verdict.kind)
            self.counts.kinds = len(self._kinds)
        return verdict

    def run(self, runs: int, chance: Random) -> None:
        """Execute the seeds, and then damaged ones."""
        seeds = self.target.seeds()
        for data in seeds[:runs]:
            self.execute(data)
        for _ in range(runs - len(seeds)):
            target = self.target
            data = target.format.damaged(chance.choice(seeds), chance, target.longest)
            self.execute(data)

    def damaged(self, data: bytes, longest: int, seed: int) -> bytes:
        """Return a damaged input, as libFuzzer asks for it.

        Every other time, an input of the corpus is damaged in place of libFuzzer's choice: those
        that reach new code are mostly refused, so that damage upon damage reaches ever less.
        """
        chance = Random(seed)
        if chance.getrandbits(1):
            self._seeds = self._seeds or self.target.seeds()
            data = chance.choice(self._seeds)
        return self.target.format.damaged(data, chance, min(longest, self.target.longest))


def save(folder: Path, name: str, data: bytes, failure: str) -> Path:
    """Save an input and what is wrong with it, unless there is one of the same name; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        path.write_bytes(data)
        path.with_name(f"{name}.txt").write_text(f"{failure}\n")
    return path


def guided() -> bool:
    """Return whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


def functions(guides: tuple[str, ...]) -> list[FunctionType]:
    """Return all functions and methods of modules and packages that have been imported."""
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, FunctionType)
        and any(f"{found.__module__}.".startswith(f"{guide}.") for guide in guides)
    ]


def main(name: str, runs: int, seed: int, folder: Path) -> None:
    """Execute a target so many times; the counts are in the folder's file ``status``."""
    target_class = Target.kinds[name]
    atheris: Any = None
    if guided():
        atheris = importlib.import_module("atheris")
        for function in functions(target_class.guides):
            atheris.instrument_func(function)
    warnings.simplefilter("error")  # a warning is a second line
    logging.disable()
    work = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else folder
    work = work / f"fuzz-{os.getpid()}"
    target = target_class(work)
    status = Status(folder / "status")
    session = Session(target, folder / "failures", status)
    target.take(target.seeds()[0])  # what is imported late is imported now
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    room = pages * resource.getpagesize() + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    if atheris is None:
        session.run(runs, Random(f"{name} {seed}"))
    else:
        grown = folder / "corpus"
        grown.mkdir(exist_ok=True)
        options: dict[str, Any] = {
            "runs": runs,
            "seed": seed,
            "max_len": target.longest,
            "len_control": 0,
        }
        # Time and memory are ours to watch.
        options |= {"rss_limit_mb": 0, "timeout": 100_000, "artifact_prefix": f"{folder}/process-"}
        atheris.Setup(
            [
                name,
                *(f"-{option}={value}" for option, value in options.items()),
                str(grown),
                str(CORPUS / name),
            ],
            lambda data: session.execute(data) and None,
            custom_mutator=session.damaged,
        )
        try:
            atheris.Fuzz()
        finally:
            status.write(session.counts, b"")
    status.write(session.counts, b"")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
