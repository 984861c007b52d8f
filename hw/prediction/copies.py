"""The clock of one copy of an engine, from its scanners to its elements.

Times are clock cycles from the end of reset, as in :mod:`~spikeloom.hw.prediction.engine`.
"""

from __future__ import annotations

from collections.abc import Sequence

from spikeloom.hw.engine.events import Compactor, DigitSplitter, ValuePicker
from spikeloom.hw.engine.gather import Gather
from spikeloom.hw.engine.pe import stages
from spikeloom.hw.engine.queue import WordQueue
from spikeloom.hw.engine.scanner import Scanner
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.prediction.generator import LONG_AGO, Generator
from spikeloom.hw.prediction.words import Word

#: Beginning and end of a span of cycles, and the cycle behind its last.
Span = tuple[int, int]


class Pipeline:
    """The stages of elements, all of which stand still while sums are not taken.

    Parameters
    ----------
    stages : int
        Number of stages.
    windows : int
        Number of windows that can have events in these stages, or are about to.
    places : int
        Number of places where sums wait for the neurons.
    runs : list of Span
        Spans of cycles in which events are taken; it adds its own.

    Attributes
    ----------
    active : int
        Last cycle in which it, or neurons for it, were busy.
    busy : list of Span
        Spans of cycles in which they were, before the present one.
    leaves : list of int
        Cycles in which the last sums left each place where sums wait.
    slot : int
        The next of these places.
    """

    def __init__(self, stages: int, windows: int, places: int, runs: list[Span]) -> None:
        self._stages, self._runs = stages, runs
        #: The last spans in which the stages stood still.
        self._stalls: list[Span] = [(0, 0)] * windows
        #: First cycle behind all spans in which they stood still.
        self._clear = 0
        self.active = -1
        self.busy: list[Span] = []
        self.leaves = [LONG_AGO] * places
        self.slot = 0
        self._begun = 0

    def wake(self, time: int) -> None:
        """Note that there is something to do from a cycle on, before which there may be nothing."""
        if time > self.active + 1:
            self.busy.append(self.present)
            self._begun = time

    @property
    def present(self) -> Span:
        """The last span in which it was busy."""
        return self._begun, self.active + 1

    def stand(self, begin: int, until: int) -> None:
        """Note a span in which all stages stand still."""
        self._stalls = [*self._stalls[1:], (begin, until)]
        if until > begin:
            self._clear = max(self._clear, until)

    def issue(self, first: int, end: int) -> None:
        """Note the cycles in which events are taken, the first and the last of some."""
        for begin, until in self._stalls:
            if first < begin <= end and until > begin:
                self._runs.append((first, begin))
                first = until
        self._runs.append((first, end + 1))

    def unstalled(self, time: int) -> int:
        """Return the first cycle from ``time`` on in which the stages do not stand still."""
        for begin, until in self._stalls:
            if begin <= time < until:
                time = until
        return time

    def after(self, first: int, events: int) -> int:
        """Return the cycle in which the last of some events is taken, the first at ``first``."""
        time = first + events - 1
        for begin, until in self._stalls:
            if first < begin <= time:
                time += until - begin
        return time

    def later(self, time: int) -> int:
        """Return the cycle in which an event that is taken at ``time`` is in the last stage."""
        if time >= self._clear:
            return time + self._stages
        for _ in range(self._stages):
            time = self.unstalled(time + 1)
        return time


class CopyClock(Pipeline):
    """The clock of one copy of an engine.

    Parameters
    ----------
    plan : LayerPlan
    connections : int
        Number of connections.
    events : list of int
        Number of events by image; it adds its own.
    runs : list of Span
        As of :class:`Pipeline`.

    Attributes
    ----------
    read : list of int
        Cycle in which the last word of a line was read, of each connection.
    """

    def __init__(
        self, plan: LayerPlan, connections: int, events: list[int], runs: list[Span]
    ) -> None:
        number = stages(plan)
        # Of as many windows as can have events in these stages, and of one more.
        super().__init__(number, number + 1, plan.queue, runs)
        self._events = events
        self._generators = [Generator(plan.event_queue) for _ in range(plan.events)]
        self._slots = plan.slots
        #: Cycle in which the last word of all connections was accepted by the generators, and that
        #: in which the last word of each connection was taken from it.
        self._accepted = -1
        self._own = [-1] * connections
        self.read = [-1] * connections
        #: First cycle in which the elements take events of this window.
        self._open = 0

    def scan(self, window: Sequence[Word], connection: int, image: int, begin: int) -> int:
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
        generators, accepted = self._generators, self._accepted
        own, total = self._own[connection], 0
        # This loop takes most of the time of a prediction, so that nothing is looked up in it.
        push, scanned, gathered = self._push, Scanner.LATENCY, Gather.LATENCY
        for word in window:
            # A word is read as the one before moves on, and moves on as that one is accepted.
            read = own if own > begin else begin
            own = read + scanned
            if accepted > own:
                own = accepted
            accepted = own + gathered
            for generator in generators:
                ready = generator.space if generator.held[0] else generator.free
                if ready > accepted:
                    accepted = ready
            for generator, (events, last) in zip(generators, word, strict=True):
                if events:
                    total += events
                    held, held_last = generator.held
                    if held:
                        push(generator, accepted, held, held_last)
                    generator.held = (events, last)
        self._events[image] += total
        self._accepted, self._own[connection] = accepted, own
        self.active = max(self.active, accepted)
        return read

    def close(self) -> None:
        """End a window: held words go to their queues, or a word of zeros where none is held."""
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
        moved = time + WordQueue.LATENCY
        if generator.popped > moved:
            moved = generator.popped
        generator.entered(moved)
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
        before = generator.last
        loaded = offered if offered > before else before
        first = max(loaded + DigitSplitter.LATENCY, self._open, before + 1)
        if first >= self._clear:
            # Most events come after all stalls.
            end = first + events - 1
            generator.popped = loaded if events == last else end - last
            generator.last = end
            if end + self._stages > self.active:
                self.active = end + self._stages
            if not null:
                self._runs.append((first, end + 1))
            return
        first = self.unstalled(first)
        end = self.after(first, events)
        generator.popped = loaded if events == last else self.after(first, events - last)
        generator.last = end
        self.active = max(self.active, end + self._stages)
        if not null:
            self.issue(first, end)

    def sum(self) -> int:
        """End a window in the elements; return the cycle in which its sums are offered."""
        end = max([generator.last for generator in self._generators])
        self._open = end + 1
        return self.later(end)


class CompactClock(CopyClock):
    """The clock of a compact engine, whose words become events as they are read."""

    def scan(self, window: Sequence[Word], connection: int, image: int, begin: int) -> int:
        """Take the events of a window's words; see :meth:`CopyClock.scan`."""
        (generator,) = self._generators
        picks = self._slots > 1
        for ((events, last),) in window:
            read = max(self._accepted, begin)
            # A word waits until the one before has been picked, or split if it has a single value.
            before = generator.popped if picks else generator.last
            self._accepted = max(read + Scanner.LATENCY, before)
            loaded = self._accepted + (ValuePicker.LATENCY if picks else 0)
            self._events[image] += events
            self._take(generator, loaded, max(events, 1), max(last, 1), null=not events)
        self.active = max(self.active, self._accepted)
        return read

    def close(self) -> None:
        """End a window, of which no word is held."""
