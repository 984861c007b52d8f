"""Refusals: the error that a device's reply of this kind becomes."""

from __future__ import annotations

from spikeloom.sw.errors import LinkError
from spikeloom.sw.link.messages import VERSION, Message, Reason


class RefusedError(LinkError):
    """The device has understood a request, but cannot carry it out.

    Attributes
    ----------
    reason : int
        A :class:`~spikeloom.sw.link.messages.Reason`, or a number that this host does not know.
    """

    def __init__(self, request: Message, reason: int) -> None:
        self.reason = reason
        known = reason in {member.value for member in Reason}
        why = _REASONS[Reason(reason)] if known else f"reason {reason}, which this host knows not"
        super().__init__(f"the board refuses {type(request).__name__}: {why}")


_REASONS = {
    Reason.VERSION: f"it does not speak version {VERSION} of the protocol",
    Reason.KIND: "it knows no such request",
    Reason.LENGTH: "the request's length is wrong",
    Reason.RANGE: "there is no such bank, byte or record",
    Reason.BUSY: "it is still computing",
    Reason.NOTHING: "nothing has been computed since the last reset",
}
