"""The course of a simulation, whichever engine simulates: start, watch, drain, outcome.

An engine is a :class:`Bench`, which lets clock cycles pass in the harness (``harness.sv``), and
reads what it shows. :func:`conduct` asks it for many cycles at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from spikeloom.hw.options import COUNTERS_LATENCY
from spikeloom.sim.job import COUNTERS, Job, Outcome, Progress

HARNESS = "spikeloom_harness"
#: Most clock cycles between two looks at the simulation's progress.
CHECK_EVERY = 50_000
#: Fewest clock cycles to wait for surplus values after the last logit.
DRAIN = 1_000

#: What the harness shows of itself.
_OWN = ("finished", "cycle", "taken", "given", "broken")


def recorder(layer: int, part: str) -> str:
    """Return the name of the recorder of a layer's tap, ``"steps"`` or ``"sent"``."""
    return f"record_{layer}_{part}"


def counters(layer: int) -> str:
    """Return the name of the module that shows a layer's counters."""
    return f"count_{layer}"


def shown(layers: int, debug: bool, counted: bool) -> list[str]:
    """Return the names of all that a bench reads, as paths of instances in the harness."""
    return [
        *_OWN,
        *(
            f"accelerator.{recorder(layer, part)}.records"
            for layer in range(layers if debug else 0)
            for part in ("steps", "sent")
        ),
        *(
            f"accelerator.{counters(layer)}.shown_{name}"
            for layer in range(layers if counted else 0)
            for name in COUNTERS
        ),
    ]


def parameters(job: Job) -> dict[str, int]:
    """Return the values that the harness is set to before its first clock edge, by name."""
    # Two different seeds, neither of which is 0, the one state that xorshift cannot leave.
    low = (job.seed * 0x9E3779B1 + 1) & 0xFFFFFFFF or 1
    high = (job.seed * 0x85EBCA77 + 2) & 0xFFFFFFFF or 1
    return {
        "pixels": job.images * job.pixels,
        "logits": job.images * job.logits,
        "input_stall": int(job.input_stall * (1 << 32)),
        "output_stall": int(job.output_stall * (1 << 32)),
        "seed": high << 32 | low,
    }


@dataclass(frozen=True)
class State:
    """What the harness shows at one moment.

    Parameters
    ----------
    finished : bool
        Whether the last logit has come.
    cycle : int
        Clock cycles since the end of reset.
    taken, given : int
        Pixels that the accelerator has taken, and logits that it has given.
    broken : int
        Clock cycles in which the output stream broke its rules.
    records : dict of str to (int, int)
        Each layer's numbers of records, of its ``step`` and of its ``sent`` tap.
    counters : dict
        The accelerator's own counters, by layer and name.
    """

    finished: bool
    cycle: int
    taken: int
    given: int
    broken: int
    records: dict[str, tuple[int, int]]
    counters: dict[str, dict[str, int]]

    @classmethod
    def of(cls, job: Job, values: list[int]) -> State:
        """Return the state that ``values`` say, in the order of :func:`shown`."""
        finished, cycle, taken, given, broken = values[: len(_OWN)]
        rest = iter(values[len(_OWN) :])
        records = {name: (next(rest), next(rest)) for name in (job.layers if job.debug else [])}
        counted = {
            layer: {name: next(rest) for name in COUNTERS}
            for layer in (job.layers if job.counters else [])
        }
        return cls(bool(finished), cycle, taken, given, broken, records, counted)

    @property
    def place(self) -> object:
        """Everything that changes as long as the hardware makes progress."""
        return self.taken, self.given, self.records


class Bench(ABC):
    """A harness that is set up, and can be clocked."""

    @abstractmethod
    async def advance(self, cycles: int, *, past_last: bool = False) -> None:
        """Let clock cycles pass.

        Parameters
        ----------
        cycles : int
        past_last : bool
            Whether to go on at the last logit; else only as many cycles pass as it takes.
        """

    @abstractmethod
    def read(self) -> list[int]:
        """Return the values of all that :func:`shown` names."""


async def conduct(bench: Bench, job: Job, report: Callable[[Progress], object]) -> Outcome:
    """Run a job from reset to its last logit, or until the hardware is stuck.

    Parameters
    ----------
    bench : Bench
        Set up, before its first clock edge.
    job : Job
    report : callable
        Is told the progress now and then.
    """
    await bench.advance(1)
    check_every = max(1, min(CHECK_EVERY, job.stuck_after // 4))
    state = State.of(job, bench.read())
    seen, since = state.place, state.cycle
    stuck = None
    while not state.finished and stuck is None:
        await bench.advance(check_every)
        state = State.of(job, bench.read())
        report(Progress(min(state.given // job.logits, job.images), state.cycle))
        if state.place != seen:
            seen, since = state.place, state.cycle
        elif state.cycle - since >= job.stuck_after and not state.finished:
            stuck = (
                f"nothing moved for {state.cycle - since} clock cycles, at cycle {state.cycle}: "
                f"{waiting_for(job, state)}"
            )
    # Read as soon as they include the last logit, as the counters go on counting.
    await bench.advance(COUNTERS_LATENCY, past_last=True)
    counted = State.of(job, bench.read())
    counters, broken = counted.counters, counted.broken
    if stuck is None:
        # A surplus logit would follow the last one about as fast as the others followed each other.
        await bench.advance(max(DRAIN, state.cycle // job.images), past_last=True)
        broken = State.of(job, bench.read()).broken
    return Outcome(state.cycle, broken, counters, stuck)


def waiting_for(job: Job, state: State) -> str:
    """Return a text that names the missing logit or pixel, and the progress of each layer."""
    first, taken, given = job.first, state.taken, state.given
    waits = [
        f"logit {given % job.logits} of image {first + given // job.logits} "
        f"({given} of {job.images * job.logits} given)"
    ]
    if taken < job.images * job.pixels:
        waits.append(
            f"the accelerator to take pixel {taken % job.pixels} of image "
            f"{first + taken // job.pixels} ({taken} of {job.images * job.pixels} taken)"
        )
    text = "waited for " + ", and for ".join(waits)
    for name, (steps, sent) in state.records.items():
        text += f"; layer {name} showed neurons {steps} times and sent {sent} times"
    return text
