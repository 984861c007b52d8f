"""Plans of layers: every parameter of one engine, and all that follows from them.

An ordinary layer is a :class:`LayerPlan`, one whose weights are logic an :class:`UnrolledPlan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_

import numpy as np

from spikeloom.hw.neurons import NeuronSpec, NeuronUnit
from spikeloom.hw.planning.connection import ConnectionPlan, value_range
from spikeloom.hw.planning.planes import PlaneSumsPlan
from spikeloom.hw.planning.streams import Sends, StreamPlan
from spikeloom.hw.planning.unrolled import interval
from spikeloom.hw.planning.weights import WeightMemory, WeightStore, weight_memories, weight_stores
from spikeloom.hw.values import DigitPlan
from spikeloom.sw.network import Layer, Range, Ranges
from spikeloom.sw.network.record import IntArray

#: Number of windows whose sums may wait, where windows can be faster than neurons: as many as a
#: small memory holds in any case.
_SUMS_WAITING = 16
#: Words that wait in the queue of an event generator, and the most slots of one that has a short
#: queue. Halving it costs about 1 % of the clock cycles of a small MNIST network.
_LONG_QUEUE, _SHORT_QUEUE, _FEW_SLOTS = 8, 4, 2


@dataclass(frozen=True)
class LayerPlan:
    """The engine of one layer.

    Parameters
    ----------
    layer : Layer
        The contract's layer.
    ranges : Ranges
        Its proven value ranges.
    readers : tuple of ConnectionPlan
        Its connections, and how they are read; one that reads the layer itself is the last.
    target : StreamPlan
        The stream that it sends.
    sends : Sends
        The meaning of the values in this stream.
    steps_per_cycle : int
        Number of timesteps that a neuron runs in one clock cycle; it divides T.
    units : int
        U, the number of neuron units; it divides M. If it is smaller, each unit serves several
        lanes, one after another: all timesteps of one before those of the next.
    window_cycles : float
        Estimated clock cycles between the sums of two windows. Units that take longer keep the
        elements waiting.
    folded : bool
        Whether the T timesteps under constant current are folded into one division, which takes a
        logarithmic number of cycles. Neurons then yield only their last potential and their count.
    copies : int
        C, the number of copies of all parts from the scanner to the processing elements. Copy c
        computes the windows c, c + C, c + 2 C and so on of each row of windows. All of them share
        the buffers' writing side and the neurons.
    compact : bool
        Whether the engine is without all that only serves pace and clock: words go to the events as
        they are read, without a register, a queue or a search for words of zeros, each of which
        takes a cycle; no skid ends the way of ready; and block RAM takes the place of look-up
        tables. E is 1, and there is a single connection.
    """

    layer: Layer
    ranges: Ranges
    readers: tuple[ConnectionPlan, ...]
    target: StreamPlan
    sends: Sends
    steps_per_cycle: int
    units: int
    window_cycles: float
    folded: bool = False
    copies: int = 1
    compact: bool = False

    @property
    def neurons(self) -> NeuronSpec:
        """The part of the plan that its neuron units are built from."""
        return NeuronSpec(self.layer, self.ranges, self.steps_per_cycle, self.folded)

    @property
    def lanes(self) -> int:
        """M, the number of output channels computed at once."""
        return self.target.lanes

    @property
    def events(self) -> int:
        """E, the number of events added to every lane in one clock cycle."""
        return self.readers[0].windows.events

    @property
    def events_per_cycle(self) -> int:
        """Number of events that are added up in one clock cycle at most: E of each copy."""
        return self.events * self.copies

    @property
    def slots(self) -> int:
        """Number of values in a word for one bank, for the connection with the longest words."""
        return max(reader.windows.slots for reader in self.readers)

    @property
    def values(self) -> Range:
        """Range of the source values that meet the weights, over all connections."""
        return value_range(self.readers)

    @property
    def digits(self) -> DigitPlan:
        """The digits that these values can have."""
        return DigitPlan.of(self.values)

    @property
    def cycles(self) -> int:
        """Number of clock cycles that a neuron takes for all T timesteps."""
        if self.folded:
            folded = NeuronUnit.folded_cycles(self.layer)
            assert folded is not None, "the plan folds only what can be folded"
            return folded
        return self.layer.timesteps // self.steps_per_cycle

    @property
    def turns(self) -> int:
        """Number of lanes that each neuron unit serves, one after another."""
        return self.lanes // self.units

    @property
    def served(self) -> int:
        """Number of clock cycles for which the units need the sums of one window."""
        return self.turns * self.cycles if self.layer.constant else 1

    @property
    def shareable(self) -> bool:
        """Whether a unit can serve several lanes.

        The current must not change, since the state of a neuron stays in its unit until the last
        timestep, and lanes must not send their spikes together, one timestep after another.
        """
        return self.layer.constant and self.sends != Sends.SPIKES

    @property
    def staged(self) -> bool:
        """Whether each unit keeps the sum that it works on in a register of its own.

        A unit that serves several lanes would otherwise choose among their sums in the same clock
        cycle. It starts one cycle later; a compact engine, which is slow anyway, does without.
        """
        return self.turns > 1 and not self.compact

    @property
    def queue(self) -> int:
        """Number of sums of each copy that may wait for the neurons, or are at work there.

        1 if neurons are fast enough, or would be with a unit for each lane: sums leave from adders,
        and neurons begin with one. Several copies must not wait for each other: each has room for
        all sums of a position.
        """
        position = self.sums_per_position if self.copies > 1 else 1
        slow = self.served > 1 and self.cycles > self.window_cycles
        return max(position, _SUMS_WAITING if slow else 1)

    @property
    def sums_per_position(self) -> int:
        """Number of sums of M lanes for each position of the output: lane groups, timesteps."""
        return self.target.lane_groups * len(self.readers[0].windows.steps)

    @property
    def stores(self) -> tuple[WeightStore, ...]:
        """The weights of each bank by their widths, in the order of their addresses."""
        return weight_stores(self.readers, self.lanes)

    @property
    def memories(self) -> tuple[WeightMemory, ...]:
        """The memories that make up each weight bank, in the order of their addresses."""
        return weight_memories(self.stores, self.compact)

    @property
    def event_queue(self) -> int:
        """Number of words that wait in each event generator; 0 if it takes one at a time.

        It bridges words that have no events, and lets generators with unequal work run ahead of
        each other. With few slots, which save logic, a single generator has a short one.
        """
        if self.compact:
            return 0
        short = self.events == 1 and self.slots <= _FEW_SLOTS
        return _SHORT_QUEUE if short else _LONG_QUEUE

    @property
    def weights(self) -> Range:
        """Range of the weights, 0 included."""
        return reduce(or_, (reader.weights for reader in self.readers))

    @property
    def depth(self) -> int:
        """Number of addresses in each weight bank."""
        return sum(reader.depth(self.lanes) for reader in self.readers)

    def bank(self, index: int) -> IntArray:
        """Return the weights of one of the E banks, M at each address: shape (addresses, M)."""
        return np.concatenate([store.bank(index) for store in self.stores])


@dataclass(frozen=True)
class UnrolledPlan(LayerPlan):
    """The engine of a layer whose weights are logic: it adds up windows by bit planes.

    It has M = all output channels and a single connection, of which it keeps all rows of a kernel
    but one. Its clock cycles do not depend on the values.

    Parameters
    ----------
    layer, ranges, readers, target, sends, steps_per_cycle, folded
        As of every :class:`LayerPlan`.
    planes : int
        P, the number of bit planes that are added up in one clock cycle.
    """

    planes: int = 1

    #: There is no weight bank.
    depth = 0

    @cached_property
    def sums(self) -> PlaneSumsPlan:
        """The sums of a window."""
        (reader,) = self.readers
        kernel = reader.kernel.reshape(len(reader.kernel), -1)
        return PlaneSumsPlan(kernel, self.values, self.ranges.accumulator, self.planes)

    @property
    def queue(self) -> int:
        """Number of windows whose sums may be at work in the neurons, which all take as long.

        0 if neurons need the sums for one cycle only: they come from registers.
        """
        return 0 if self.served == 1 else min(super().queue, 1)

    @property
    def interval(self) -> int:
        """Clock cycles from one image to the next, if nothing keeps the engine waiting."""
        number = self.target.height * self.target.width
        return max(interval(self.readers[0].windows, self.sums.steps), number * self.served)
