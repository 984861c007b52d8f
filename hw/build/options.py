"""Options that every build takes, whether of a bitstream or of an overlay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

from spikeloom.hw.build.choices import Images
from spikeloom.hw.planning.config import HardwareConfig


class Options(TypedDict, total=False):
    """Keyword arguments of :func:`~spikeloom.hw.build.build` and ``build_overlay``.

    Parameters
    ----------
    config : HardwareConfig, optional
        Choices for the accelerator. Lanes that it leaves open are as many as the board has room
        for. With counters, if left out.
    images : Images, optional
        For the self test, and for the prediction of images per second. Without them there is no
        prediction, and the self test has random ones.
    clock : float, optional
        MHz of the design: the board's oscillator, if left out; of an overlay,
        :data:`~spikeloom.hw.build.vivado.OVERLAY_CLOCK`.
    name : str, optional
        Name of bitstream and manifest, without a suffix; made of those of network and board, if
        left out.
    seed : int, optional
        nextpnr's seed for the first placement: another one gives other wires, and so another
        highest clock. nextpnr's own, if left out.
    placements : int
        Placements to try before a clock counts as too fast, each with the next seed; 1 by default.
    nextpnr : sequence of str
        More arguments for nextpnr, as ``("--router", "router2")``; the manifest names them.
    source : str
        Which tools to run: one of :data:`~spikeloom.hw.build.tools.SOURCES`.
    say : callable, optional
        Called with a line of text at every stage.
    """

    config: HardwareConfig | None
    images: Images | None
    clock: float | None
    name: str | None
    seed: int | None
    placements: int
    nextpnr: Sequence[str]
    source: str
    say: Callable[[str], object]
