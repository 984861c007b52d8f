"""Windows: which words of its source an engine reads for each output position, and in which order.

A source feature map is stored row by row; within a row the channel varies fastest. The part of a
row under a kernel is then one contiguous *span*. So is a whole row for a fully connected layer,
which is a convolution whose kernel is as large as the map. Padding clips spans.

All of this is known when the hardware is generated. The engine therefore does not compute it, but
reads it from two small tables: :class:`Line` says which rows a window lies on, and :class:`Column`
says which of their words it reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.sw.errors import ConfigError

#: Largest number of words that can have marks: marks are registers, and every window selects among
#: them.
_MOST_MARKS = 64
#: Bits of a block RAM of most families, of one of its bytes, and words of its widest shape.
_BLOCK_BITS, _BYTE, _FEWEST = 18_432, 9, 512
#: Bits that are surely worth a block; fewer may be in look-up tables.
_LEAST_BITS = 1_400
#: Rows that a buffer has beyond those that have to fit, at most: more of them gain nothing.
_MOST_SPARE = 4


def last_places(
    size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], shape: tuple[int, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the last row of each row of windows, and the last column of each column of them.

    Of the windows at the bottom and on the right, these may lie behind the source.

    Parameters
    ----------
    size, stride, padding : (int, int)
        Of the windows, vertical and horizontal.
    shape : (int, int)
        Rows and columns of windows.
    """
    rows, columns = (
        tuple(n - p - 1 + k * s for k in range(number))
        for n, s, p, number in zip(size, stride, padding, shape, strict=True)
    )
    return rows, columns


@dataclass(frozen=True)
class BufferPlan:
    """The memory that holds rows of an engine's source.

    Parameters
    ----------
    stream : StreamPlan
        The stream that is written.
    chunks : int
        Number of the stream's transfers in one memory word.
    rows : int
        Number of rows that have to fit.
    roomy : bool
        Whether more rows fit where they take no further block RAM. Then a source whose rows take
        unequal times keeps its reader waiting less often.
    """

    stream: StreamPlan
    chunks: int
    rows: int
    roomy: bool = False

    @property
    def word_values(self) -> int:
        """Number of values in one memory word."""
        return self.chunks * self.stream.lanes

    @property
    def row_words(self) -> int:
        """Number of words for one row at one timestep; the last may be partly unused."""
        return -(-self.stream.row_values // self.word_values)

    @property
    def row_depth(self) -> int:
        """Number of words for one row at all its timesteps."""
        return self.row_words * self.stream.steps

    @property
    def capacity(self) -> int:
        """Number of rows that fit."""
        if not self.roomy or self.marked:
            return self.rows
        needed = self.row_depth * self.rows
        # Of a block, parts of a word that are written one by one take whole bytes.
        part = self.stream.layout.size
        width = part if self.chunks == 1 else self.chunks * -(-part // _BYTE) * _BYTE
        if needed * self.word_bits < _LEAST_BITS * -(-width * _FEWEST // _BLOCK_BITS):
            return self.rows
        unit = max(_FEWEST, 1 << (_BLOCK_BITS // width).bit_length() - 1)
        words = -(-needed // unit) * unit
        return min(words // self.row_depth, self.rows + _MOST_SPARE)

    @property
    def depth(self) -> int:
        """Number of words in all."""
        return self.row_depth * self.capacity

    @property
    def word_bits(self) -> int:
        """Number of bits of a word."""
        return self.chunks * self.stream.layout.size

    @property
    def bits(self) -> int:
        """Number of bits in all."""
        return self.depth * self.word_bits

    @property
    def marked(self) -> bool:
        """Whether each word has a mark that says if it holds a non-zero value.

        Marks pay off where words cover several positions, as those of an input image do: its
        background is then not read at all. Words that hold channels of a single position are hardly
        ever empty.
        """
        few = self.rows * self.row_words <= _MOST_MARKS
        return few and self.stream.steps == 1 and self.word_values > self.stream.stored_channels


@dataclass(frozen=True)
class Column:
    """The words that the windows at one output column read of each of their rows.

    Parameters
    ----------
    first : int
        Index, in its row, of the first word to read.
    words : int
        Number of words to read.
    offset : int
        Address of the weights for the first value of the first word, relative to those for the
        first value of the span; negative where the word begins ahead of the span.
    head : int
        Index, in the first word, of the first value that the span covers.
    tail : int
        Index, in the last word, behind the last value that the span covers.
    """

    first: int
    words: int
    offset: int
    head: int
    tail: int


@dataclass(frozen=True)
class Line:
    """The rows of the source that the windows at one output row read.

    Parameters
    ----------
    rows : int
        Number of rows under the window, without padding.
    kernel_row : int
        Row of the kernel that lies on the first of them.
    release : int
        Number of rows that no later window needs, so that they can be released.
    """

    rows: int
    kernel_row: int
    release: int

    @property
    def need(self) -> int:
        """Number of rows that must be there before the line begins: it reads or releases them."""
        return max(self.rows, self.release)


@dataclass(frozen=True)
class Share:
    """The words of each source position that a lane group reads in a grouped convolution.

    Parameters
    ----------
    words : int
        Number of words that a lane group reads, the same for all of them.
    position : int
        Number of words in a whole position.
    firsts : tuple of int
        Index, in the position, of the first word to read, by lane group (M output channels).
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
        The memory that the windows are read from.
    kernel, stride, padding : (int, int)
        Vertical and horizontal.
    shape : (int, int)
        Rows and columns of the output.
    events : int
        E, the number of weight banks; the values of a word go to them in turn.
    share : Share or None
        The part of each position that a lane group reads, in which case no word crosses
        positions; None if it reads all of it.
    steps : tuple of int
        The stored timestep to read, for each timestep in which a window is read; each is equal to
        the one before or the next one.

    Raises
    ------
    ConfigError
        If a value's weights would have to be in another bank from window to window.
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
        # The same for all columns, if it is for two of them.
        if any(self._start(x) % self.events for x in range(min(self.shape[1], 2))):
            stored = self.buffer.stream.stored_channels
            raise ConfigError(
                f"events = {self.events} must divide the {stored} stored channels of its source "
                f"(the channels, filled up to a multiple of the source's lanes): choose 1 or "
                f"another divisor, or give events by layer"
            )

    def _start(self, x: int) -> int:
        """Return the index, in its row, of the first value under the window at column ``x``.

        It is negative if the window begins in the padding.
        """
        return (x * self.stride[1] - self.padding[1]) * self.buffer.stream.stored_channels

    @property
    def span(self) -> int:
        """Number of words in one weight bank for one row of the kernel."""
        if self.share:
            return self.kernel[1] * self.share.words * self.slots
        return -(-self.kernel[1] * self.buffer.stream.stored_channels // self.events)

    @property
    def slots(self) -> int:
        """Number of values of a memory word that go to one bank."""
        return self.buffer.word_values // self.events

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The words that are read for each output column."""
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
        """Return the words for each output column, as if each position's share began with it.

        The share of a lane group lies ``share.firsts`` words further on.
        """
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
        """The rows that are read for each output row."""
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
    def ends(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The last row of each line of windows, and the last column of each column of them.

        They may lie in the padding behind the source.
        """
        return last_places(self.kernel, self.stride, self.padding, self.shape)

    @property
    def extent(self) -> tuple[int, int]:
        """Number of rows and columns: those of the source, and those behind it with windows."""
        stream, (rows, columns) = self.buffer.stream, self.ends
        return (max(stream.height, rows[-1] + 1), max(stream.width, columns[-1] + 1))

    @property
    def aligned(self) -> bool:
        """Whether every span begins and ends at the border of a word, so that nothing is masked."""
        size = self.buffer.word_values
        return all(c.head == 0 and c.tail == size for c in self.columns)
