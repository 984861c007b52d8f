from __future__ import annotations

from support.hw.components import small_plan

from spikeloom.hw.axi import generate
from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.verilog import describe


def test_the_sidecar_is_the_accelerators_and_has_the_buses() -> None:
    network, config = small_plan().network, HardwareConfig(counters=True)
    sidecar = dict(generate(network, config).sidecar)
    axi = sidecar.pop("axi")
    assert sidecar == describe(plan(network, config))
    # Values of 4 bits, and logits that are extended to 32.
    assert (axi["address_bits"], axi["input_bytes"], axi["output_bytes"]) == (12, 1, 4)
    names = [register["name"] for register in axi["registers"]]
    assert names[:3] == ["ID", "VERSION", "CONTROL"]
    assert names[-1] == "sum.blocked"
