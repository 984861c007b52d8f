"""Cosimulation: the generated Verilog runs in Verilator, next to the golden model.

:func:`cosimulate` simulates images once, :class:`Cosimulator` keeps a built simulator for several
runs; both return a :class:`CosimReport`. :mod:`spikeloom.sim.board` simulates a whole board.
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
