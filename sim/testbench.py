"""The cocotb testbench: sets up the harness around the accelerator, and conducts the simulation.

It runs inside the simulator, as the test module of :mod:`spikeloom.sim.runner`. Everything that
happens at each clock cycle (stalls, back-pressure, recording) is in ``harness.sv``, and the course
of a simulation in :mod:`spikeloom.sim.bench`, so that both engines simulate the same.
"""

from __future__ import annotations

import os
from functools import reduce
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, First, RisingEdge, Timer

from spikeloom.sim.bench import Bench, conduct, parameters, shown
from spikeloom.sim.job import Job, Progress

#: Length of a clock cycle, in nanoseconds of simulated time.
PERIOD = 2


class CocotbBench(Bench):
    """The harness inside cocotb.

    Parameters
    ----------
    dut : handle
        The harness.
    job : Job
        The simulation to run.
    """

    def __init__(self, dut: Any, job: Job) -> None:
        self.dut = dut
        names = shown(len(job.layers), job.debug, job.counters)
        self._handles = [reduce(getattr, name.split("."), dut) for name in names]
        for name, value in parameters(job).items():
            getattr(dut, name).value = value
        self._started = self._at_edge = False

    async def advance(self, cycles: int, *, past_last: bool = False) -> None:
        """Let clock cycles pass."""
        if not self._started:
            self._started = True
            # The clock begins with an edge. We look between two.
            Clock(self.dut.clk, PERIOD, "ns", impl="gpi").start()
            await FallingEdge(self.dut.clk)
            cycles -= 1
        if cycles:
            passed = Timer(cycles * PERIOD, "ns")
            if past_last:
                if self._at_edge:  # of the clock, where the last logit came
                    self._at_edge = False
                    await FallingEdge(self.dut.clk)
                await passed
            else:
                await First(RisingEdge(self.dut.finished), passed)
                self._at_edge = bool(self.dut.finished.value)

    def read(self) -> list[int]:
        """Return the values of all that the harness shows."""
        return [int(handle.value) for handle in self._handles]


@cocotb.test()
async def simulate(dut: Any) -> None:
    """Run the job in the current folder and leave its outcome there.

    Raises
    ------
    RuntimeError
        If the process that started the simulator has ended.
    """
    folder, parent = Path(), os.getppid()
    job = Job.load(folder)
    assert job is not None, "the simulator runs in a folder with a job"

    def report(progress: Progress) -> None:
        if os.getppid() != parent:
            raise RuntimeError("the process that started the simulation is gone")
        progress.save(folder)

    outcome = await conduct(CocotbBench(dut, job), job, report)
    outcome.save(folder)
