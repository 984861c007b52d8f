"""Hardware of a trial: its plan, predicted clock cycles, estimated resources and energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spikeloom.hw.options import SLOTS, TimeMode
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.tables import require_known

if TYPE_CHECKING:
    from spikeloom.hw.planning import HardwareConfig, Plan, PlanFile
    from spikeloom.hw.search import Budget
    from spikeloom.sw.network import Network
    from spikeloom.sw.network.record import IntArray

_PerLayer = int | Mapping[str, int]
#: Choices of :class:`~spikeloom.hw.planning.HardwareConfig` that leave nothing to search for.
_CHOSEN = ("lanes", "events", "slots", "units", "planes", "copies", "budget", "compact")


@dataclass(frozen=True, kw_only=True)
class HardwarePart:
    """Choices about the hardware of a trial.

    With a board or a limit and no other choice but ``time``, the fastest plan that fits is searched
    for, as ``spikeloom plan`` does. Otherwise these are the choices of ``spikeloom generate``, and
    a trial fails if its plan does not fit on the board or within the limits.

    Parameters
    ----------
    lanes, events, slots, units, planes, copies, budget, time, compact
        As of :class:`~spikeloom.hw.planning.HardwareConfig`.
    board : str, optional
        Name or file of a board, whose room the plan may take.
    max_luts, max_rams : int, optional
        Look-up tables and block RAMs that it may take, of an ECP5's if no board is named.
    images : int
        Number of images whose clock cycles and energy are predicted.

    Raises
    ------
    ConfigError
        If a number is out of range, or there is no such board.
    """

    lanes: _PerLayer | None = None
    events: _PerLayer | None = None
    slots: _PerLayer | None = None
    units: _PerLayer | None = None
    planes: Mapping[str, int] | None = None
    copies: Mapping[str, int] | None = None
    budget: int | None = None
    compact: bool | None = None
    time: str = TimeMode.AUTO
    board: str | None = None
    max_luts: int | None = None
    max_rams: int | None = None
    images: int = 4

    def __post_init__(self) -> None:
        require_known(self.time, [mode.value for mode in TimeMode], "no time is called")
        if self.images < 1:
            raise ConfigError(f"images must be at least 1, not {self.images}")
        for name, least in (("max_luts", 1), ("max_rams", 0)):
            given = getattr(self, name)
            if given is not None and given < least:
                raise ConfigError(f"{name} must be at least {least}, not {given}")
        if not self.searches:
            self.config()
        self.room()

    @property
    def searches(self) -> bool:
        """Whether the plan is searched for."""
        limited = any(x is not None for x in (self.board, self.max_luts, self.max_rams))
        return limited and all(getattr(self, name) is None for name in _CHOSEN)

    def config(self) -> HardwareConfig:
        """Return the choices as the planner takes them."""
        from spikeloom.hw.planning import HardwareConfig

        given = {name: getattr(self, name) for name in _CHOSEN if getattr(self, name) is not None}
        return HardwareConfig(time=self.time, **{"slots": SLOTS, **given})

    def room(self) -> Budget:
        """Return the resources that a plan may take."""
        from spikeloom.hw.boards import Board
        from spikeloom.hw.search import Budget

        if self.board is not None:
            whole = Budget.of_board(Board.find(self.board))
            return whole.within(luts=self.max_luts, block_ram=self.max_rams)
        if self.max_luts is None and self.max_rams is None:
            return Budget()
        return Budget.of_numbers(self.max_luts, self.max_rams)


def measured(
    network: Network, part: HardwarePart, images: IntArray
) -> tuple[dict[str, float], PlanFile]:
    """Return what a network's hardware takes, and the plan file for it.

    Parameters
    ----------
    network : Network
    part : HardwarePart
    images : array of int64, shape (N, *network.input.image_shape)

    Returns
    -------
    figures : dict of str to float
        ``cycles`` from image to image, ``latency`` in clock cycles, ``luts``, ``flipflops``,
        ``rams``, and nanojoules for an image: ``energy`` of an FPGA, ``snn_energy`` of the
        network's additions alone.
    choices : PlanFile

    Raises
    ------
    ConfigError
        If no plan fits.
    """
    import numpy as np

    from spikeloom.hw.build.energy import FpgaEnergy
    from spikeloom.hw.build.family import Family
    from spikeloom.hw.planning import PlanFile, plan
    from spikeloom.hw.prediction import activity, predict
    from spikeloom.hw.search import Search
    from spikeloom.sw.golden import Meter
    from spikeloom.sw.golden.energy import Energy

    meter, room = Meter(network), part.room()
    sent = activity(network, images, meter)
    if part.searches:
        found = Search(network, room, sent, part.time).fastest()
        planned, prediction, amounts = found.plan, found.prediction, found.amounts
    else:
        planned = plan(network, part.config())
        amounts = room.amounts(planned)
        if not room.fits(amounts):
            raise ConfigError(
                f"{network.name!r} does not fit on {room.title}: it takes "
                f"{', '.join(text.strip() for text in room.short_of(amounts))}"
            )
        # An interval lies between two images: the first one comes again, so that each counts once.
        again = {name: np.concatenate([x, x[:, :1]], 1) for name, x in sent.items()}
        prediction = predict(planned, again)
    cycles = prediction.interval
    assert cycles is not None, "there are two images at least"
    energy = FpgaEnergy.of(Family.find(room.family), round(amounts.luts), cycles, meter.work)
    figures = {
        "cycles": cycles,
        "latency": float(prediction.latency),
        "luts": float(round(amounts.luts)),
        "flipflops": float(round(amounts.flipflops)),
        "rams": float(amounts.block_ram),
        "energy": energy.total,
        "snn_energy": Energy.of(meter.work).floating.snn,
    }
    about: dict[str, Any] = {"images": len(images), "board": part.board, **figures}
    return figures, PlanFile(network.name, network.digest, _explicit(planned), about)


def _explicit(planned: Plan) -> HardwareConfig:
    """Return the choices of a plan, with those that the planner has made."""
    config, network = planned.config, planned.network
    names = [layer.layer.name for layer in planned.layers]
    events, slots = config.chosen("events", network), config.chosen("slots", network)
    return replace(
        config,
        lanes={layer.layer.name: layer.lanes for layer in planned.layers},
        events={name: events.get(name, 1) for name in names},
        slots={name: slots.get(name, SLOTS) for name in names},
        units=config.chosen("units", network) or None,
        copies=config.chosen("copies", network) or None,
    )
