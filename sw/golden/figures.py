"""Figures of a network's work as JSON values, as all commands and manifests report them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikeloom.sw.golden.energy import Energy
from spikeloom.sw.golden.neurobench import NeuroBench
from spikeloom.sw.golden.work import Work
from spikeloom.sw.network import Network

#: Their keys.
FIGURES = ("work", "neurobench", "energy")


def figures(
    network: Network, work: Work | None, fpga: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a network's work, NeuroBench's metrics and estimates of energy, by :data:`FIGURES`.

    Parameters
    ----------
    network : Network
    work : Work, optional
        Of this network; all figures are None without it.
    fpga : mapping, optional
        The estimate for an FPGA, as JSON values.
    """
    if work is None:
        return dict.fromkeys(FIGURES)
    return {
        "work": work.as_dict(),
        "neurobench": NeuroBench.of(network, work).as_dict(),
        "energy": {**Energy.of(work).as_dict(), "fpga": None if fpga is None else dict(fpga)},
    }
