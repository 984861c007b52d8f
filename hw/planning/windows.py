"""The order in which an engine walks over its source: windows, rows and words.

A source feature map is stored row by row; a row holds its values with the channel fastest. The
part of a row under a kernel is then one contiguous *span*, and so is a whole row for a fully
connected layer, which is a convolution whose kernel is as large as the map. Padding clips spans.
All of it is known when hardware is generated, so that an engine reads it from two small tables
instead of computing it: :class:`Column` for a window's place in its rows, :class:`Line` for which
rows those are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.sw.errors import ConfigError

#: Most words for which marks are kept: they are registers, and every window selects among them.
_MOST_MARKS = 64


@dataclass(frozen=True)
class BufferPlan:
    """Where an engine keeps the rows of its source.

    Parameters
    ----------
    stream : StreamPlan
        What is written.
    chunks : int
        Transfers of the stream that make up one memory word.
    capacity : int
        Rows that fit.
    """

    stream: StreamPlan
    chunks: int
    capacity: int

    @property
    def word_values(self) -> int:
        """Values in one memory word."""
        return self.chunks * self.stream.lanes

    @property
    def row_words(self) -> int:
        """Memory words that hold one timestep of a row; the last may be partly unused."""
        return -(-self.stream.row_values // self.word_values)

    @property
    def row_depth(self) -> int:
        """Memory words that hold a row at all its timesteps."""
        return self.row_words * self.stream.steps

    @property
    def depth(self) -> int:
        """Memory words in all."""
        return self.row_depth * self.capacity

    @property
    def bits(self) -> int:
        """Bits of memory in all."""
        return self.depth * self.chunks * self.stream.layout.size

    @property
    def marked(self) -> bool:
        """Whether each word has a mark that says if it holds a non-zero.

        It pays where words cover several positions, as an image's do: its background then costs no
        reading. Words within one position's channels are hardly ever empty.
        """
        few = self.capacity * self.row_words <= _MOST_MARKS
        return few and self.stream.steps == 1 and self.word_values > self.stream.stored_channels


@dataclass(frozen=True)
class Column:
    """A window's place in its rows.

    Parameters
    ----------
    first : int
        First word of the row to read.
    words : int
        Number of words.
    offset : int
        Weight address of the first word's first value, relative to the span's; negative where
        the word begins ahead of the span.
    head, tail : int
        First value of the first word, and first value past the last word's, that the span covers.
    """

    first: int
    words: int
    offset: int
    head: int
    tail: int


@dataclass(frozen=True)
class Line:
    """The rows of the windows at one output row.

    Parameters
    ----------
    rows : int
        Rows of the source under the window, padding clipped.
    kernel_row : int
        Row of the kernel that meets the first of them.
    release : int
        Rows that no later window needs.
    """

    rows: int
    kernel_row: int
    release: int

    @property
    def need(self) -> int:
        """Rows that must have arrived before the line begins: those it reads or gives back."""
        return max(self.rows, self.release)


@dataclass(frozen=True)
class Share:
    """The words of a position that one group of output channels reads, where not all of them.

    Parameters
    ----------
    words : int
        Number of words, the same for every group.
    position : int
        Words of a whole position.
    firsts : tuple of int
        First of the words, by group of output channels.
    """

    words: int
    position: int
    firsts: tuple[int, ...]


@dataclass(frozen=True)
class WindowPlan:
    """All windows of one connection over its buffer.

    Parameters
    ----------
    buffer : BufferPlan
    kernel, stride, padding : (int, int)
        Vertical and horizontal.
    shape : (int, int)
        Rows and columns of the output.
    events : int
        E, banks that the values of a word are dealt to in turn.
    share : Share or None
        What each group of output channels reads of a position; None for all of it. Words then do
        not cross positions.
    steps : tuple of int
        For each timestep in which a window is walked, the timestep of the buffer that it reads;
        they rise by at most 1.

    Raises
    ------
    ConfigError
        If values of one weight bank would wander between banks from window to window.
    """

    buffer: BufferPlan
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    shape: tuple[int, int]
    events: int
    share: Share | None = None
    steps: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if self.buffer.word_values % self.events:
            raise ConfigError(
                f"events = {self.events} must divide the {self.buffer.word_values} values of a word"
            )
        wandering = [x for x in range(self.shape[1]) if self._start(x) % self.events]
        if wandering:
            stored = self.buffer.stream.stored_channels
            raise ConfigError(
                f"events = {self.events} must divide the {stored} stored channels of its source "
                f"(the channels, filled up to a multiple of the source's lanes): choose 1 or "
                f"another divisor, or give events by layer"
            )

    def _start(self, x: int) -> int:
        """Return the first value under the window at column ``x``, which may lie in the padding."""
        return (x * self.stride[1] - self.padding[1]) * self.buffer.stream.stored_channels

    @property
    def span(self) -> int:
        """Weight words of one bank for one kernel row."""
        if self.share:
            return self.kernel[1] * self.share.words * self.slots
        return -(-self.kernel[1] * self.buffer.stream.stored_channels // self.events)

    @property
    def slots(self) -> int:
        """Values of a memory word that one bank gets."""
        return self.buffer.word_values // self.events

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The place of each output column's window."""
        if self.share:
            return self._shared_columns(self.share)
        size, row = self.buffer.word_values, self.buffer.stream.row_values
        columns = []
        for x in range(self.shape[1]):
            start = self._start(x)
            low = max(start, 0)
            high = min(start + self.kernel[1] * self.buffer.stream.stored_channels, row)
            first, last = low // size, (high - 1) // size
            columns.append(
                Column(
                    first=first,
                    words=last - first + 1,
                    offset=(first * size - start) // self.events,
                    head=low - first * size,
                    tail=high - last * size,
                )
            )
        return tuple(columns)

    def _shared_columns(self, share: Share) -> tuple[Column, ...]:
        """Return the place of each window in words of its positions' shares, less the first."""
        columns = []
        for x in range(self.shape[1]):
            start = x * self.stride[1] - self.padding[1]
            low = max(start, 0)
            high = min(start + self.kernel[1], self.buffer.stream.width)
            columns.append(
                Column(
                    first=low * share.position,
                    words=(high - low) * share.words,
                    offset=(low - start) * share.words * self.slots,
                    head=0,
                    tail=self.buffer.word_values,
                )
            )
        return tuple(columns)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The rows of each output row's windows."""
        height = self.buffer.stream.height
        tops = [y * self.stride[0] - self.padding[0] for y in range(self.shape[0])]
        firsts = [max(top, 0) for top in tops] + [height]
        return tuple(
            Line(
                rows=min(top + self.kernel[0], height) - firsts[y],
                kernel_row=firsts[y] - top,
                release=firsts[y + 1] - firsts[y],
            )
            for y, top in enumerate(tops)
        )

    @property
    def aligned(self) -> bool:
        """Whether every span begins and ends with a word, so that nothing has to be masked."""
        size = self.buffer.word_values
        return all(c.head == 0 and c.tail == size for c in self.columns)
