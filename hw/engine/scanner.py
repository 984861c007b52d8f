"""Scanner: reads the words of every window from a row buffer, one word per cycle."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.select import selected
from spikeloom.hw.planning.windows import WindowPlan


@dataclass(frozen=True)
class _Place:
    """The place of a window: column and row of the output, and ring slot of its first row."""

    x: Signal
    y: Signal
    head: Signal

    def line(self, values: list[int]) -> Value:
        """Return the one of ``values``, which are given by output row, for this place."""
        return _table(values)[self.y]

    def column(self, values: list[int]) -> Value:
        """Return the one of ``values``, which are given by output column, for this place."""
        return _table(values)[self.x]


@dataclass(frozen=True)
class _Word:
    """The word to read next.

    Parameters
    ----------
    row_address : Value
        Address at which its row begins in the ring.
    word : Value
        Index of the word in its row.
    base : Value
        Address of its weights, from the beginning of the kernel.
    first, last : Value
        Whether it is the first, or the last, word of the window in its row.
    end : Value
        Whether it is the last word of the window.
    """

    row_address: Value
    word: Value
    base: Value
    first: Value
    last: Value
    end: Value


class Scanner(wiring.Component):
    """Reads the words of every window, and gives the address of the weights of each.

    The loops are, outermost first: output row, output column, lane group (M output channels),
    timestep, row of the window, word. So a window is read once for each lane group, and all
    timesteps of a lane group follow one another, so that membrane potentials stay in registers.
    Where the buffer marks words, words of zeros are skipped, except for one word of a window that
    has no other.

    Parameters
    ----------
    plan : WindowPlan
    lane_groups : int
        Number of groups of M output channels in the layer.
    first : int
        Address of the connection's first weights in each bank.
    depth : int, optional
        Number of words in a weight bank; by default those of this connection alone.

    Attributes
    ----------
    LATENCY : int
        Clock cycles from a window's rows being there (``rows``) to offering its first word.

    Members
    -------
    rows : In, marks : In, release : Out, address : Out, enable : Out
        Connect these to the :class:`~spikeloom.hw.engine.buffer.RowBuffer`.
    o : Out(stream)
        One transfer per word, in the cycle in which the buffer shows the word: ``base``, the
        address of the weights for the first value of each bank, where a negative one wraps around
        in its width; ``keep``, one bit per value, set if the value lies under the window; and
        ``last``, set for the last word of a window.
    waiting : Out(1)
        Whether the next window waits for rows.
    """

    LATENCY = 1

    def __init__(
        self, plan: WindowPlan, lane_groups: int, first: int = 0, depth: int | None = None
    ) -> None:
        self.plan = plan
        self.lane_groups = lane_groups
        self.first = first
        buffer = plan.buffer
        self.weight_depth = depth or lane_groups * plan.kernel[0] * plan.span
        self.layout = data.StructLayout(
            {
                "base": range(max(self.weight_depth, 2)),
                "keep": unsigned(buffer.word_values),
                "last": 1,
            }
        )
        members = {
            "rows": In(range(buffer.capacity + 1)),
            "release": Out(range(buffer.capacity + 1)),
            "address": Out(range(buffer.depth)),
            "enable": Out(1),
            "o": Out(stream.Signature(self.layout)),
            "waiting": Out(1),
        }
        if buffer.marked:
            members["marks"] = In(buffer.depth)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, buffer = self.plan, self.plan.buffer
        modulus = 1 << self.o.payload.base.shape().width
        place = _Place(
            x=Signal(range(len(plan.columns)), name="x"),
            y=Signal(range(len(plan.lines)), name="y"),
            head=Signal(range(buffer.capacity), name="head"),
        )
        group = Signal(range(self.lane_groups))
        step = Signal(range(len(plan.steps)))
        group_base = Signal(range(max(self.weight_depth, 2)), init=self.first)
        plane = Signal(range(buffer.row_depth))

        move = Signal()
        words = self._marked_words if buffer.marked else self._all_words
        current = words(m, place, move)
        share = _table(list(plan.share.firsts))[group] if plan.share else Const(0)
        step_end = current.end & (step == len(plan.steps) - 1)
        group_end = step_end & (group == self.lane_groups - 1)
        line_end = group_end & (place.x == len(plan.columns) - 1)

        m.d.comb += [
            self.waiting.eq(self.rows < place.line([line.need for line in plan.lines])),
            move.eq(~self.waiting & (~self.o.valid | self.o.ready)),
            self.enable.eq(move),
            self.address.eq(current.row_address + plane + current.word + share),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(move):
            kernel_row = place.line([line.kernel_row * plan.span for line in plan.lines])
            offset = place.column([c.offset % modulus for c in plan.columns])
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.base.eq(group_base + kernel_row + offset + current.base),
                self.o.payload.keep.eq(self._keep(place, current)),
                self.o.payload.last.eq(current.end),
            ]
            with m.If(current.end):
                m.d.sync += step.eq(step + 1)
                rises = [int(b > a) for a, b in zip(plan.steps, plan.steps[1:], strict=False)]
                with m.If(_table([*rises, 0])[step]):
                    m.d.sync += plane.eq(plane + buffer.row_words)
            with m.If(step_end):
                m.d.sync += [step.eq(0), plane.eq(0), group.eq(group + 1)]
                m.d.sync += group_base.eq(group_base + plan.kernel[0] * plan.span)
            with m.If(group_end):
                m.d.sync += [group.eq(0), group_base.eq(self.first), place.x.eq(place.x + 1)]
            with m.If(line_end):
                below = place.line([line.release % buffer.capacity for line in plan.lines])
                m.d.comb += self.release.eq(place.line([line.release for line in plan.lines]))
                m.d.sync += [
                    place.x.eq(0),
                    place.y.eq(Mux(place.y == len(plan.lines) - 1, 0, place.y + 1)),
                    place.head.eq(_wrapped(m, place.head + below, buffer.capacity)),
                ]
        return m

    def _all_words(self, m: Module, place: _Place, move: Signal) -> _Word:
        """Go through all words of a window, row by row; ``move`` goes on to the next word."""
        plan, buffer = self.plan, self.plan.buffer
        row = Signal(range(plan.kernel[0]))
        word = Signal(range(max(c.words for c in plan.columns)))
        slot = Signal(range(buffer.capacity))
        row_base = Signal(range(max(plan.kernel[0] * plan.span, 2)))
        word_base = Signal(range(max(plan.span, 2) + plan.slots))
        begun = Signal()
        current = Mux(begun, slot, place.head)
        word_end = word == place.column([c.words - 1 for c in plan.columns])
        skipped = self._skipped(m, move, word_end)
        end = word_end & (row == place.line([line.rows - 1 for line in plan.lines]))
        with m.If(move):
            m.d.sync += [begun.eq(1), slot.eq(current)]
            m.d.sync += [word.eq(word + 1), word_base.eq(word_base + plan.slots)]
            with m.If(word_end):
                m.d.sync += [
                    word.eq(0),
                    word_base.eq(0),
                    row.eq(row + 1),
                    row_base.eq(row_base + plan.span),
                    slot.eq(_wrapped(m, current + 1, buffer.capacity)),
                ]
            with m.If(end):
                m.d.sync += [row.eq(0), row_base.eq(0), begun.eq(0)]
        return _Word(
            row_address=_table([k * buffer.row_depth for k in range(buffer.capacity)])[current],
            word=place.column([c.first for c in plan.columns]) + word + skipped,
            base=row_base + word_base,
            first=word == 0,
            last=word_end,
            end=end,
        )

    def _skipped(self, m: Module, move: Value, row_end: Value) -> Value:
        """Return how many words of the row so far belong to the shares of other lane groups."""
        share = self.plan.share
        if share is None or share.words == share.position:
            return Const(0)
        others = share.position - share.words
        inside = Signal(range(share.words))
        skipped = Signal(range(self.plan.kernel[1] * others + 1))
        with m.If(move):
            m.d.sync += inside.eq(inside + 1)
            with m.If(inside == share.words - 1):
                m.d.sync += [inside.eq(0), skipped.eq(skipped + others)]
            with m.If(row_end):
                m.d.sync += [inside.eq(0), skipped.eq(0)]
        return skipped

    def _marked_words(self, m: Module, place: _Place, move: Signal) -> _Word:
        """Go through the marked words of a window, in the same order."""
        plan, buffer = self.plan, self.plan.buffer
        words, rows = buffer.row_words, plan.kernel[0]
        modulus = 1 << self.o.payload.base.shape().width
        covered = place.column([((1 << c.words) - 1) << c.first for c in plan.columns])
        beneath = place.line([line.rows for line in plan.lines])
        left = Signal(rows * words)
        done = Signal(rows * words)
        lowest = Signal(rows * words)
        addresses = []
        for k in range(rows):
            slots = [(head + k) % buffer.capacity for head in range(buffer.capacity)]
            marks = Array(self.marks.word_select(slot, words) for slot in slots)[place.head]
            under = covered & (beneath > k).replicate(words)
            m.d.comb += left.word_select(k, words).eq(marks & under & ~done.word_select(k, words))
            addresses.append(_table([slot * words for slot in slots])[place.head])
        blank = left == 0
        end = left == lowest
        m.d.comb += lowest.eq(left & -left)
        with m.If(move):
            m.d.sync += done.eq(Mux(end, 0, done | lowest))

        # Of a window without a marked word, the first word is read: all its values are 0.
        at_row = Cat(lowest.word_select(k, words).any() for k in range(rows)) | blank
        at_word = Cat(lowest[j::words].any() for j in range(words))
        first = place.column([c.first for c in plan.columns])
        word = Mux(blank, first, selected(at_word, [Const(j) for j in range(words)]))
        ahead = place.column([-c.first * plan.slots % modulus for c in plan.columns])
        return _Word(
            row_address=selected(at_row, addresses),
            word=word,
            base=selected(at_row, [Const(k * plan.span) for k in range(rows)])
            + _table([j * plan.slots for j in range(words)])[word]
            + ahead,
            first=word == first,
            last=word == place.column([c.first + c.words - 1 for c in plan.columns]),
            end=end,
        )

    def _keep(self, place: _Place, word: _Word) -> Value:
        """Return a bit for each value of the word: whether it lies under the window."""
        plan = self.plan
        size = plan.buffer.word_values
        full = (1 << size) - 1
        if plan.aligned:
            return Const(full, size)
        head = place.column([full & ~((1 << c.head) - 1) for c in plan.columns])
        tail = place.column([(1 << c.tail) - 1 for c in plan.columns])
        return (head | (~word.first).replicate(size)) & (tail | (~word.last).replicate(size))


def _table(values: list[int]) -> Array:
    """Return ``values`` as constants of one common width, to be indexed by a signal."""
    width = max(max(values).bit_length(), 1)
    return Array(Const(value, width) for value in values)


def _wrapped(m: Module, address: Value, depth: int) -> Signal:
    """Return ``address`` modulo ``depth``; it must be less than ``2 * depth``."""
    wide = Signal(range(2 * depth))
    wrapped = Signal(range(depth))
    m.d.comb += [wide.eq(address), wrapped.eq(wide)]
    with m.If(wide >= depth):
        m.d.comb += wrapped.eq(wide - depth)
    return wrapped
