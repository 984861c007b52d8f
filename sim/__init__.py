"""Cosimulation: the generated Verilog runs in Verilator, next to the golden model.

:func:`cosimulate` simulates images once, :class:`Cosimulator` keeps a built simulator for several
runs; both return a :class:`CosimReport`. :mod:`spikeloom.sim.board` simulates a whole board.

:mod:`cosim` runs images in parts, each of which is a :mod:`part`, and :mod:`report` adds these up.
:mod:`scoreboard` compares values with the golden model's: those that :mod:`records` reads, in the
order of :mod:`order`. :mod:`divergence` has what it finds.

:mod:`design` describes the accelerator to simulate. :mod:`generated` keeps generated hardware, and
:mod:`sidecar` and :mod:`inert` check what others have generated. :mod:`harness` makes the Verilog
around the accelerator, :mod:`engines` names the two programs that clock it, and :mod:`bench` is the
course of a simulation in both. :mod:`native` is the one in C++, :mod:`runner` and :mod:`testbench`
are the one in cocotb, and :mod:`job` has the files by which they are told what to do. :mod:`waves`
writes the hardware's signals.
:mod:`program` and :mod:`building` build programs with Verilator, by the tools in :mod:`tools`;
:mod:`kept` lists and removes what they leave for later builds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikeloom.sim.cosim import FULL, Cosimulator, cosimulate
    from spikeloom.sim.report import CosimReport

__all__ = ["FULL", "CosimReport", "Cosimulator", "cosimulate"]

_MODULES = {"CosimReport": "report"}


def __getattr__(name: str) -> Any:
    # On first use: the testbench imports this package inside the simulator, where loading torch
    # and Amaranth would take seconds for nothing.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'cosim')}"), name)
