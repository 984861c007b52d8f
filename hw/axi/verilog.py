"""Verilog of an accelerator with AXI ports, and its sidecar with the register map."""

from __future__ import annotations

from spikeloom.hw.axi.accelerator import AxiAccelerator
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import Plan, plan
from spikeloom.hw.verilog import Generated, convert, describe
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Network


def generate(network: Network, config: HardwareConfig | None = None) -> Generated:
    """Generate the Verilog of an accelerator behind AXI.

    Parameters
    ----------
    network : Network
    config : HardwareConfig, optional

    Returns
    -------
    Generated
        The sidecar is that of the accelerator, with the widths of the buses and the register map
        under ``"axi"``.

    Raises
    ------
    UnsupportedError
        If the hardware cannot run the network, or AXI cannot carry its values.
    ConfigError
        If the configuration does not fit the network, or asks for taps.
    """
    if config is not None and config.debug:
        raise ConfigError("AXI has no ports for taps: leave out debug, or AXI")
    return generate_from(plan(network, config))


def generate_from(planned: Plan) -> Generated:
    """Generate the Verilog of a plan; see :func:`generate`."""
    wrapped = AxiAccelerator(planned)
    sidecar = describe(planned) | {"axi": wrapped.plan.description()}
    return convert(wrapped, planned, sidecar)
