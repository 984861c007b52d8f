"""Simulators without Python in the loop: Verilator's model of the harness with a C++ ``main``."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO, Any, TypeVar

from spikeloom.sim import program
from spikeloom.sim.bench import HARNESS, Bench, conduct, parameters, shown
from spikeloom.sim.building import failure
from spikeloom.sim.design import Design
from spikeloom.sim.harness import sources
from spikeloom.sim.job import WRITE_FAILED, Job, Outcome, Progress
from spikeloom.sw.children import Child
from spikeloom.sw.errors import FileFormatError

SIMULATION_LOG = "simulation.log"
_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True)
class NativeSimulator:
    """A built simulator, which is a program of its own.

    Parameters
    ----------
    design : Design
        The hardware that it simulates.
    folder : Path
        Folder with the program, the Verilog and the build's log.
    """

    design: Design
    folder: Path

    @classmethod
    def build(
        cls, design: Design, root: str | Path, poll: Callable[[], object] | None = None
    ) -> NativeSimulator:
        """Return a simulator of ``design``; see :func:`spikeloom.sim.program.build`."""
        return cls(design, built(design, root, poll))

    def run(
        self,
        folder: Path,
        job: Job,
        *,
        plusargs: Sequence[str] = (),
        report: Callable[[Progress], object] = lambda progress: None,
    ) -> Outcome:
        """Simulate a job.

        Parameters
        ----------
        folder : Path
            Folder with the job's files (:mod:`spikeloom.sim.job`); the results are written there.
        job : Job
        plusargs : sequence of str
            ``+name=value`` arguments for ``$value$plusargs`` in the Verilog.
        report : callable
            Is told the progress a few times a second. An exception ends the simulator.

        Raises
        ------
        ToolError
            If the simulator fails.
        """
        log = folder / SIMULATION_LOG
        values = [f"{name}={value}" for name, value in parameters(job).items()]
        replies, end = os.pipe()
        command = [str(self.folder / HARNESS), str(end), *values, *plusargs]
        _LOG.info("running %s", shlex.join(command))
        with open(log, "w", encoding="utf-8") as output, open(replies, encoding="ascii") as answers:
            try:
                child = Child(
                    command,
                    [end],
                    cwd=folder,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            finally:
                os.close(end)
            outcome = None
            with child, child.process as process:
                assert process.stdin is not None
                bench = _NativeBench(process.stdin, answers)
                try:
                    outcome = _finished(conduct(bench, job, report))
                except (EOFError, BrokenPipeError):
                    pass  # the program has ended
                except BaseException:
                    child.end()
                    raise
        if process.returncode == WRITE_FAILED:
            raise FileFormatError(f"cannot write the simulation's records in {folder}: disk full?")
        if process.returncode != 0 or outcome is None:
            raise failure("the simulation failed", log)
        return outcome


def built(
    design: Design, root: str | Path, poll: Callable[[], object] | None, *, trace: bool = False
) -> Path:
    """Return the folder with a design's program; see :func:`spikeloom.sim.program.build`.

    One that writes its signals is for few images: it takes less time to compile, and more to run.
    """
    main = resources.files("spikeloom.sim").joinpath("main.cpp").read_text(encoding="utf-8")
    return program.build(
        HARNESS,
        sources(design),
        main,
        root,
        headers={"shown.h": _names(design)},
        name=design.top,
        optimise="-O0" if trace else "-O2",
        trace=trace,
        poll=poll,
    ).parent


class _NativeBench(Bench):
    """A program made of ``main.cpp``, asked over pipes."""

    def __init__(self, requests: IO[str], replies: IO[str]) -> None:
        self._requests = requests
        self._replies = replies
        self._values: list[int] = []

    async def advance(self, cycles: int, *, past_last: bool = False) -> None:
        self._requests.write(f"{cycles} {past_last:d}\n")
        self._requests.flush()
        reply = self._replies.readline()
        if not reply:
            raise EOFError("the program has ended")
        self._values = [int(word) for word in reply.split()]

    def read(self) -> list[int]:
        return self._values


def _finished(course: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of a coroutine that never waits for another one."""
    try:
        course.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    raise AssertionError("a program answers at once")


def _names(design: Design) -> str:
    """Return the header that tells ``main.cpp`` which variables the model has."""
    paths = shown(len(design.layers), design.debug, design.counters)
    variables = [f"root->{HARNESS}.{path}".replace(".", "__DOT__") for path in paths]
    settable = parameters(Job(0, 0, 0, 0, 0, 0, 0, False, False, []))
    return (
        f"#define SPIKELOOM_PARAMETERS(SET) {' '.join(f'SET({name})' for name in settable)}\n"
        f"#define SPIKELOOM_SHOWN(root) {', '.join(f'uint64_t({name})' for name in variables)}\n"
    )
