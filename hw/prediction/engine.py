"""The clock of one engine: the cycles in which it reads words, adds events, and runs its neurons.

:mod:`~spikeloom.hw.prediction.copies` has the clock of each of its copies, up to sums.

Times are clock cycles from the end of reset. Components hand on their results through registers, so
that every time is the latest of a few others plus a number of registers, which is a constant of the
component that has them (``LATENCY`` and the like). Where a plain 1 is added, the next of several
things follows in the next cycle. Only the order of words matters here, never the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikeloom.hw.engine.buffer import RowBuffer
from spikeloom.hw.engine.population import Population
from spikeloom.hw.engine.scanner import Scanner
from spikeloom.hw.engine.skid import Skid
from spikeloom.hw.engine.sums import SUMS_LATENCY, SUMS_SPACE_LATENCY
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.planning.streams import Sends
from spikeloom.hw.prediction.copies import CompactClock, CopyClock, Pipeline, Span
from spikeloom.hw.prediction.generator import LONG_AGO
from spikeloom.hw.prediction.sinks import Buffer, Sink, Target
from spikeloom.hw.prediction.spans import union
from spikeloom.hw.prediction.timeline import Timeline
from spikeloom.hw.prediction.words import Word, Words
from spikeloom.sw.network.record import IntArray


class EngineClock:
    """The clock of an engine, which goes on by a line of windows at a time.

    Parameters
    ----------
    plan : LayerPlan
    words : sequence of Words
        The words of each connection.
    buffers : sequence of Buffer
        The buffer that each connection reads.
    sinks : sequence of Sink
        The parts that take its transfers.
    targets : sequence of Target
        The buffers behind these sinks.
    images : int
        Number of images.

    Attributes
    ----------
    ends : list of int
        Clock cycle in which the last transfer of each image was taken.
    events : list of int
        Number of events by image.
    """

    def __init__(
        self,
        plan: LayerPlan,
        words: Sequence[Words],
        buffers: Sequence[Buffer],
        sinks: Sequence[Sink],
        targets: Sequence[Target],
        images: int,
    ) -> None:
        self.plan, self.words, self.buffers = plan, words, buffers
        self.sinks, self.targets = sinks, targets
        self.ends: list[int] = []
        self.events = [0] * images
        self._images = images
        self._queue = plan.queue
        #: Clock cycles of all timesteps of a neuron; how often the sums of one window yield
        #: something to send, the cycles before each of it, those from the first of the units' turns
        #: to the last, and those from choosing sums to working on them.
        self._steps = plan.cycles
        whole = plan.shareable
        self._rounds = plan.cycles if plan.layer.constant and not whole else 1
        self._round = plan.cycles if whole else 1
        self._turns = plan.served - plan.cycles if whole else 0
        self._stage = Population.STAGE_LATENCY if plan.staged else 0
        self._line = 0
        self._consumed = [0] * len(buffers)
        self._cells = [x.image(0) for x in words]
        #: Spans of cycles in which events are taken, and in which neurons wait, with the image.
        self._runs: list[Span] = []
        self._waits: list[tuple[int, int, int]] = []
        kind = CompactClock if plan.compact else CopyClock
        self._copies = [
            kind(plan, len(buffers), self.events, self._runs) for _ in range(plan.copies)
        ]
        self._pipes: Sequence[Pipeline] = self._copies
        #: Last cycle in which the neurons were at work; their timestep, and the cycles in which
        #: their last transfer leaves the output register, and is taken.
        self._worked = LONG_AGO
        self._step = 0
        self._passed = LONG_AGO
        self._sent = LONG_AGO

    @property
    def done(self) -> bool:
        """Whether all images are through."""
        return len(self.ends) == self._images

    @property
    def runnable(self) -> bool:
        """Whether everything that the next line depends on is known."""
        if self.done or not all(target.known for target in self.targets):
            return False
        return all(
            reader.feedback
            or len(buffer.arrivals) >= consumed + reader.windows.lines[self._line].need
            for buffer, reader, consumed in zip(
                self.buffers, self.plan.readers, self._consumed, strict=True
            )
        )

    def run(self) -> None:
        """Go through the next line of windows."""
        plan, image = self.plan, len(self.ends)
        readers = plan.readers
        lines = [reader.windows.lines[self._line] for reader in readers]
        tops = [sum(x.release for x in reader.windows.lines[: self._line]) for reader in readers]
        steps = len(readers[0].steps)
        places = [
            (group, step) for group in range(plan.target.lane_groups) for step in range(steps)
        ]
        for x in range(plan.target.width):
            copy = self._copies[x % plan.copies]
            for group, step in places:
                fresh = x < plan.copies and (group, step) == places[0]
                ends = x + plan.copies >= plan.target.width and (group, step) == places[-1]
                for k, reader in enumerate(readers):
                    begin = -1
                    if fresh or reader.feedback:
                        begin = self._begin(copy, k, lines[k].need)
                    plane = self._cells[k][reader.steps[step]]
                    share = group if reader.windows.share else 0
                    window: list[Word] = []
                    for row in plane[tops[k] : tops[k] + lines[k].rows]:
                        window += row[x][share]
                    if not window:  # of a window without a marked word, one word is read
                        window = [[[0, 0]] * plan.events]
                    moved = copy.scan(window, k, image, begin)
                    if ends or reader.feedback:
                        copy.read[k] = moved
                    if reader.feedback:
                        self._release(k, lines[k].release)
                copy.close()
                summed = copy.sum()
                copy.stand(summed, self._integrate(copy, summed, image))
        for k, reader in enumerate(readers):
            if not reader.feedback:
                self._release(k, lines[k].release)
        self._line += 1
        for target in self.targets:
            target.next_row()
        if self._line == plan.target.height:
            self._line = 0
            self.ends.append(self._sent)
            if not self.done:
                self._cells = [words.image(len(self.ends)) for words in self.words]

    def _release(self, connection: int, rows: int) -> None:
        """Release rows of a connection, as soon as all copies have."""
        released = max(copy.read[connection] for copy in self._copies)
        self.buffers[connection].releases += [released] * rows
        self._consumed[connection] += rows

    def counted(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return by image the cycles in which the engine was busy, starved, and blocked."""
        starved, blocked = self._starved(), self._blocked()
        spans = np.diff(np.array([-1, *self.ends]))
        return spans - starved - blocked, starved, blocked

    def timeline(self) -> Timeline:
        """Return the spans of cycles that :meth:`counted` counts."""
        waits = np.array([wait[:2] for wait in self._waits], np.int64).reshape(-1, 2)
        runs = np.array(self._runs, np.int64).reshape(-1, 2)
        return Timeline.of(self.ends, self._busy(), waits, runs)

    def _busy(self) -> IntArray:
        """Return the spans of cycles in which there was something to do; they may overlap."""
        return np.array([span for pipe in self._pipes for span in (*pipe.busy, pipe.present)])

    def _starved(self) -> IntArray:
        """Return the number of cycles of each image in which there was nothing to do."""
        starts, stops = union(self._busy())
        starved = np.zeros(self._images, np.int64)
        np.add.at(starved, np.searchsorted(self.ends, starts[1:]), starts[1:] - stops[:-1])
        return starved

    def _blocked(self) -> IntArray:
        """Return the number of cycles of each image in which neurons waited, and no event came."""
        blocked = np.zeros(self._images, np.int64)
        if self._waits:
            starts, stops = union(np.array(self._runs).reshape(-1, 2))
            before = np.concatenate([[0], np.cumsum(stops - starts)])

            def issuing(time: IntArray) -> IntArray:
                """Return the number of cycles before ``time`` in which events were taken."""
                index = np.searchsorted(starts, time, side="right")
                last = np.maximum(index - 1, 0)
                inside = before[last] + np.minimum(time - starts[last], (stops - starts)[last])
                issued: IntArray = np.where(index > 0, inside, 0)
                return issued

            waits = np.array(self._waits)
            idle = waits[:, 1] - waits[:, 0]
            if len(starts):
                idle = idle - (issuing(waits[:, 1]) - issuing(waits[:, 0]))
            np.add.at(blocked, waits[:, 2], idle)
        return blocked

    def _begin(self, copy: CopyClock, connection: int, need: int) -> int:
        """Wait for the rows that a connection needs; return the cycle in which it can be read."""
        arrivals = self.buffers[connection].arrivals
        arrival = arrivals[self._consumed[connection] + need - 1] + RowBuffer.LATENCY
        copy.wake(arrival)
        if self.plan.readers[connection].windows.buffer.marked:
            return max(arrival, copy.read[connection] + 1) + Scanner.MARKED_LATENCY
        return arrival

    def _integrate(self, copy: Pipeline, summed: int, image: int) -> int:
        """Hand sums to the neurons that are offered from a cycle on, and send their results.

        Returns
        -------
        int
            The cycle in which the sums are taken.
        """
        if self._queue:
            space = SUMS_SPACE_LATENCY if self._queue > 1 else 0
            taken = max(summed, copy.leaves[copy.slot] + space)
            ready = taken + SUMS_LATENCY
        else:
            ready = summed
        every = self.plan.sends == Sends.SPIKES
        # The first timestep begins as soon as the sums are there; others follow one another.
        start = max(ready, self._worked + 1) - 1
        for _ in range(self._rounds):
            start += self._round
            self._step = (self._step + self._round) % self._steps
            if every or not self._step:
                # The units work a stage later than they choose: only with a timestep there do they
                # wait.
                begin = start + self._stage
                if self._passed > begin:
                    self._waits.append((begin, self._passed, image))
                    start = self._passed - self._stage
                start += self._turns
                offered = start + self._stage + Population.OUTPUT_LATENCY
                if not self.plan.compact:
                    offered = max(offered, self._sent + Skid.SPACE_LATENCY) + Skid.LATENCY
                self._sent = offered
                for sink in self.sinks:
                    self._sent = max(self._sent, sink.take(offered))
                # A transfer that is not taken at once waits in the skid, if there is one.
                self._passed = self._sent if self.plan.compact else offered - Skid.LATENCY
        if self._queue:
            copy.leaves[copy.slot] = start
            copy.slot = (copy.slot + 1) % self._queue
        else:
            taken = start
        self._worked = start
        copy.active = max(copy.active, start, self._sent)
        return taken
