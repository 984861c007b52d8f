"""Accelerators alone, without link and board: their resources by Yosys, cycles by prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spikeloom.hw.boards import Resources
from spikeloom.hw.build.area import whole
from spikeloom.hw.build.family import Family
from spikeloom.hw.planning import LayerPlan, Plan, UnrolledPlan
from spikeloom.hw.prediction import predict
from spikeloom.sw.network.record import IntArray

FAMILY = "ecp5"
#: Images that cycles are predicted for.
IMAGES = 20


@dataclass(frozen=True)
class Measured:
    """An accelerator.

    Parameters
    ----------
    resources : Resources
    cycles : float
        Clock cycles per image.
    ratio : float
        Cycles per image, by the most events of a layer per lane and event generator.
    """

    resources: Resources
    cycles: float
    ratio: float

    def cells(self) -> list[str]:
        """Return the cells of a table: look-up tables, flip-flops, block RAMs and cycles."""
        return [*resources_cells(self.resources), f"{self.cycles:,.0f}"]


def measure(planned: Plan, sent: Mapping[str, IntArray]) -> Measured:
    """Synthesise an accelerator, and predict its cycles for what its layers send."""
    found = predict(planned, sent)
    cycles = found.interval or float(found.latency)
    floor = max(layer.limit for layer in found.layers)
    return Measured(whole(planned, Family.find(FAMILY)), cycles, cycles / floor)


def resources_cells(used: Resources) -> list[str]:
    """Return the cells of a table: look-up tables, flip-flops and block RAMs."""
    return [f"{n:,}" for n in (used.luts, used.flipflops, used.block_ram)]


def lanes(planned: Plan) -> str:
    """Return M x E of each layer, M alone where E is 1; P of unrolled ones, C of copied ones."""

    def of(layer: LayerPlan) -> str:
        if isinstance(layer, UnrolledPlan):
            return f"{layer.lanes} (P = {layer.sums.planes})"
        copies = f" (C = {layer.copies})" if layer.copies > 1 else ""
        return f"{layer.lanes}" + (f"x{layer.events}" if layer.events > 1 else "") + copies

    return ", ".join(map(of, planned.layers))
