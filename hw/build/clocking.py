"""Clocks other than the board's oscillator, made by the phase-locked loop of each family."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer

from spikeloom.hw.boards import Board
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.registry import Registered

#: Seconds after which block RAM of an iCE40 can be read, with the same margin as Amaranth's.
_SETTLED = 15e-6


@dataclass(frozen=True)
class Division:
    """Settings of a loop that make a clock.

    Parameters
    ----------
    before, feedback, after : int
        The oscillator is divided by ``before``, the quotient times ``feedback`` is the output, and
        ``after`` is the ratio of the loop's own oscillator to the output.
    clock : float
        MHz of the output.
    """

    before: int
    feedback: int
    after: int
    clock: float


class Pll(Registered, ABC):
    """A family's phase-locked loop; found by the family's name.

    Attributes
    ----------
    family : str
    devices : str
        Regular expression of the part numbers that have this loop.
    compared : (float, float)
        Lowest and highest MHz of the divided oscillator.
    inner : (float, float)
        Lowest and highest MHz of the loop's own oscillator.
    before, feedback, after : sequence of int
        Possible settings of the dividers.
    inside : bool
        Whether the loop's own oscillator is fed back, not the output.
    derived : bool
        Whether the tools find the output's frequency by themselves, so that no constraint may state
        it.
    gated : bool
        Whether the clock can be held back until it is steady, by :meth:`gate`. Then there is
        nothing to reset: a large design's reset would have the longest wires of all.
    """

    family: ClassVar[str]
    devices: ClassVar[str] = ".*"
    compared: ClassVar[tuple[float, float]]
    inner: ClassVar[tuple[float, float]]
    before: ClassVar[range]
    feedback: ClassVar[range]
    after: ClassVar[tuple[int, ...]]
    inside: ClassVar[bool] = False
    derived: ClassVar[bool] = False
    gated: ClassVar[bool] = False

    kinds: ClassVar[dict[str, type[Pll]]] = {}
    name_attribute = "family"

    @staticmethod
    def find(family: str) -> Pll:
        """Return the loop of a family.

        Raises
        ------
        ConfigError
            If there is none.
        """
        if family not in Pll.kinds:
            raise ConfigError(
                f"there is no other clock than the oscillator's for {family}: leave out --clock"
            )
        return Pll.kinds[family]()

    @staticmethod
    def of(board: Board) -> Pll:
        """Return the loop of a board's FPGA.

        Raises
        ------
        ConfigError
            If there is none, or none that is known here.
        """
        pll = Pll.find(board.family)
        if re.fullmatch(pll.devices, board.device) is None:
            raise ConfigError(
                f"there is no other clock than the oscillator's for {board.device}: leave out "
                f"--clock"
            )
        return pll

    def divisions(self, oscillator: float) -> Iterator[Division]:
        """Yield all settings for an oscillator of ``oscillator`` MHz."""
        for before in self.before:
            compared = oscillator / before
            if not self.compared[0] <= compared <= self.compared[1]:
                continue
            for feedback in self.feedback:
                for after in self.after:
                    made = self.made(compared, feedback, after)
                    if self.inner[0] <= made * after <= self.inner[1]:
                        yield Division(before, feedback, after, made)

    def made(self, compared: float, feedback: int, after: int) -> float:
        """Return the MHz of the output."""
        return compared * feedback / after if self.inside else compared * feedback

    def division(self, oscillator: float, wanted: float) -> Division:
        """Return the dividers that make a clock.

        Parameters
        ----------
        oscillator, wanted : float
            MHz.

        Raises
        ------
        ConfigError
            If the loop cannot make it to the kHz; the message names the next that it can make.
        """
        middle = sum(self.inner) / 2

        def rank(found: Division) -> tuple[float, int, float]:
            return abs(found.clock - wanted), found.before, abs(found.clock * found.after - middle)

        nearest = min(self.divisions(oscillator), key=rank)
        if abs(nearest.clock - wanted) >= 1e-3:
            raise ConfigError(
                f"{oscillator:g} MHz cannot be made into {wanted:g} MHz: the next is "
                f"--clock {nearest.clock:.6g}"
            )
        return nearest

    @abstractmethod
    def connect(
        self, m: Module, port: io.PortLike, division: Division, output: Signal, locked: Signal
    ) -> None:
        """Add the loop, and the buffer between the oscillator's pin and it.

        Parameters
        ----------
        m : Module
        port : amaranth.lib.io.PortLike
            The oscillator's pin.
        division : Division
        output, locked : Signal
            Driven by the loop.
        """

    def gate(self, m: Module, clock: Signal, enable: Signal, output: Signal) -> None:
        """Add a gate that lets the clock through, from a whole cycle on; if ``gated``.

        Parameters
        ----------
        m : Module
        clock, enable : Signal
        output : Signal
            Driven by the gate.
        """
        raise NotImplementedError(f"{type(self).__name__} has no gate")


class Ecp5Pll(Pll):
    """EHXPLLL; limits of Lattice's FPGA-DS-02012. DCCA is its gate, by FPGA-TN-02200."""

    family = "ecp5"
    gated = True
    compared = (3.125, 400.0)
    inner = (400.0, 800.0)
    before = range(1, 129)
    feedback = range(1, 129)
    after = tuple(range(1, 129))

    def connect(
        self, m: Module, port: io.PortLike, division: Division, output: Signal, locked: Signal
    ) -> None:
        m.submodules.pin = pin = io.Buffer("i", port)
        m.submodules.pll = Instance(
            "EHXPLLL",
            # The filter's settings are those that Project Trellis' ecppll takes for all clocks.
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_OUTDIVIDER_MUXC="DIVC",
            p_OUTDIVIDER_MUXD="DIVD",
            p_CLKI_DIV=division.before,
            p_CLKFB_DIV=division.feedback,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=division.after,
            p_CLKOP_CPHASE=division.after // 2,
            p_CLKOP_FPHASE=0,
            p_FEEDBK_PATH="CLKOP",
            i_CLKI=pin.i,
            i_CLKFB=output,
            i_RST=0,
            i_STDBY=0,
            i_PHASESEL0=0,
            i_PHASESEL1=0,
            i_PHASEDIR=1,
            i_PHASESTEP=1,
            i_PHASELOADREG=1,
            i_PLLWAKESYNC=0,
            i_ENCLKOP=0,
            o_CLKOP=output,
            o_LOCK=locked,
        )

    def gate(self, m: Module, clock: Signal, enable: Signal, output: Signal) -> None:
        m.submodules.gate = Instance("DCCA", i_CLKI=clock, i_CE=enable, o_CLKO=output)


class Ice40Pll(Pll):
    """SB_PLL40_PAD; limits of Lattice's FPGA-TN-02052 (iCE40 sysCLOCK PLL)."""

    family = "ice40"
    compared = (10.0, 133.0)
    inner = (533.0, 1066.0)
    before = range(1, 17)
    feedback = range(1, 129)
    after = tuple(2**k for k in range(1, 7))
    inside = True

    #: Highest MHz of the divided oscillator for the settings 1, 2, ... of the filter.
    _FILTERS = (17.0, 26.0, 44.0, 66.0, 101.0, 133.0)

    def connect(
        self, m: Module, port: io.PortLike, division: Division, output: Signal, locked: Signal
    ) -> None:
        compared = division.clock * division.after / division.feedback
        setting = next(k for k, most in enumerate(self._FILTERS, 1) if compared <= most)
        m.submodules.pll = Instance(
            "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=division.before - 1,
            p_DIVF=division.feedback - 1,
            p_DIVQ=division.after.bit_length() - 1,
            p_FILTER_RANGE=setting,
            # The pin's own buffer: it leads to the loop and nowhere else.
            i_PACKAGEPIN=port.io,
            i_RESETB=1,
            i_BYPASS=0,
            o_PLLOUTGLOBAL=output,
            o_LOCK=locked,
        )


class GowinPll(Pll):
    """rPLL; limits of Gowin's UG286 and DS117 for a GW1NR-9C of grade C6/I5."""

    family = "gowin"
    devices = r"GW1NR?-LV9\D.*C6/I5"
    compared = (3.0, 400.0)
    inner = (400.0, 1200.0)
    before = range(1, 65)
    feedback = range(1, 65)
    after = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)

    def connect(
        self, m: Module, port: io.PortLike, division: Division, output: Signal, locked: Signal
    ) -> None:
        m.submodules.pin = pin = io.Buffer("i", port)
        oscillator = division.clock * division.before / division.feedback
        m.submodules.pll = Instance(
            "rPLL",
            p_DEVICE="GW1NR-9C",
            p_FCLKIN=f"{oscillator:g}",
            p_DYN_IDIV_SEL="false",
            p_IDIV_SEL=division.before - 1,
            p_DYN_FBDIV_SEL="false",
            p_FBDIV_SEL=division.feedback - 1,
            p_DYN_ODIV_SEL="false",
            p_ODIV_SEL=division.after,
            p_CLKFB_SEL="internal",
            i_CLKIN=pin.i,
            i_CLKFB=0,
            i_FBDSEL=0,
            i_IDSEL=0,
            i_ODSEL=0,
            i_DUTYDA=0,
            i_PSDA=0,
            i_FDLY=0,
            i_RESET=0,
            i_RESET_P=0,
            o_CLKOUT=output,
            o_LOCK=locked,
        )


class XilinxPll(Pll):
    """PLLE2_BASE; limits of AMD's DS181 and DS187 for the slowest grade, -1."""

    family = "xilinx"
    compared = (19.0, 450.0)
    inner = (800.0, 1600.0)
    before = range(1, 57)
    feedback = range(2, 65)
    after = tuple(range(1, 129))
    inside = True
    derived = True

    def connect(
        self, m: Module, port: io.PortLike, division: Division, output: Signal, locked: Signal
    ) -> None:
        m.submodules.pin = pin = io.Buffer("i", port)
        oscillator = division.clock * division.after * division.before / division.feedback
        divided, fed = Signal(), Signal()
        m.submodules.pll = Instance(
            "PLLE2_BASE",
            p_CLKIN1_PERIOD=round(1000 / oscillator, 3),
            p_DIVCLK_DIVIDE=division.before,
            p_CLKFBOUT_MULT=division.feedback,
            p_CLKOUT0_DIVIDE=division.after,
            i_CLKIN1=pin.i,
            # No phase is asked for, so that no buffer is spent on the way back.
            i_CLKFBIN=fed,
            i_RST=0,
            i_PWRDWN=0,
            o_CLKFBOUT=fed,
            o_CLKOUT0=divided,
            o_LOCKED=locked,
        )
        m.submodules.network = Instance("BUFG", i_I=divided, o_O=output)


class Clocking(Elaboratable):
    """Module that drives ``sync`` at another frequency than the oscillator's.

    Until the clock is steady, ``sync`` is in reset, or has no clock where the family can gate it.
    The module that contains this one has to define :attr:`domain`.

    Parameters
    ----------
    board : Board
    clock : float
        MHz.

    Raises
    ------
    ConfigError
        If the board's loop cannot make it.
    """

    def __init__(self, board: Board, clock: float) -> None:
        self.clock = clock
        self.pll = Pll.of(board)
        self.division = self.pll.division(board.clock, clock)

    @property
    def domain(self) -> ClockDomain:
        """The domain ``sync``, with a reset if it needs one."""
        return ClockDomain("sync", reset_less=self.pll.gated)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        output, locked, steady = Signal(name="pll_clock"), Signal(), Signal()
        port = platform.request(platform.default_clk, dir="-")
        self.pll.connect(m, port, self.division, output, locked)
        if not self.pll.derived:
            platform.add_clock_constraint(output, self.division.clock * 1e6)
        m.domains += ClockDomain("por", reset_less=True, local=True)
        m.submodules.locked = FFSynchronizer(locked, steady, o_domain="por")
        delay = int(_SETTLED * self.division.clock * 1e6)
        timer, ready = Signal(range(delay + 1)), Signal()
        m.d.comb += ClockSignal("por").eq(output)
        if self.pll.gated:
            gated = Signal()
            self.pll.gate(m, output, ready, gated)
            m.d.comb += ClockSignal("sync").eq(gated)
        else:
            m.d.comb += [ClockSignal("sync").eq(output), ResetSignal("sync").eq(~ready)]
        with m.If(~steady):
            m.d.por += [timer.eq(0), ready.eq(0)]
        with m.Elif(timer != delay):
            m.d.por += timer.eq(timer + 1)
        with m.Else():
            m.d.por += ready.eq(1)
        return m
