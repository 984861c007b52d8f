"""Diagnostics: reasons why a network does not train or convert.

:class:`Monitor` and :func:`measure` take measures of each layer; :func:`findings` recognises known
failures in them. What needs torch is imported when it is first asked for: the log of a training is
read without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikeloom.sw.deferred import deferred
from spikeloom.sw.diagnostics.failures import DIVERGENCES, Failure, Finding, findings
from spikeloom.sw.diagnostics.health import LayerHealth
from spikeloom.sw.diagnostics.history import Phase, read_log

if TYPE_CHECKING:
    from spikeloom.sw.diagnostics.measuring import measure, measure_network
    from spikeloom.sw.diagnostics.monitor import Monitor
else:
    __getattr__ = deferred(
        __name__,
        {
            "spikeloom.sw.diagnostics.measuring": ("measure", "measure_network"),
            "spikeloom.sw.diagnostics.monitor": ("Monitor",),
        },
    )

__all__ = [
    "DIVERGENCES",
    "Failure",
    "Finding",
    "LayerHealth",
    "Monitor",
    "Phase",
    "findings",
    "measure",
    "measure_network",
    "read_log",
]
