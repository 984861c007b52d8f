"""Settings of a design beside its accelerator: images, clock, link."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikeloom.hw.boards import Board
from spikeloom.hw.build.clocking import Clocking, Pll
from spikeloom.hw.build.vivado import OVERLAY_CLOCK, Overlay, require_overlay
from spikeloom.hw.device import Device
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import Plan
from spikeloom.hw.selftest import SelfTest
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray


@dataclass(frozen=True)
class Images:
    """Images for the self test of a design, and for the prediction of its pace.

    Parameters
    ----------
    pixels : array of int64, shape (N, *network.input.image_shape)
    source : str
        Where they are from, for the manifest.
    real : bool
        Whether they are from a data set, so that cycles can be predicted by them.
    """

    pixels: IntArray
    source: str
    real: bool

    @classmethod
    def random(cls, network: Network, number: int) -> Images:
        """Return images of random pixels, always the same."""
        rng = np.random.default_rng(0)
        values = network.input.pixels()
        shape = (number, *network.input.image_shape)
        pixels = rng.integers(values.low, values.high + 1, shape, dtype=np.int64)
        return cls(pixels, "random pixels", real=False)


@dataclass(frozen=True, eq=False)
class Choices(ABC):
    """Settings of a design, from which it is made once its accelerator is planned.

    Parameters
    ----------
    network : Network
    board : Board
    clock : float, optional
        MHz of the design.
    """

    network: Network
    board: Board
    clock: float | None = None

    @property
    @abstractmethod
    def mhz(self) -> float:
        """MHz of the design."""

    @abstractmethod
    def require_clock(self) -> None:
        """Raise `ConfigError` if the board cannot make the clock."""

    @abstractmethod
    def config(self, config: HardwareConfig | None) -> HardwareConfig:
        """Return the choices for the accelerator; with counters, if they are left out."""


@dataclass(frozen=True, eq=False)
class DeviceChoices(Choices):
    """Settings of a board's device, from which it is made once its accelerator is planned.

    Parameters
    ----------
    network : Network
    board : Board
    clock : float, optional
        MHz of the design; the board's oscillator, if left out.
    baud : int, optional
        Rate of the host link; the board's own, if left out.
    records : sequence of str
        Layers whose counts can be read over the link.
    tested : array of int64, shape (N, *network.input.image_shape), optional
        Images of the self test; without them there is none.
    """

    baud: int | None = None
    records: Sequence[str] = ()
    tested: IntArray | None = None

    @property
    def mhz(self) -> float:
        """MHz of the design."""
        return self.board.clock if self.clock is None else self.clock

    def require_clock(self) -> None:
        """Raise `ConfigError` if the board's loop cannot make the clock."""
        if self.mhz != self.board.clock:
            Pll.of(self.board).division(self.board.clock, self.mhz)

    def clocking(self) -> Clocking | None:
        """Return the module that makes the design's clock; None if that is the oscillator."""
        return None if self.mhz == self.board.clock else Clocking(self.board, self.mhz)

    @functools.cached_property
    def logits(self) -> IntArray | None:
        """Logits of the self test's images by the golden model, shape (N, classes)."""
        if self.tested is None:
            return None
        logits: IntArray = Golden(self.network).run(self.tested).logits.numpy().astype(np.int64)
        return logits

    def config(self, config: HardwareConfig | None) -> HardwareConfig:
        """Return the choices for the accelerator; with counters, if they are left out."""
        config = config or HardwareConfig(counters=True)
        # A layer's counts are read from its tap.
        return replace(config, debug=config.debug or bool(self.records))

    def device(self, plan: Plan) -> Device:
        """Return the device of a plan.

        Raises
        ------
        ConfigError
            If a record names no layer, or the clock is too slow for the rate.
        DataError
            If the images do not fit the network's input.
        """
        rate = self.board.link.baud if self.baud is None else self.baud
        link = LinkPlan.of(plan, round(self.mhz * 1e6), rate, records=self.records)
        if self.tested is None or self.logits is None:
            return Device(plan, link)
        return Device(plan, link, SelfTest(plan, self.tested, self.logits))


@dataclass(frozen=True, eq=False)
class OverlayChoices(Choices):
    """Settings of an overlay, from which it is made once its accelerator is planned.

    Parameters
    ----------
    network : Network
    board : Board
    clock : float, optional
        MHz of the logic; `OVERLAY_CLOCK`, if left out.
    """

    @property
    def mhz(self) -> float:
        """MHz of the logic."""
        return OVERLAY_CLOCK if self.clock is None else self.clock

    def require_clock(self) -> None:
        """Raise `ConfigError` if the board has no processor, or its processor lacks the clock."""
        require_overlay(self.board, self.mhz)

    def config(self, config: HardwareConfig | None) -> HardwareConfig:
        """Return the choices for the accelerator; with counters, if they are left out.

        Raises
        ------
        ConfigError
            If they ask for taps.
        """
        config = config or HardwareConfig(counters=True)
        if config.debug:
            raise ConfigError("AXI has no ports for taps: leave out debug, or the overlay")
        return config

    def overlay(self, plan: Plan) -> Overlay:
        """Return the overlay of a plan.

        Raises
        ------
        UnsupportedError
            If AXI, or AXI DMA, cannot carry the network's values.
        """
        return Overlay(self.board, plan, self.mhz)
