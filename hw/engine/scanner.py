"""Scanner: reads the words of every window from a row buffer, one word per cycle."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.select import lowest, selected, several
from spikeloom.hw.engine.walk import Walk, table
from spikeloom.hw.planning.windows import WindowPlan


@dataclass(frozen=True)
class _Place:
    """The place of a window: column and row of the output, lane group, and its rows in the ring.

    Parameters
    ----------
    columns, lines, groups : Walk
    head, slot : Signal
        Ring slot of the window's first row, and of the row that is read.
    last_here : Signal
        Whether no lane group or timestep is left at its column and row.
    line_end : Signal
        Whether the last word of the last window in a line is read.
    """

    columns: Walk
    lines: Walk
    groups: Walk
    head: Signal
    slot: Signal
    last_here: Signal
    line_end: Signal


@dataclass(frozen=True)
class _Word:
    """The word to read next.

    Parameters
    ----------
    there : Value
        Whether its row is there, and where it lies is known.
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

    there: Value
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
    copy, copies : int
        It reads the windows ``copy``, ``copy + copies`` and so on of each row of windows.

    Attributes
    ----------
    LATENCY : int
        Clock cycles from reading a word from the buffer to offering it. The first word of a line is
        read as soon as its rows are there (``rows``).
    MARKED_LATENCY : int
        Clock cycles by which the first word of a line is read later where the buffer marks words:
        they are counted from the last word of the line before, or from its rows being there.

    Members
    -------
    rows : In, marks : In, release : Out, releases : Out, address : Out, enable : Out
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
    MARKED_LATENCY = 1

    def __init__(
        self,
        plan: WindowPlan,
        lane_groups: int,
        first: int = 0,
        depth: int | None = None,
        copy: int = 0,
        copies: int = 1,
    ) -> None:
        self.plan = plan
        self.columns = plan.columns[copy::copies]
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
            "releases": Out(1),
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
        window_end, step_end, group_end, line_end = Signal(), Signal(), Signal(), Signal()
        place = _Place(
            columns=Walk(m, "column", len(self.columns), group_end),
            lines=Walk(m, "line", len(plan.lines), line_end),
            groups=Walk(m, "group", self.lane_groups, step_end),
            head=Signal(range(buffer.capacity), name="head"),
            slot=Signal(range(buffer.capacity), name="slot"),
            last_here=Signal(name="last_here"),
            line_end=line_end,
        )
        step = Signal(range(len(plan.steps)))
        last_step = step == len(plan.steps) - 1
        plane = Signal(range(buffer.row_depth))
        enough = Signal()
        move = Signal()
        words = self._marked_words if buffer.marked else self._all_words
        current = words(m, place, move, enough)

        m.d.comb += [
            enough.eq(self.rows >= place.lines.known(line.need for line in plan.lines)),
            self.waiting.eq(~current.there & ~enough),
            move.eq(current.there & (~self.o.valid | self.o.ready)),
            # Whether to move on is known late: it meets all else in the last place.
            place.last_here.eq(place.groups.last & last_step),
            window_end.eq(move & current.end),
            step_end.eq(move & (current.end & last_step)),
            group_end.eq(move & (current.end & place.last_here)),
            line_end.eq(move & (current.end & place.last_here & place.columns.last)),
            self.enable.eq(move),
        ]
        address = current.row_address + plane + current.word
        if plan.share:
            address = address + place.groups.known(plan.share.firsts)
        m.d.comb += self.address.eq(address)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(move):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.keep.eq(self._keep(place, current)),
                self.o.payload.last.eq(current.end),
            ]
        self._offer_base(m, place, current, move, step_end, group_end)
        with m.If(window_end):
            m.d.sync += step.eq(step + 1)
            rises = [int(b > a) for a, b in zip(plan.steps, plan.steps[1:], strict=False)]
            with m.If(table([*rises, 0])[step]):
                m.d.sync += plane.eq(plane + buffer.row_words)
        with m.If(step_end):
            m.d.sync += [step.eq(0), plane.eq(0)]
        m.d.comb += [
            self.release.eq(place.lines.known(line.release for line in plan.lines)),
            self.releases.eq(line_end),
        ]
        return m

    def _offer_base(
        self,
        m: Module,
        place: _Place,
        current: _Word,
        move: Value,
        step_end: Value,
        group_end: Value,
    ) -> None:
        """Offer the address of the word's weights, which is a sum of up to four.

        The part that belongs to the window is added up separately, unless it is a single one, so
        that no two additions follow each other in a clock cycle.
        """
        plan, base = self.plan, self.o.payload.base
        modulus = 1 << base.shape().width
        group_base = Signal(range(max(self.weight_depth, 2)), init=self.first)
        with m.If(step_end):
            m.d.sync += group_base.eq(group_base + plan.kernel[0] * plan.span)
        with m.If(group_end):
            m.d.sync += group_base.eq(self.first)
        # Marked words count from the beginning of their row, others from that of the window.
        skipped = plan.slots if plan.buffer.marked else 0
        parts = [
            place.lines.known(line.kernel_row * plan.span for line in plan.lines),
            place.columns.known((c.offset - c.first * skipped) % modulus for c in self.columns),
        ]
        parts = [part for part in parts if not (isinstance(part, Const) and part.value == 0)]
        if not parts:
            with m.If(move):
                m.d.sync += base.eq(group_base + current.base)
            return
        of_window, of_word = Signal.like(base), Signal.like(base)
        m.d.comb += base.eq(of_window + of_word)
        with m.If(move):
            m.d.sync += [of_window.eq(sum(parts, group_base)), of_word.eq(current.base)]

    def _follow(self, m: Module, place: _Place, row_end: Value, window_end: Value) -> None:
        """Go on to the ring slot of the next row of the window, or of the next window."""
        plan, capacity = self.plan, self.plan.buffer.capacity
        with m.If(row_end):
            m.d.sync += place.slot.eq(_wrapped(m, place.slot + 1, capacity))
        with m.If(window_end):
            m.d.sync += place.slot.eq(place.head)
        with m.If(place.line_end):
            released = place.lines.known(line.release % capacity for line in plan.lines)
            below = _wrapped(m, place.head + released, capacity)
            m.d.sync += [place.head.eq(below), place.slot.eq(below)]

    def _all_words(self, m: Module, place: _Place, move: Signal, enough: Value) -> _Word:
        """Go through all words of a window, row by row; ``move`` goes on to the next word."""
        plan, buffer = self.plan, self.plan.buffer
        row = Signal(range(plan.kernel[0]))
        word = Signal(range(max(c.words for c in self.columns)))
        base = Signal(range(max(plan.kernel[0] * plan.span, 2) + plan.slots))
        word_end = word == place.columns.known(c.words - 1 for c in self.columns)
        skipped = self._skipped(m, move, word_end)
        end = word_end & (row == place.lines.known(line.rows - 1 for line in plan.lines))
        self._follow(m, place, move & word_end, move & end)
        with m.If(move):
            m.d.sync += [word.eq(word + 1), base.eq(base + plan.slots)]
            with m.If(word_end):
                m.d.sync += [word.eq(0), row.eq(row + 1)]
                # Rows whose words take up all of the kernel's row follow each other by themselves.
                if any(c.words * plan.slots != plan.span for c in self.columns):
                    row_base = Signal(range(plan.kernel[0] * plan.span + 1), init=plan.span)
                    m.d.sync += [base.eq(row_base), row_base.eq(row_base + plan.span)]
                    with m.If(end):
                        m.d.sync += row_base.eq(plan.span)
            with m.If(end):
                m.d.sync += [row.eq(0), base.eq(0)]
        return _Word(
            there=enough,
            row_address=table([k * buffer.row_depth for k in range(buffer.capacity)])[place.slot],
            word=place.columns.known(c.first for c in self.columns) + word + skipped,
            base=base,
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

    def _marked_words(self, m: Module, place: _Place, move: Signal, enough: Value) -> _Word:
        """Go through the marked words of a window, in the same order.

        The marks that are left of a window are in registers. Those of the next one are loaded with
        the last word of a window, but at the end of a line only when their rows are there.
        """
        plan, buffer = self.plan, self.plan.buffer
        words, rows = buffer.row_words, plan.kernel[0]
        loaded = Signal()
        left = Signal(rows * words)
        fresh = Signal(rows * words)
        # One bit for each row: whether it is the first with a mark left; and whether others have
        # any. These are found a cycle ahead, since the address of the word depends on them.
        row, more = Signal(rows), Signal()
        masks = [((1 << c.words) - 1) << c.first for c in self.columns]
        columns = place.columns
        follows = loaded & place.last_here
        covered = Mux(follows, columns.ahead(masks), columns.known(masks))
        addresses = []
        for k in range(rows):
            slots = [(head + k) % buffer.capacity for head in range(buffer.capacity)]
            marks = Array(self.marks.word_select(slot, words) for slot in slots)[place.head]
            beneath = place.lines.known(int(line.rows > k) for line in plan.lines)
            m.d.comb += fresh.word_select(k, words).eq(marks & covered & beneath.replicate(words))
            addresses.append(table([slot * words for slot in slots])[place.head])
        blank = ~row.any()
        here, at_word, row_end, found = Signal(words), Signal(words), Signal(), Signal(rows)
        mark = Cat(at_word & row[k].replicate(words) for k in range(rows))
        end = row_end & ~more
        filled, later = (
            Cat(marks.word_select(k, words).any() for k in range(rows)) for marks in (fresh, left)
        )
        m.d.comb += [
            here.eq(selected(row, [left.word_select(k, words) for k in range(rows)])),
            at_word.eq(lowest(m, here)),
            row_end.eq(~several(here)),
            found.eq(Mux(loaded & more, later & ~row, filled)),
        ]
        self._follow(m, place, Const(0), Const(0))
        with m.If(~loaded | move):
            m.d.sync += left.eq(Mux(loaded & ~end, left & ~mark, fresh))
        with m.If(~loaded | (move & row_end)):
            m.d.sync += [row.eq(lowest(m, found)), more.eq(several(found))]
        with m.If(~loaded):
            m.d.sync += loaded.eq(enough)
        with m.If(place.line_end):
            m.d.sync += loaded.eq(0)

        # Of a window without a marked word, the first word is read: all its values are 0.
        at_row, word = Signal(rows), Signal(range(words))
        first = columns.known(c.first for c in self.columns)
        nth = selected(at_word, [Const(j) for j in range(words)])
        m.d.comb += [at_row.eq(row | blank), word.eq(Mux(blank, first, nth))]
        return _Word(
            there=loaded,
            row_address=selected(at_row, addresses),
            word=word,
            base=selected(at_row, [Const(k * plan.span) for k in range(rows)])
            + table([j * plan.slots for j in range(words)])[word],
            first=word == first,
            last=word == columns.known(c.first + c.words - 1 for c in self.columns),
            end=end,
        )

    def _keep(self, place: _Place, word: _Word) -> Value:
        """Return a bit for each value of the word: whether it lies under the window."""
        plan, columns = self.plan, self.columns
        size = plan.buffer.word_values
        full = (1 << size) - 1
        if plan.aligned:
            return Const(full, size)
        head = place.columns.known(full & ~((1 << c.head) - 1) for c in columns)
        tail = place.columns.known((1 << c.tail) - 1 for c in columns)
        return (head | (~word.first).replicate(size)) & (tail | (~word.last).replicate(size))


def _wrapped(m: Module, address: Value, depth: int) -> Signal:
    """Return ``address`` modulo ``depth``; it must be less than ``2 * depth``."""
    wide = Signal(range(2 * depth))
    wrapped = Signal(range(depth))
    m.d.comb += [wide.eq(address), wrapped.eq(wide)]
    with m.If(wide >= depth):
        m.d.comb += wrapped.eq(wide - depth)
    return wrapped
