"""The cocotb testbench: sets up the harness around the accelerator, starts it, and monitors it.

It runs inside the simulator, as the test module of :mod:`spikeloom.sim.runner`. Everything that
happens at each clock cycle (stalls, back-pressure, recording) is in ``harness.sv``, since Python
that wakes up at every clock edge limits the speed. Measured on a design of two small layers, in
cycles per CPU second: 590 thousand with the harness and everything recorded; 180 thousand when
Python awaits every edge and does nothing; 85 thousand when it also reads two signals. Values are
compared later and outside, by :mod:`spikeloom.sim.scoreboard`, for many images at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, First, RisingEdge, Timer

from spikeloom.hw.options import COUNTERS_LATENCY
from spikeloom.sim.job import COUNTERS, Job, Outcome, Progress

#: Length of a clock cycle, in nanoseconds of simulated time.
PERIOD = 2
#: Most clock cycles between two checks of the simulation's progress.
CHECK_EVERY = 50_000
#: Fewest clock cycles to wait for surplus values after the last logit.
DRAIN = 1_000


class Driver:
    """Driver of the harness: sets its parameters, starts the clock, and ends the reset.

    Parameters
    ----------
    dut : handle
        The harness.
    job : Job
        The simulation to run.
    """

    def __init__(self, dut: Any, job: Job) -> None:
        self.dut = dut
        self.job = job

    async def start(self) -> None:
        """Start the clock, and end the reset after a few cycles."""
        dut, job = self.dut, self.job
        Clock(dut.clk, PERIOD, "ns", impl="gpi").start()
        dut.rst.value = 1
        dut.pixels.value = job.images * job.pixels
        dut.logits.value = job.images * job.logits
        dut.input_stall.value = int(job.input_stall * (1 << 32))
        dut.output_stall.value = int(job.output_stall * (1 << 32))
        # Two different seeds, neither of which is 0, the one state that xorshift cannot leave.
        low = (job.seed * 0x9E3779B1 + 1) & 0xFFFFFFFF or 1
        high = (job.seed * 0x85EBCA77 + 2) & 0xFFFFFFFF or 1
        dut.seed.value = high << 32 | low
        await Timer(4 * PERIOD, "ns")
        await FallingEdge(dut.clk)  # so that no register sees the reset end with its clock edge
        dut.rst.value = 0


class Monitor:
    """Reader of the accelerator's progress and counters.

    Parameters
    ----------
    dut : handle
        The harness.
    job : Job
        The simulation that runs.
    """

    def __init__(self, dut: Any, job: Job) -> None:
        self.dut = dut
        self.job = job
        taps = job.layers if job.debug else []
        self._recorders = {
            name: [getattr(dut.accelerator, f"record_{name}_{part}") for part in ("steps", "sent")]
            for name in taps
        }

    @property
    def cycles(self) -> int:
        """Clock cycles since the end of reset."""
        return int(self.dut.cycle.value.to_unsigned())

    @property
    def taken(self) -> int:
        """Pixels that the accelerator has taken."""
        return int(self.dut.taken.value.to_unsigned())

    @property
    def given(self) -> int:
        """Logits that the accelerator has given."""
        return int(self.dut.given.value.to_unsigned())

    @property
    def broken(self) -> int:
        """Clock cycles in which the output stream broke its rules."""
        return int(self.dut.broken.value.to_unsigned())

    def records(self) -> dict[str, tuple[int, int]]:
        """Return each layer's numbers of records, of its ``step`` and of its ``sent`` tap."""
        return {
            name: (
                int(steps.records.value.to_unsigned()),
                int(sent.records.value.to_unsigned()),
            )
            for name, (steps, sent) in self._recorders.items()
        }

    def counters(self) -> dict[str, dict[str, int]]:
        """Return the accelerator's own counters, by layer and name."""
        if not self.job.counters:
            return {}
        return {
            layer: {
                name: int(
                    getattr(self.dut.accelerator, f"counters__{layer}__{name}").value.to_unsigned()
                )
                for name in COUNTERS
            }
            for layer in self.job.layers
        }

    def waiting_for(self) -> str:
        """Return a text that names the missing logit or pixel, and the progress of each layer."""
        job, taken, given = self.job, self.taken, self.given
        waits = [
            f"logit {given % job.logits} of image {given // job.logits} "
            f"({given} of {job.images * job.logits} given)"
        ]
        if taken < job.images * job.pixels:
            waits.append(
                f"the accelerator to take pixel {taken % job.pixels} of image "
                f"{taken // job.pixels} ({taken} of {job.images * job.pixels} taken)"
            )
        text = "waited for " + ", and for ".join(waits)
        for name, (steps, sent) in self.records().items():
            text += f"; layer {name} showed neurons {steps} times and sent {sent} times"
        return text


async def until_finished(monitor: Monitor, finished: Any, job: Job, folder: Path) -> str | None:
    """Wait for the last logit, and keep the progress file in ``folder`` up to date.

    Returns
    -------
    str or None
        None if the last logit came. If there was no progress for ``job.stuck_after`` clock cycles,
        a text that says when the hardware got stuck, and what it waited for.

    Raises
    ------
    RuntimeError
        If the process that started the simulator has ended.
    """
    parent = os.getppid()
    check_every = max(1, min(CHECK_EVERY, job.stuck_after // 4))
    seen: object = None
    since = 0
    while not finished.value:
        await First(RisingEdge(finished), Timer(check_every * PERIOD, "ns"))
        if os.getppid() != parent:
            raise RuntimeError("the process that started the simulation is gone")
        Progress(min(monitor.given // job.logits, job.images), monitor.cycles).save(folder)
        state = (monitor.taken, monitor.given, monitor.records())
        if state != seen:
            seen, since = state, monitor.cycles
        elif monitor.cycles - since >= job.stuck_after and not finished.value:
            return (
                f"nothing moved for {monitor.cycles - since} clock cycles, at cycle "
                f"{monitor.cycles}: {monitor.waiting_for()}"
            )
    return None


@cocotb.test()
async def simulate(dut: Any) -> None:
    """Run the job in the current folder and leave its outcome there."""
    folder = Path()
    job = Job.load(folder)
    assert job is not None, "the simulator runs in a folder with a job"
    monitor = Monitor(dut, job)
    await Driver(dut, job).start()
    stuck = await until_finished(monitor, dut.finished, job, folder)
    # Read as soon as they include the last logit, as the counters go on counting.
    cycles = monitor.cycles
    await Timer(COUNTERS_LATENCY * PERIOD, "ns")
    counters = monitor.counters()
    if stuck is None:
        # A surplus logit would follow the last one about as fast as the others followed each other.
        await Timer(max(DRAIN, cycles // job.images) * PERIOD, "ns")
    Outcome(cycles, monitor.broken, counters, stuck).save(folder)
