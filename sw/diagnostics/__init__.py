"""What tells why a network does not train or convert: measures per layer, and known failures."""

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
