"""When an engine does what: its words, events, windows and neurons, cycle by cycle.

Times are clock cycles from the end of reset. What happens in a cycle follows from registers, so
that every time is the latest of a few others plus a constant; each constant below is the number of
registers in between. Only the order of words matters here, never the values of weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikeloom.hw.engine.events import QUEUE_DEPTH
from spikeloom.hw.planning.plan import LayerPlan
from spikeloom.hw.planning.streams import Sends
from spikeloom.hw.prediction.sinks import Buffer, Sink
from spikeloom.hw.prediction.words import Word, Words
from spikeloom.sw.network.record import IntArray

#: Words that fit into a queue besides the one in its output register.
_QUEUED = QUEUE_DEPTH - 1
_LONG_AGO = -(1 << 40)


class _Bank:
    """An event bank: its held word, its queue, and the value and digit that are next."""

    def __init__(self) -> None:
        #: Events of the held word, and of its last value; 0 for none.
        self.held: tuple[int, int] = (0, 0)
        #: From when on a word is accepted, if none is held.
        self.free = 0
        #: When each of the last words went to the queue's output register.
        self.moves = [_LONG_AGO] * _QUEUED
        self.index = 0
        #: When the last word left that register, and when its last event was taken.
        self.popped = _LONG_AGO
        self.last = _LONG_AGO

    @property
    def space(self) -> int:
        """From when on the queue has space for the held word."""
        return self.moves[self.index] + 1


class EngineClock:
    """An engine's clock, line by line of its windows.

    Parameters
    ----------
    plan : LayerPlan
    words : sequence of Words
        By connection.
    buffers : sequence of Buffer
        By connection; those it reads from.
    sinks : sequence of Sink
        Where it sends to.
    targets : sequence of Buffer
        The buffers behind these.
    images : int

    Attributes
    ----------
    ends : list of int
        Clock cycle in which each image's last transfer was taken.
    events, starved : list of int
        By image.
    """

    def __init__(
        self,
        plan: LayerPlan,
        words: Sequence[Words],
        buffers: Sequence[Buffer],
        sinks: Sequence[Sink],
        targets: Sequence[Buffer],
        images: int,
    ) -> None:
        self.plan, self.words, self.buffers = plan, words, buffers
        self.sinks, self.targets = sinks, targets
        self.ends: list[int] = []
        self.events = [0] * images
        self.starved = [0] * images
        self._images = images
        self._queue = plan.queue
        #: Timesteps of an image's neuron, in cycles, and how many of them a window's sums serve.
        self._steps = plan.cycles
        self._served = plan.cycles if plan.layer.constant else 1
        self._line = 0
        self._consumed = [0] * len(buffers)
        self._cells = [x.image(0) for x in words]
        self._banks = [_Bank() for _ in range(plan.events)]
        #: When the last word was accepted, of all connections and of each.
        self._accepted = -1
        self._own = [-1] * len(buffers)
        #: Until when anything was busy.
        self._active = -1
        #: From when on the elements take events of this window, whether they have, and when they
        #: stand still: as long as a sum is not taken.
        self._open = 0
        self._begun = False
        self._stalls = [(0, 0), (0, 0), (0, 0)]
        self._taken = _LONG_AGO
        #: When each of the last sums left the queue of sums, if there is one.
        self._leaves = [_LONG_AGO] * self._queue
        self._sums = 0
        #: When the neurons take the next sum, at the earliest, and what they have done.
        self._ready = 0
        self._step = 0
        self._sent = _LONG_AGO
        self._runs: list[tuple[int, int]] = []
        self._waits: list[tuple[int, int, int]] = []

    @property
    def done(self) -> bool:
        """Whether all images are through."""
        return len(self.ends) == self._images

    @property
    def runnable(self) -> bool:
        """Whether all is known that the next line depends on."""
        if self.done or not all(target.known for target in self.targets):
            return False
        return all(
            len(buffer.arrivals) >= consumed + reader.windows.lines[self._line].need
            for buffer, reader, consumed in zip(
                self.buffers, self.plan.readers, self._consumed, strict=True
            )
        )

    def run(self) -> None:
        """Do the next line."""
        plan, image = self.plan, len(self.ends)
        readers = plan.readers
        lines = [reader.windows.lines[self._line] for reader in readers]
        tops = [sum(x.release for x in reader.windows.lines[: self._line]) for reader in readers]
        arrivals = [
            buffer.arrivals[consumed + line.need - 1] + 1
            for buffer, consumed, line in zip(self.buffers, self._consumed, lines, strict=True)
        ]
        steps = len(readers[0].windows.steps)
        final = (plan.target.width - 1, plan.target.groups - 1, steps - 1)
        fresh = True
        for x in range(plan.target.width):
            for group in range(plan.target.groups):
                for step in range(steps):
                    ends = (x, group, step) == final
                    for k, reader in enumerate(readers):
                        if fresh:
                            self._await(arrivals[k], image)
                        plane = self._cells[k][reader.windows.steps[step]]
                        share = group if reader.windows.share else 0
                        walk: list[Word] = []
                        for row in plane[tops[k] : tops[k] + lines[k].rows]:
                            walk += row[x][share]
                        if not walk:  # a window without a mark shows one word
                            walk = [[[0, 0]] * plan.events]
                        moved = self._scan(walk, k, image)
                        if ends:
                            if len(walk) == 1 and fresh:
                                moved = max(moved, arrivals[k])
                            self.buffers[k].releases += [moved] * lines[k].release
                            self._consumed[k] += lines[k].release
                    self._close()
                    self._integrate(image)
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
        """Return the cycles that each image kept the engine busy, and those it was blocked."""
        blocked = np.zeros(self._images, np.int64)
        if self._waits:
            starts, stops = _union(np.array(self._runs).reshape(-1, 2))
            before = np.concatenate([[0], np.cumsum(stops - starts)])

            def issuing(time: IntArray) -> IntArray:
                """Return in how many cycles before ``time`` events were taken."""
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

    def _await(self, arrival: int, image: int) -> None:
        """Wait for a connection's rows."""
        if arrival > self._active + 1:
            self.starved[image] += arrival - self._active - 1
        self._accepted = max(self._accepted, arrival)

    def _scan(self, walk: Sequence[Word], connection: int, image: int) -> int:
        """Accept a window's words of one connection; return when the last one was read."""
        banks, accepted = self._banks, self._accepted
        own = self._own[connection]
        for word in walk:
            moved = own
            accepted += 1
            for bank in banks:
                ready = bank.space if bank.held[0] else bank.free
                if ready > accepted:
                    accepted = ready
            for bank, (events, last) in zip(banks, word, strict=True):
                if events:
                    self.events[image] += events
                    if bank.held[0]:
                        self._push(bank, accepted, *bank.held)
                    bank.held = (events, last)
            own = accepted
        self._accepted = self._own[connection] = accepted
        self._active = max(self._active, accepted)
        return moved

    def _close(self) -> None:
        """End a window: what banks hold goes to their queues, or a zero if they hold nothing."""
        pushes = [(max(self._accepted + 1, bank.space), bank) for bank in self._banks]
        if len(pushes) > 1:
            pushes.sort(key=lambda push: push[0])
        for time, bank in pushes:
            bank.free = time
            events, last = bank.held
            bank.held = (0, 0)
            if events:
                self._push(bank, time, events, last)
            else:
                self._push(bank, time, 1, 1, null=True)

    def _push(self, bank: _Bank, time: int, events: int, last: int, null: bool = False) -> None:
        """Put a word into a bank's queue, and take its events."""
        moved = max(time + 1, bank.popped)
        bank.moves[bank.index] = moved
        bank.index = (bank.index + 1) % _QUEUED
        loaded = max(moved + 1, bank.last)
        first = self._unstalled(max(loaded + 1, self._open, bank.last + 1))
        if not self._begun:
            self._begun = True
            at_sums = self._later(first)
            self._stalls = [*self._stalls[1:], (at_sums, max(self._taken, at_sums))]
        end = self._after(first, events)
        bank.popped = loaded if events == last else self._after(first, events - last)
        bank.last = end
        self._active = max(self._active, end + 2)
        if not null:
            for begin, until in self._stalls:
                if first < begin <= end and until > begin:
                    self._runs.append((first, begin))
                    first = until
            self._runs.append((first, end + 1))

    def _unstalled(self, time: int) -> int:
        for begin, until in self._stalls:
            if begin <= time < until:
                time = until
        return time

    def _after(self, first: int, events: int) -> int:
        """Return when the last of some events is taken."""
        time = first + events - 1
        for begin, until in self._stalls:
            if first < begin <= time:
                time += until - begin
        return time

    def _later(self, time: int) -> int:
        """Return when what is taken now gets to the accumulators."""
        return self._unstalled(self._unstalled(time + 1) + 1)

    def _integrate(self, image: int) -> None:
        """Offer a window's sums to the neurons, and send what they make of it."""
        end = max([bank.last for bank in self._banks])
        summed = self._later(end) + 1
        self._open, self._begun = end + 1, False
        if self._queue:
            slot = self._sums % self._queue
            self._taken = max(summed, self._leaves[slot] + 1)
            start = max(self._taken + 1, self._ready)
            self._leaves[slot] = start
            self._sums += 1
        else:
            start = self._taken = max(summed, self._ready)
        every = self.plan.sends == Sends.SPIKES
        for _ in range(self._served):
            start += 1
            self._step = (self._step + 1) % self._steps
            if every or not self._step:
                if self._sent > start:
                    self._waits.append((start, self._sent, image))
                    start = self._sent
                taken = offered = start + 1
                for sink in self.sinks:
                    taken = max(taken, sink.take(offered))
                self._sent = taken
        self._ready = start
        self._active = max(self._active, start, self._sent)


def _union(spans: IntArray) -> tuple[IntArray, IntArray]:
    """Return where intervals that may overlap begin and end together."""
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    new = np.ones(len(spans), bool)
    new[1:] = spans[1:, 0] > reach[:-1]
    starts = spans[new, 0]
    stops = reach[np.append(np.flatnonzero(new)[1:] - 1, len(spans) - 1)] if len(spans) else reach
    return starts, stops
