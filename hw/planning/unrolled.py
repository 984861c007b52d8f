"""Unrolled layers: which ones there can be, and the rows that they keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spikeloom.hw.planning.connection import ConnectionPlan
from spikeloom.hw.planning.planes import TABLE_INPUTS, PlaneSumsPlan
from spikeloom.hw.planning.windows import BufferPlan, WindowPlan
from spikeloom.sw.errors import ConfigError

_CURE = "leave it out of planes"
#: Most tables of a layer: more take more look-up tables than any of our boards has.
_MOST_TABLES = 1 << 13


def passing(readers: Sequence[ConnectionPlan]) -> ConnectionPlan:
    """Return the only connection of an unrolled layer, with all rows of its kernel but one.

    Parameters
    ----------
    readers : sequence of ConnectionPlan
        The layer's connections, with one weight bank.

    Raises
    ------
    ConfigError
        If the layer cannot be unrolled, or lanes or events are given for it.
    """
    reader, *more = readers
    if more:
        raise ConfigError(
            f"an unrolled layer has one connection, but it has {1 + len(more)}: {_CURE}"
        )
    if not reader.connection.constant:
        raise ConfigError(f"an unrolled layer reads pixels or counts, but it reads spikes: {_CURE}")
    if reader.pool:
        raise ConfigError(f"an unrolled layer has no pool ahead of it, but it has one: {_CURE}")
    if reader.windows.share:
        raise ConfigError(f"a grouped convolution or an identity cannot be unrolled: {_CURE}")
    for name, found, only in (
        ("lanes", reader.target.lanes, reader.target.channels),
        ("events", reader.windows.events, 1),
    ):
        if found != only:
            raise ConfigError(
                f"{name} = {found} must be {only}, since planes are given for it: leave it out of "
                f"{name}, or out of planes"
            )
    lines = BufferPlan(reader.stream, chunks=1, rows=reader.windows.kernel[0] - 1)
    return replace(reader, windows=replace(reader.windows, buffer=lines))


def require_fit(sums: PlaneSumsPlan) -> None:
    """Require that planes are not more than there are, and tables not too many.

    Raises
    ------
    ConfigError
        If they are.
    """
    if sums.planes > sums.bits:
        raise ConfigError(
            f"planes = {sums.planes} must not exceed the {sums.bits} bits of the values that it "
            f"reads"
        )
    if sums.number > _MOST_TABLES:
        raise ConfigError(
            f"unrolled, it would have {sums.number:,} tables of {TABLE_INPUTS} weights, which is "
            f"more than {_MOST_TABLES:,}: {_CURE}, and give it lanes and events instead"
        )


def interval(windows: WindowPlan, steps: int) -> int:
    """Return the clock cycles from one image to the next, if nothing keeps the engine waiting.

    Parameters
    ----------
    windows : WindowPlan
    steps : int
        Number of clock cycles that all planes of a window take.
    """
    rows, columns = windows.extent
    transfers = rows * columns * windows.buffer.stream.lane_groups
    return transfers + windows.shape[0] * windows.shape[1] * (steps - 1)
