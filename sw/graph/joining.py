"""Joining: values of several sources side by side, as places of taps, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from spikeloom.sw.graph.values import Joined, Selection, Tap, View, selected


@dataclass(frozen=True)
class Grouped(Joined):
    """Values whose channels are split into several axes, as a channel shuffle by hand does it.

    Only the rules in :data:`.rules.TAKE_GROUPS` read them.

    Parameters
    ----------
    grid : tuple of int
        Sizes of these axes; ``places`` goes through them row by row.
    """

    grid: tuple[int, ...] = ()


def beside(value: Tap | Joined, channels: int) -> Joined:
    """Return values as places of taps that have no selection of their own.

    Parameters
    ----------
    value : Tap or Joined
    channels : int
        Channels of the values, or features if they are flat.
    """
    if isinstance(value, Joined):
        return value
    view = value.view or View()
    selection = value.features if value.flat else view.channels
    bare = selected(value, None)
    if not value.flat:
        whole = replace(view, channels=None)
        bare = replace(value, view=None if whole == View() else whole)
    if selection is None:
        return Joined((bare,), tuple((0, i) for i in range(channels)), (channels,))
    places = tuple(None if i is None else (0, i) for i in selection.chosen)
    return Joined((bare,), places, (selection.size,))


def together(values: Sequence[Joined], picked: Iterable[tuple[int, int] | None]) -> Tap | Joined:
    """Return chosen places of several values.

    Parameters
    ----------
    values : sequence of Joined
    picked : iterable of (int, int) or None
        For each place of the result, the number of the value and the place in it; None for 0.
    """
    taps: dict[Tap, int] = {}
    numbers: dict[Tap, int] = {}
    places: list[tuple[int, int] | None] = []
    for choice in picked:
        place = None if choice is None else values[choice[0]].places[choice[1]]
        if choice is None or place is None:
            places.append(None)
            continue
        joined = values[choice[0]]
        tap = joined.taps[place[0]]
        taps[tap] = joined.sizes[place[0]]
        places.append((numbers.setdefault(tap, len(numbers)), place[1]))
    found = tuple(taps)
    if len(found) == 1:
        chosen = (None if place is None else place[1] for place in places)
        return selected(found[0], Selection.of(taps[found[0]], chosen))
    if not found:
        raise ValueError
    return Joined(found, tuple(places), tuple(taps.values()))
