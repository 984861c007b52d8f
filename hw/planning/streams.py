"""Streams between layers: transfers of several channels' values, in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from amaranth.lib import data, stream

from spikeloom.hw.values import shape_of
from spikeloom.sw.network import Range


class Sends(StrEnum):
    """The values that a layer sends; sidecars hold the same names."""

    #: One count for each neuron.
    COUNT = "count"
    #: One spike for each neuron and timestep.
    SPIKES = "spikes"
    #: One potential for each neuron, at the end; of the output layer.
    LOGITS = "logits"


@dataclass(frozen=True)
class StreamPlan:
    """A stream of feature maps.

    Transfers come in the order image, row, column, lane group, timestep, the last fastest. A *lane
    group* is the channels that one transfer holds: lane m of lane group g is channel
    ``g * lanes + m``. Lanes past the last channel are 0.

    Parameters
    ----------
    lanes : int
        Number of values in one transfer.
    values : Range
        Range of a value.
    channels, height, width : int
        Shape of the map; (features, 1, 1) for a fully connected layer.
    steps : int
        Number of timesteps; 1 for counts.
    """

    lanes: int
    values: Range
    channels: int
    height: int
    width: int
    steps: int

    @property
    def lane_groups(self) -> int:
        """Number of transfers that hold the channels of one position at one timestep."""
        return -(-self.channels // self.lanes)

    @property
    def stored_channels(self) -> int:
        """Number of channels, the unused lanes of the last lane group included."""
        return self.lane_groups * self.lanes

    @property
    def row_values(self) -> int:
        """Number of values in one row at one timestep."""
        return self.width * self.stored_channels

    @property
    def transfers(self) -> int:
        """Number of transfers in one image."""
        return self.height * self.width * self.lane_groups * self.steps

    @property
    def layout(self) -> data.ArrayLayout:
        """Layout of the payload of one transfer, lane 0 in the lowest bits."""
        return data.ArrayLayout(shape_of(self.values), self.lanes)

    @property
    def signature(self) -> stream.Signature:
        """Signature of the Amaranth stream."""
        return stream.Signature(self.layout)
