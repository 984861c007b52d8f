"""Figures of a network's work and energy, for ``inspect``, ``cosim``, ``run`` and ``build``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spikeloom.sw.cli.common import table
from spikeloom.sw.cli.output import console, say

if TYPE_CHECKING:
    from spikeloom.hw.planning import Plan
    from spikeloom.sw.golden import Work

#: Family of the estimate where there is no board, whose look-up tables are estimated.
FAMILY = "ecp5"


def fpga_energy(planned: Plan, cycles: float, work: Work) -> dict[str, Any]:
    """Return the estimate for the accelerator alone on an ECP5, as JSON values.

    Parameters
    ----------
    planned : Plan
    cycles : float
        Clock cycles from one image to the next.
    work : Work
    """
    from spikeloom.hw.build import sizing
    from spikeloom.hw.build.energy import FpgaEnergy
    from spikeloom.hw.build.family import Family

    family = Family.find(FAMILY)
    luts = round(sum(sizing.engine_luts(layer, family) for layer in planned.layers))
    return FpgaEnergy.of(family, luts, cycles, work).as_dict()


def show_work(figures: Mapping[str, Any]) -> None:
    """Print figures by :func:`spikeloom.sw.golden.figures.figures`, as means of the images."""
    work = figures["work"]
    if work is None:
        return
    images = work["images"]
    out = console()
    out.print(f"work per image, for {images:,} images (docs/energy.md):", markup=False)
    shown = table(
        *("layer", "#additions", "#shifted", "#weight bits", "#spikes", "#rate", "#updates"),
        *("#their additions", "#MACs of an ANN"),
    )

    for part in (*work["layers"], work):
        rate = f"{part['spike_rate']:.4f}" if "spike_rate" in part else ""
        shown.add_row(
            part.get("name", "all"),
            *_means(part, images, "additions", "shifted", "weight_bits", "spikes"),
            rate,
            *_means(part, images, "updates", "update_additions", "ann_macs"),
        )
    out.print(shown)
    for line in _lines(figures["neurobench"], figures["energy"]):
        say(line)


def _means(part: Mapping[str, Any], images: int, *amounts: str) -> list[str]:
    """Return some amounts of a layer, or of all together, for one image."""
    return [f"{part[amount] / images:,.1f}" for amount in amounts]


def _lines(metrics: Mapping[str, Any], energy: Mapping[str, Any]) -> list[str]:
    """Return sentences on NeuroBench's metrics and energy."""
    sparsity = metrics["activation_sparsity"]
    lines = [
        f"NeuroBench: footprint {metrics['footprint']:,} bytes, connection sparsity "
        f"{metrics['connection_sparsity']:.4f}, activation sparsity "
        f"{'-' if sparsity is None else f'{sparsity:.4f}'}, synaptic operations "
        f"{metrics['effective_acs']:,.1f} ACs and {metrics['effective_macs']:,.1f} MACs of "
        f"{metrics['dense']:,.1f}"
    ]
    for name, what in (("floating", "32-bit floating point"), ("integer", "integers")):
        prices = energy[name]
        lines.append(
            f"energy per image at {energy['nanometres']} nm, {what}: {prices['snn']:,.1f} nJ, and "
            f"{prices['neurons']:,.1f} nJ for neurons; an ANN {prices['ann']:,.1f} nJ"
        )
    lines.append(f"reads of weights from 8 KiB memories: {energy['weights']:,.1f} nJ")
    fpga = energy["fpga"]
    if fpga is not None:
        lines.append(
            f"an FPGA ({fpga['family']}, {fpga['luts']:,} look-up tables) takes about "
            f"{fpga['total']:,.0f} nJ, somewhere from {fpga['low']:,.0f} to {fpga['high']:,.0f}, "
            f"beside what it takes at rest"
        )
    return lines
