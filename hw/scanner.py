"""The walk of an engine over its source: one memory word per cycle, window after window."""

from __future__ import annotations

from amaranth.hdl import Array, Const, Module, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.windows import WindowPlan


class Scanner(wiring.Component):
    """Reads every window's words, and says for each where its weights are.

    The loops are, outermost first: output row, output column, group of output channels, timestep,
    row of the window, word. A window is thus walked once for each group; all timesteps of a group
    follow one another, so that membranes stay in registers.

    Parameters
    ----------
    plan : WindowPlan
    groups : int
        Groups of output channels.

    Members
    -------
    rows : In, release : Out, address : Out, enable : Out
        To the :class:`~spikeloom.hw.buffer.RowBuffer`.
    o : Out(stream)
        One transfer per word, in the cycle in which the buffer shows it: ``base``, the weight
        address of each bank's first value (modulo its width), ``keep``, a bit for each value that
        lies under the window, and ``last``, set for a window's last word.
    waiting : Out(1)
        Whether the next window lacks rows.
    """

    def __init__(self, plan: WindowPlan, groups: int) -> None:
        self.plan = plan
        self.groups = groups
        buffer = plan.buffer
        self.weight_depth = groups * plan.kernel[0] * plan.span
        self.layout = data.StructLayout(
            {
                "base": range(max(self.weight_depth, 2)),
                "keep": unsigned(buffer.word_values),
                "last": 1,
            }
        )
        super().__init__(
            {
                "rows": In(range(buffer.capacity + 1)),
                "release": Out(range(buffer.capacity + 1)),
                "address": Out(range(buffer.depth)),
                "enable": Out(1),
                "o": Out(stream.Signature(self.layout)),
                "waiting": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, buffer = self.plan, self.plan.buffer
        steps = buffer.stream.steps
        modulus = 1 << self.o.payload.base.shape().width

        y = Signal(range(len(plan.lines)))
        x = Signal(range(len(plan.columns)))
        group = Signal(range(self.groups))
        step = Signal(range(steps))
        row = Signal(range(plan.kernel[0]))
        word = Signal(range(max(c.words for c in plan.columns)))

        def line(values: list[int]) -> Array:
            return _table(values)[y]

        def column(values: list[int]) -> Array:
            return _table(values)[x]

        words = column([c.words for c in plan.columns])
        word_end = word == words - 1
        row_end = word_end & (row == line([entry.rows for entry in plan.lines]) - 1)
        step_end = row_end & (step == steps - 1)
        group_end = step_end & (group == self.groups - 1)
        line_end = group_end & (x == len(plan.columns) - 1)

        # Running addresses: of the window's first row and the current one in the ring, of the
        # timestep in a row, of the group's and the kernel row's weights, of the word's.
        head = Signal(range(buffer.depth))
        current = Signal(range(buffer.depth))
        plane = Signal(range(buffer.row_depth))
        group_base = Signal(range(max(self.weight_depth, 2)))
        row_base = Signal(range(max(plan.kernel[0] * plan.span, 2)))
        word_base = Signal(range(max(plan.span, 2) + plan.slots))

        move = Signal()
        m.d.comb += [
            self.waiting.eq(self.rows < line([entry.need for entry in plan.lines])),
            move.eq(~self.waiting & (~self.o.valid | self.o.ready)),
            self.enable.eq(move),
            self.address.eq(current + plane + column([c.first for c in plan.columns]) + word),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(move):
            kernel_row = line([entry.kernel_row * plan.span for entry in plan.lines])
            offset = column([c.offset % modulus for c in plan.columns])
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.base.eq(group_base + kernel_row + row_base + offset + word_base),
                self.o.payload.keep.eq(self._keep(word, word_end, x)),
                self.o.payload.last.eq(row_end),
                word.eq(word + 1),
                word_base.eq(word_base + plan.slots),
            ]
            with m.If(word_end):
                m.d.sync += [
                    word.eq(0),
                    word_base.eq(0),
                    row.eq(row + 1),
                    row_base.eq(row_base + plan.span),
                    current.eq(_wrapped(m, current + buffer.row_depth, buffer.depth)),
                ]
            with m.If(row_end):
                m.d.sync += [row.eq(0), row_base.eq(0), current.eq(head)]
                m.d.sync += [step.eq(step + 1), plane.eq(plane + buffer.row_words)]
            with m.If(step_end):
                m.d.sync += [step.eq(0), plane.eq(0), group.eq(group + 1)]
                m.d.sync += group_base.eq(group_base + plan.kernel[0] * plan.span)
            with m.If(group_end):
                m.d.sync += [group.eq(0), group_base.eq(0), x.eq(x + 1)]
            with m.If(line_end):
                below = line([(r.release % buffer.capacity) * buffer.row_depth for r in plan.lines])
                following = _wrapped(m, head + below, buffer.depth)
                m.d.comb += self.release.eq(line([entry.release for entry in plan.lines]))
                m.d.sync += [x.eq(0), head.eq(following), current.eq(following), y.eq(y + 1)]
                with m.If(y == len(plan.lines) - 1):
                    m.d.sync += y.eq(0)
        return m

    def _keep(self, word: Signal, word_end: Value, x: Signal) -> Value:
        """Return which values of the word are under the window at column ``x``."""
        plan = self.plan
        full = (1 << plan.buffer.word_values) - 1
        if plan.aligned:
            return Const(full, plan.buffer.word_values)
        head = _table([full & ~((1 << c.head) - 1) for c in plan.columns])[x]
        tail = _table([(1 << c.tail) - 1 for c in plan.columns])[x]
        return (head | (word != 0).replicate(plan.buffer.word_values)) & (
            tail | (~word_end).replicate(plan.buffer.word_values)
        )


def _table(values: list[int]) -> Array:
    """Return constants of one common width, to be indexed by a signal."""
    width = max(max(values).bit_length(), 1)
    return Array(Const(value, width) for value in values)


def _wrapped(m: Module, address: Value, depth: int) -> Signal:
    """Return ``address`` modulo ``depth``; it must be less than twice as large."""
    wide = Signal(range(2 * depth))
    wrapped = Signal(range(depth))
    m.d.comb += [wide.eq(address), wrapped.eq(wide)]
    with m.If(wide >= depth):
        m.d.comb += wrapped.eq(wide - depth)
    return wrapped
