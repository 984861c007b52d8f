"""Diagnostics: reasons why a network does not train or convert.

:class:`Monitor` and :func:`measure` take measures of each layer; :func:`findings` recognises known
failures in them.
"""

from spikeloom.sw.diagnostics.failures import Failure, Finding, findings
from spikeloom.sw.diagnostics.health import LayerHealth
from spikeloom.sw.diagnostics.history import Phase, read_log
from spikeloom.sw.diagnostics.measure import measure, measure_network
from spikeloom.sw.diagnostics.monitor import Monitor

__all__ = [
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
