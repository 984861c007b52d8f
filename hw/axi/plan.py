"""AXI plan: widths and registers of the wrapper around an accelerator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Shape, unsigned
from amaranth.lib import data, stream

from spikeloom.hw.axi.registers import Register, address_bits, register_map
from spikeloom.hw.planning.plan import Plan
from spikeloom.hw.values import shape_of
from spikeloom.sw.errors import UnsupportedError

#: Bits of TDATA for a logit, which is sign-extended.
LOGIT_BITS = 32
#: Bits of the number of images of a packet.
PACKET_BITS = 16


@dataclass(frozen=True)
class AxiPlan:
    """Widths and registers of an accelerator behind AXI.

    Parameters
    ----------
    plan : Plan

    Raises
    ------
    UnsupportedError
        If a logit has more than 32 bits.
    """

    plan: Plan

    def __post_init__(self) -> None:
        width = self.plan.layers[-1].target.values.width
        if width > LOGIT_BITS:
            raise UnsupportedError(
                f"logits of {self.plan.network.name!r} have {width} bits, and AXI carries up to "
                f"{LOGIT_BITS}: use fewer bits for the weights of its last layer"
            )

    @property
    def pixel(self) -> Shape:
        """Shape of an input value."""
        return shape_of(self.plan.pixels.values)

    @property
    def data_bits(self) -> int:
        """Bits of the input's TDATA, in whole bytes."""
        return 8 * -(-self.pixel.width // 8)

    @property
    def beat(self) -> data.StructLayout:
        """Layout of a transfer of the input."""
        return data.StructLayout({"data": unsigned(self.data_bits), "last": 1})

    @property
    def logit(self) -> data.StructLayout:
        """Layout of a logit from the accelerator."""
        target = self.plan.layers[-1].target
        return data.StructLayout({"value": shape_of(target.values), "last": 1})

    @property
    def logit_signature(self) -> stream.Signature:
        """Signature of the accelerator's output, a stream of :attr:`logit`."""
        return stream.Signature(self.logit)

    @property
    def flight(self) -> int:
        """Number of images that may be in the accelerator at once; further ones must wait.

        It is an estimate from above, rounded to a power of two.
        """
        heights = {layer.layer.name: layer.target.height for layer in self.plan.layers}
        heights["input"] = self.plan.input.height
        held = 0
        for layer in self.plan.layers:
            held += 2 + max(
                -(-reader.windows.buffer.capacity // heights[reader.connection.source])
                for reader in layer.readers
            )
        return 1 << held.bit_length()

    @property
    def registers(self) -> tuple[Register, ...]:
        """Register map of the accelerator."""
        return register_map(self.plan)

    @property
    def address_bits(self) -> int:
        """Bits of an address on AXI4-Lite."""
        return address_bits(self.registers)

    def description(self) -> dict[str, Any]:
        """Return the wrapper's description for a manifest, in JSON values."""
        return {
            "address_bits": self.address_bits,
            "input_bytes": self.data_bits // 8,
            "output_bytes": LOGIT_BITS // 8,
            "registers": [register.as_dict() for register in self.registers],
        }
