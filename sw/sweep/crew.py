"""Crews: the workers that carry out trials, in processes on this computer or on a cluster."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from abc import abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from spikeloom.sw.children import Child
from spikeloom.sw.closing import Closing
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.sweep.trial import Answer, Task

#: File in a sweep's folder that gets what local workers print.
PRINTED = "workers.log"


@dataclass(frozen=True)
class Lost:
    """A worker has ended before its trial has.

    Parameters
    ----------
    reason : str
        How it has ended, in a few words.
    """

    reason: str


class Crew(Closing):
    """Workers, each of which carries out a trial at a time.

    Attributes
    ----------
    size : int
        Number of workers.
    """

    size: int

    @abstractmethod
    def begin(self, task: Task) -> None:
        """Give a trial to an idle worker; there are never more trials than workers."""

    @abstractmethod
    def ended(self) -> list[tuple[int, Answer | Lost]]:
        """Wait for a trial to end; return the number and the answer of each that has."""


class _Worker:
    """A process that carries out trials, one after another."""

    def __init__(self, folder: Path, threads: int) -> None:
        # Where this process finds its modules, the other one does.
        found = os.pathsep.join(place or os.getcwd() for place in sys.path)
        with open(folder / PRINTED, "ab") as printed:
            self.child = Child(
                [sys.executable, "-m", "spikeloom.sw.sweep.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                env={"OMP_NUM_THREADS": str(threads), **os.environ, "PYTHONPATH": found},
            )
        self.process = self.child.process
        self.number = -1

    def begin(self, task: Task) -> None:
        self.number = task.number
        assert self.process.stdin is not None
        # If it has ended, its output has, too, which `answer` finds.
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(task.plain()).encode() + b"\n")
            self.process.stdin.flush()

    def answer(self) -> Answer | Lost:
        """Return the answer, for which there is something to read; the worker is then idle."""
        self.number = -1
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line.endswith(b"\n"):
            return Answer(**json.loads(line))
        status = self.end()
        return Lost(f"killed by signal {-status}" if status < 0 else f"ended with status {status}")

    def end(self) -> int:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        return self.child.end()


class LocalCrew(Crew):
    """Processes on this computer; one that ends is replaced when the next trial begins.

    They end with the process that has made them, whatever ends that.

    Parameters
    ----------
    size : int
        Number of processes. They share the processor's cores, unless ``OMP_NUM_THREADS`` in the
        environment, or the recipe, says how many threads each has.
    folder : Path
        Folder of the sweep, in which ``workers.log`` gets what they print.

    Raises
    ------
    ConfigError
        If the number is not positive.
    """

    def __init__(self, size: int, folder: Path) -> None:
        if size < 1:
            raise ConfigError(f"the number of workers must be at least 1, not {size}")
        self.size, self.folder = size, folder
        self.workers: list[_Worker] = []

    def begin(self, task: Task) -> None:
        idle = [worker for worker in self.workers if worker.number < 0]
        if not idle:
            threads = max(1, (os.cpu_count() or 1) // self.size)
            idle = [_Worker(self.folder, threads)]
            self.workers += idle
        idle[0].begin(task)

    def ended(self) -> list[tuple[int, Answer | Lost]]:
        with selectors.DefaultSelector() as selector:
            for worker in self.workers:
                if worker.number >= 0:
                    assert worker.process.stdout is not None
                    selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
            ready: list[_Worker] = [key.data for key, _ in selector.select()]
        found = []
        for worker in ready:
            number, answer = worker.number, worker.answer()
            if isinstance(answer, Lost):
                self.workers.remove(worker)
            found.append((number, answer))
        return found

    def close(self) -> None:
        while self.workers:
            self.workers.pop().end()
