"""The clock of one engine: the cycles in which it reads words, adds events, and runs its neurons.

Times are clock cycles from the end of reset. Components hand on their results through registers, so
that every time is the latest of a few others plus a number of registers, which is a constant of the
component that has them (``LATENCY`` and the like). Where a plain 1 is added, the next of several
things follows in the next cycle. Only the order of words matters here, never the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikeloom.hw.engine import Engine
from spikeloom.hw.engine.buffer import RowBuffer
from spikeloom.hw.engine.events import Compactor, DigitSplitter, ValuePicker
from spikeloom.hw.engine.gather import Gather
from spikeloom.hw.engine.pe import stages
from spikeloom.hw.engine.population import Population
from spikeloom.hw.engine.queue import WordQueue
from spikeloom.hw.engine.scanner import Scanner
from spikeloom.hw.engine.skid import Skid
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.planning.streams import Sends
from spikeloom.hw.prediction.generator import LONG_AGO, Generator
from spikeloom.hw.prediction.sinks import Buffer, Sink, Target
from spikeloom.hw.prediction.spans import union
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
    events, starved : list of int
        Number of events, and of cycles without anything to do, by image.
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
        self.starved = [0] * images
        self._images = images
        self._queue = plan.queue
        #: Clock cycles of all timesteps of a neuron; how often the sums of one window yield
        #: something to send, the cycles before each of it, and those from the first of the units'
        #: turns to the last.
        self._steps = plan.cycles
        whole = plan.shareable
        self._rounds = plan.cycles if plan.layer.constant and not whole else 1
        self._round = plan.cycles if whole else 1
        self._turns = plan.served - plan.cycles if whole else 0
        self._line = 0
        self._consumed = [0] * len(buffers)
        self._cells = [x.image(0) for x in words]
        self._generators = [Generator(plan.event_queue) for _ in range(plan.events)]
        #: Cycle in which the last word of all connections was accepted by the generators, and that
        #: in which the last word of each connection was taken from it.
        self._accepted = -1
        self._own = [-1] * len(buffers)
        #: Cycle in which the last word of a line was read, of each connection.
        self._read = [-1] * len(buffers)
        #: Last cycle in which anything was busy.
        self._active = -1
        #: First cycle in which the elements take events of this window, the number of their stages,
        #: and the last spans in which they stood still, because sums were not taken: of as many
        #: windows as can have events in these stages, and of one more.
        self._open = 0
        self._stages = stages(plan)
        self._stalls = [(0, 0)] * (self._stages + 1)
        #: Cycles in which the last sums left each place where sums wait, and the next place.
        self._leaves = [LONG_AGO] * self._queue
        self._slot = 0
        #: Last cycle in which the neurons were at work; their timestep, and the cycles in which
        #: their last transfer leaves the output register, and is taken.
        self._worked = LONG_AGO
        self._step = 0
        self._passed = LONG_AGO
        self._sent = LONG_AGO
        #: Spans of cycles in which events are taken, and in which neurons wait, with the image.
        self._runs: list[tuple[int, int]] = []
        self._waits: list[tuple[int, int, int]] = []

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
        final = (plan.target.width - 1, plan.target.lane_groups - 1, steps - 1)
        fresh = True
        for x in range(plan.target.width):
            for group in range(plan.target.lane_groups):
                for step in range(steps):
                    ends = (x, group, step) == final
                    for k, reader in enumerate(readers):
                        begin = -1
                        if fresh or reader.feedback:
                            begin = self._begin(k, lines[k].need, image)
                        plane = self._cells[k][reader.steps[step]]
                        share = group if reader.windows.share else 0
                        window: list[Word] = []
                        for row in plane[tops[k] : tops[k] + lines[k].rows]:
                            window += row[x][share]
                        if not window:  # of a window without a marked word, one word is read
                            window = [[[0, 0]] * plan.events]
                        moved = self._scan(window, k, image, begin)
                        if ends or reader.feedback:
                            self._read[k] = moved
                            self.buffers[k].releases += [moved] * lines[k].release
                            self._consumed[k] += lines[k].release
                    self._close()
                    summed = self._sum()
                    taken = self._integrate(summed, image)
                    self._stalls = [*self._stalls[1:], (summed, taken)]
                    fresh = False
        self._line += 1
        for target in self.targets:
            target.next_row()
        if self._line == plan.target.height:
            self._line = 0
            self.ends.append(self._sent)
            if not self.done:
                self._cells = [words.image(len(self.ends)) for words in self.words]

    def counted(self) -> tuple[IntArray, IntArray]:
        """Return the number of cycles in which each image kept the engine busy, and blocked it."""
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
        spans = np.diff(np.array([-1, *self.ends]))
        return spans - np.array(self.starved) - blocked, blocked

    def _begin(self, connection: int, need: int, image: int) -> int:
        """Wait for the rows that a connection needs; return the cycle in which it can be read."""
        arrivals = self.buffers[connection].arrivals
        arrival = arrivals[self._consumed[connection] + need - 1] + RowBuffer.LATENCY
        if arrival > self._active + 1:
            self.starved[image] += arrival - self._active - 1
        if self.plan.readers[connection].windows.buffer.marked:
            return max(arrival, self._read[connection] + 1) + Scanner.MARKED_LATENCY
        return arrival

    def _scan(self, window: Sequence[Word], connection: int, image: int, begin: int) -> int:
        """Accept the words of a window from one connection.

        Parameters
        ----------
        window : sequence of Word
        connection, image : int
        begin : int
            First clock cycle in which the window can be read.

        Returns
        -------
        int
            Clock cycle in which the last word was read from the buffer.
        """
        if self.plan.compact:
            return self._scan_compact(window, image, begin)
        generators, accepted = self._generators, self._accepted
        own = self._own[connection]
        for word in window:
            # A word is read as the one before moves on, and moves on as that one is accepted.
            read = max(own, begin)
            own = max(read + Scanner.LATENCY, accepted)
            accepted = own + Gather.LATENCY
            for generator in generators:
                ready = generator.space if generator.held[0] else generator.free
                if ready > accepted:
                    accepted = ready
            for generator, (events, last) in zip(generators, word, strict=True):
                if events:
                    self.events[image] += events
                    if generator.held[0]:
                        self._push(generator, accepted, *generator.held)
                    generator.held = (events, last)
        self._accepted, self._own[connection] = accepted, own
        self._active = max(self._active, accepted)
        return read

    def _scan_compact(self, window: Sequence[Word], image: int, begin: int) -> int:
        """Take the events of a window's words as they are read, in a compact engine.

        Parameters and what it returns are those of :meth:`_scan`.
        """
        (generator,) = self._generators
        picks = self.plan.slots > 1
        for ((events, last),) in window:
            read = max(self._accepted, begin)
            # A word waits until the one before has been picked, or split if it has a single value.
            before = generator.popped if picks else generator.last
            self._accepted = max(read + Scanner.LATENCY, before)
            loaded = self._accepted + (ValuePicker.LATENCY if picks else 0)
            self.events[image] += events
            self._take(generator, loaded, max(events, 1), max(last, 1), null=not events)
        self._active = max(self._active, self._accepted)
        return read

    def _close(self) -> None:
        """End a window: held words go to their queues, or a word of zeros where none is held."""
        if self.plan.compact:
            return
        offered = self._accepted + Compactor.LATENCY
        pushes = [(max(offered, generator.space), generator) for generator in self._generators]
        if len(pushes) > 1:
            pushes.sort(key=lambda push: push[0])
        for time, generator in pushes:
            generator.free = time
            events, last = generator.held
            generator.held = (0, 0)
            if events:
                self._push(generator, time, events, last)
            else:
                self._push(generator, time, 1, 1, null=True)

    def _push(
        self, generator: Generator, time: int, events: int, last: int, null: bool = False
    ) -> None:
        """Put a word into a generator's queue, and take its events.

        Parameters
        ----------
        generator : Generator
        time : int
            Clock cycle in which the queue takes the word.
        events, last : int
            Number of events of the word, and of its last value.
        null : bool
            Whether the only event is one that adds nothing.
        """
        moved = max(time + WordQueue.LATENCY, generator.popped)
        generator.moves[generator.index] = moved
        generator.index = (generator.index + 1) % generator.queued
        self._take(generator, moved + ValuePicker.LATENCY, events, last, null)

    def _take(self, generator: Generator, offered: int, events: int, last: int, null: bool) -> None:
        """Take the events of a word.

        Parameters
        ----------
        generator : Generator
        offered : int
            First clock cycle in which its first value is offered.
        events, last, null
            As of :meth:`_push`.
        """
        loaded = max(offered, generator.last)
        first = max(loaded + DigitSplitter.LATENCY, self._open, generator.last + 1)
        first = self._unstalled(first)
        end = self._after(first, events)
        generator.popped = loaded if events == last else self._after(first, events - last)
        generator.last = end
        self._active = max(self._active, end + self._stages)
        if not null:
            self._issue(first, end)

    def _issue(self, first: int, end: int) -> None:
        """Note the cycles in which events are taken, the first and the last of some."""
        for begin, until in self._stalls:
            if first < begin <= end and until > begin:
                self._runs.append((first, begin))
                first = until
        self._runs.append((first, end + 1))

    def _unstalled(self, time: int) -> int:
        """Return the first cycle from ``time`` on in which the elements do not stand still."""
        for begin, until in self._stalls:
            if begin <= time < until:
                time = until
        return time

    def _after(self, first: int, events: int) -> int:
        """Return the cycle in which the last of some events is taken, the first at ``first``."""
        time = first + events - 1
        for begin, until in self._stalls:
            if first < begin <= time:
                time += until - begin
        return time

    def _later(self, time: int) -> int:
        """Return the cycle in which an event that is taken at ``time`` is in the last stage."""
        for _ in range(self._stages):
            time = self._unstalled(time + 1)
        return time

    def _sum(self) -> int:
        """End a window in the elements; return the cycle in which its sums are offered."""
        end = max([generator.last for generator in self._generators])
        self._open = end + 1
        return self._later(end)

    def _integrate(self, summed: int, image: int) -> int:
        """Hand sums to the neurons that are offered from a cycle on, and send their results.

        Returns
        -------
        int
            The cycle in which the sums are taken.
        """
        if self._queue:
            space = Engine.SUMS_SPACE_LATENCY if self._queue > 1 else 0
            taken = max(summed, self._leaves[self._slot] + space)
            ready = taken + Engine.SUMS_LATENCY
        else:
            ready = summed
        every = self.plan.sends == Sends.SPIKES
        # The first timestep begins as soon as the sums are there; others follow one another.
        start = max(ready, self._worked + 1) - 1
        for _ in range(self._rounds):
            start += self._round
            self._step = (self._step + self._round) % self._steps
            if every or not self._step:
                if self._passed > start:
                    self._waits.append((start, self._passed, image))
                    start = self._passed
                start += self._turns
                offered = start + Population.OUTPUT_LATENCY
                if not self.plan.compact:
                    offered = max(offered, self._sent + Skid.SPACE_LATENCY) + Skid.LATENCY
                self._sent = offered
                for sink in self.sinks:
                    self._sent = max(self._sent, sink.take(offered))
                # A transfer that is not taken at once waits in the skid, if there is one.
                self._passed = self._sent if self.plan.compact else offered - Skid.LATENCY
        if self._queue:
            self._leaves[self._slot] = start
            self._slot = (self._slot + 1) % self._queue
        else:
            taken = start
        self._worked = start
        self._active = max(self._active, start, self._sent)
        return taken
