"""The clock of an unrolled engine, which takes its source's rows as it makes its own.

Nothing here depends on values. A transfer is taken as soon as the window ahead of it has been added
up, so that the source goes on only as fast as the engine and all that lies behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

from spikeloom.hw.engine.lines import LineWindow
from spikeloom.hw.engine.planes import PlaneSums
from spikeloom.hw.planning import UnrolledPlan
from spikeloom.hw.prediction.copies import Pipeline
from spikeloom.hw.prediction.engine import EngineClock
from spikeloom.hw.prediction.sinks import Sink, Target, aligned


class UnrolledClock(EngineClock):
    """The clock of an unrolled engine, and the target that its source sends to.

    Parameters
    ----------
    plan : UnrolledPlan
    sinks : sequence of Sink
        The parts that take its transfers.
    targets : sequence of Target
        The buffers behind these sinks.
    images : int
        Number of images.

    Attributes
    ----------
    inlet : Sink
        The sink that the source sends to.
    """

    def __init__(
        self, plan: UnrolledPlan, sinks: Sequence[Sink], targets: Sequence[Target], images: int
    ) -> None:
        super().__init__(plan, (), (), sinks, targets, images)
        (reader,) = plan.readers
        source = reader.stream
        self.inlet: Sink = aligned(reader, self)
        #: Cycle in which the last sums were taken.
        self._taken = -1
        self._planes = plan.sums.steps
        stages = PlaneSums.stages(plan.sums)
        # One for every window that can be in the pipeline, and those that begin and end.
        self._pipe = Pipeline(stages, stages + 3, plan.queue, self._runs)
        self._pipes = [self._pipe]
        rows, columns = reader.windows.extent
        bottoms, rights = reader.windows.ends
        groups = source.lane_groups
        self._bottoms, self._rights = set(bottoms), {(x + 1) * groups - 1 for x in rights}
        self._height, self._rows = source.height, rows
        self._width, self._places = source.width * groups, columns * groups
        self._row = self._place = 0
        self._windows = self._left = len(bottoms) * len(rights)
        #: First cycle in which the next transfer is taken.
        self._free = 0

    @property
    def known(self) -> bool:
        """Whether everything that the source's next row depends on is known."""
        return self._row < self._height and self._room

    @property
    def runnable(self) -> bool:
        """Whether a row of padding below the source comes next, and may be gone through."""
        return self._row >= self._height and self._room

    @property
    def _room(self) -> bool:
        """Whether it is known when the targets take the line that the next row completes."""
        return self._row not in self._bottoms or all(target.known for target in self.targets)

    def next_row(self) -> None:
        """Note that the source has sent a row."""

    def run(self) -> None:
        """Go through the next row of padding."""
        for _ in range(self._places):
            self._move(self._free)

    def take(self, offered: int) -> int:
        """Return the clock cycle in which the next transfer is taken; see :class:`Sink`."""
        taken = max(offered, self._free)
        self._move(taken)
        # Places in the padding follow without a transfer.
        while self._place >= self._width:
            self._move(self._free)
        return taken

    def _move(self, time: int) -> None:
        """Move on by a transfer or a place in the padding, in the cycle ``time``."""
        image = len(self.ends)
        if self._left and not self.done:
            self._pipe.wake(time)
            self._pipe.active = max(self._pipe.active, time)
        self._free = time + 1
        line = self._row in self._bottoms
        if line and self._place in self._rights:
            self._add(time + LineWindow.LATENCY, image)
        self._place += 1
        if self._place == self._places:
            self._place, self._row = 0, self._row + 1
            if line:
                for target in self.targets:
                    target.next_row()
            if self._row == self._rows:
                self._row, self._left = 0, self._windows

    def _add(self, offered: int, image: int) -> None:
        """Add up a window that is offered from a cycle on."""
        pipe = self._pipe
        first = pipe.unstalled(offered)
        # Sums stay in the accumulators until they are taken: all stands still if the first planes
        # of the next window come earlier.
        at_sums = pipe.later(first)
        pipe.stand(at_sums, max(self._taken, at_sums))
        end = pipe.after(first, self._planes)
        pipe.issue(first, end)
        self.events[image] += self._planes
        self._free = end
        self._taken = self._integrate(pipe, pipe.later(end) + PlaneSums.OFFERED, image)
        self._left -= 1
        if not self._left:
            self.ends.append(self._sent)
