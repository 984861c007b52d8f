"""The device's side of the link: from the pins of a UART to an accelerator's streams.

:class:`Link` is the whole of it, for a :class:`LinkPlan`. Bytes of :mod:`uart` become contents of
:mod:`frames`, which :mod:`server` takes as requests; :mod:`replies` sends the replies. The images
are kept in :mod:`stores` and computed when :mod:`scheduler` says so. The protocol is specified in
``docs/protocol.md``; constants come from ``spikeloom.sw.link``, and :mod:`layouts` derives the
layouts of messages from there.
"""

from spikeloom.hw.link.link import Link
from spikeloom.hw.link.plan import LinkPlan, RecordPlan
from spikeloom.hw.link.uart import UartReceiver, UartTransmitter

__all__ = ["Link", "LinkPlan", "RecordPlan", "UartReceiver", "UartTransmitter"]
