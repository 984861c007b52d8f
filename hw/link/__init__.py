"""The device's side of the link: from UART pins to an accelerator's streams.

The protocol is specified in ``docs/protocol.md``; layouts and constants are those of
``spikeloom.sw.link``.
"""

from spikeloom.hw.link.link import Link
from spikeloom.hw.link.plan import LinkPlan, RecordPlan
from spikeloom.hw.link.uart import UartReceiver, UartTransmitter

__all__ = ["Link", "LinkPlan", "RecordPlan", "UartReceiver", "UartTransmitter"]
