"""Base of all neuron units: their signature, their parameters, and the registry of kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.neurons.spec import NeuronSpec
from spikeloom.hw.values import shape_of
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import Layer, Range
from spikeloom.sw.network.neuron import Integrator
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.registry import Registered


class NeuronUnit(Registered, wiring.Component):
    """One neuron, which keeps its state from one timestep to the next.

    A subclass is found by the ``kind`` of the contract's neurons. It defines :meth:`values` and
    :meth:`elaborate`. Subclasses of :class:`~spikeloom.hw.neurons.FoldedUnit` compute all timesteps
    of the same kind at once.

    Parameters
    ----------
    spec : NeuronSpec

    Attributes
    ----------
    kinds : dict of str to type
        Units that take the timesteps one by one.
    folded_kinds : dict of str to type
        Units that fold them.
    per_step : bool
        Whether the parameters differ from timestep to timestep.
    most_steps : int
        Timesteps that the unit can take in one cycle, if the current is constant.

    Members
    -------
    current : In(accumulator)
        A of this timestep.
    parameters : In(layout)
        Parameters of the channel, with :meth:`layout`; an array of ``spec.steps_per_cycle`` of them
        where the parameters differ from timestep to timestep.
    enable : In(1)
        Take the timestep, or ``spec.steps_per_cycle`` timesteps, in this cycle.
    first : In(1)
        This timestep is the first, and starts from the initial state.
    spike, potential : Out
        The spike of each timestep, and the membrane potential after its soft reset, in the same
        cycle; the first timestep in the lowest bits. If time is folded, they are valid in the last
        cycle, and ``spike`` is the sum over all timesteps.
    count : Out
        The sum of the spikes so far, in the same cycle.
    """

    kinds: ClassVar[dict[str, type[NeuronUnit]]] = {}
    folded_kinds: ClassVar[dict[str, type[NeuronUnit]]] = {}
    per_step: ClassVar[bool] = False
    most_steps: ClassVar[int] = 1

    def __init__(self, spec: NeuronSpec) -> None:
        self.spec = spec
        spike = shape_of(spec.shown_spike)
        super().__init__(
            {
                "current": In(shape_of(spec.ranges.accumulator)),
                "parameters": In(self.cycle_layout(spec)),
                "enable": In(1),
                "first": In(1),
                "spike": Out(_repeated(spike, spec.steps_per_cycle)),
                "potential": Out(_repeated(shape_of(spec.ranges.potential), spec.steps_per_cycle)),
                "count": Out(shape_of(spec.ranges.count)),
            }
        )

    @staticmethod
    def of(spec: NeuronSpec) -> type[NeuronUnit]:
        """Return the unit for a layer's neurons."""
        kind = spec.layer.neuron.kind
        return NeuronUnit.folded_kinds[kind] if spec.folded else NeuronUnit.of_kind(kind)

    @staticmethod
    def of_kind(kind: str) -> type[NeuronUnit]:
        """Return the unit that takes the timesteps of neurons of one kind one by one.

        Raises
        ------
        UnsupportedError
            If there is none.
        """
        message = f"no hardware for neurons of kind {kind!r}; there is:"
        return NeuronUnit.member(kind, UnsupportedError, message, alphabetical=True)

    @staticmethod
    def folded_cycles(layer: Layer) -> int | None:
        """Return the cycles that all timesteps of a neuron take, folded into a division.

        None if they have to be taken one by one, because the current changes or because the count
        has no closed form.
        """
        folded = NeuronUnit.folded_kinds.get(layer.neuron.kind)
        if folded is None or not layer.constant or not layer.neuron.foldable:
            return None
        return folded.most_quanta(layer).bit_length()

    @classmethod
    def most_quanta(cls, layer: Layer) -> int:
        """Return the most thresholds that all timesteps together can take from the potential.

        Only units that fold the timesteps are asked.
        """
        return layer.timesteps * layer.neuron.most_quanta

    @classmethod
    def values(cls, spec: NeuronSpec) -> dict[str, IntArray]:
        """Return the parameters by name, each of shape (channels,) or (channels, T).

        Values beyond the reach of the potential are clamped to the nearest value that has the same
        effect, so that the width of the parameters follows from the proven ranges.
        """
        raise NotImplementedError

    @classmethod
    def layout(cls, spec: NeuronSpec) -> data.StructLayout:
        """Return the layout of one channel's parameters at one timestep."""
        values = cls.values(spec)
        return data.StructLayout(
            {name: shape_of(Range(int(v.min()), int(v.max()))) for name, v in values.items()}
        )

    @classmethod
    def cycle_layout(cls, spec: NeuronSpec) -> data.Layout:
        """Return the layout of one channel's parameters for one cycle."""
        steps = spec.steps_per_cycle if cls.per_step else 1
        return _repeated(cls.layout(spec), steps)

    def _current(self) -> Value:
        """Return ``A*2^F + B``."""
        neuron: Any = self.spec.layer.neuron
        return (self.current << neuron.fraction_bits) + self.parameters.bias

    def _leaked(self, value: Value, shifts: Sequence[int]) -> Value:
        """Return what a leak leaves of a value; as the contract's, it rounds down in each shift."""
        rest = value
        for shift in shifts:
            rest = rest - (value >> shift) if shift > 0 else rest + (value >> -shift)
        return rest

    def _keep(self, m: Module, value: Value, start: Value | int = 0) -> Signal:
        """Return ``value`` of the last enabled cycle; in the first cycle, ``start``."""
        state = Signal.like(value, name="state")
        kept = Signal.like(value, name="kept")
        m.d.comb += kept.eq(Mux(self.first, start, state))
        with m.If(self.enable):
            m.d.sync += state.eq(value)
        return kept


class IntegratorUnit(NeuronUnit):
    """Base of the units for the contract's integrators."""

    @classmethod
    def values(cls, spec: NeuronSpec) -> dict[str, IntArray]:
        neuron = neuron_of(spec, Integrator)
        return {
            "threshold": reachable_threshold(spec, neuron.threshold),
            "initial": neuron.initial,
            "bias": neuron.bias,
        }


def added(magnitude: Value, negated: Value) -> Value:
    """Return ``-magnitude`` if ``negated``, else ``magnitude``, as a term for one adder.

    Parameters
    ----------
    magnitude : Value
        Not negative.
    negated : Value
        One bit; it becomes the carry of the adder.
    """
    positive = Cat(magnitude, Const(0, 1)).as_signed()
    return Mux(negated, ~positive, positive) + negated


def reachable_threshold(spec: NeuronSpec, threshold: IntArray) -> IntArray:
    """Return thresholds, with those that no potential reaches lowered to one beyond its range."""
    reach = spec.ranges.potential.high + 1
    return np.minimum(threshold, reach)


def _repeated(shape: ShapeLike, times: int) -> ShapeLike:
    """Return an array of a shape, or the shape itself for a single one."""
    return data.ArrayLayout(shape, times) if times > 1 else shape


def neuron_of(spec: NeuronSpec, kind: type[Any]) -> Any:
    """Return the neurons of a layer, which must be of the class ``kind``."""
    neuron = spec.layer.neuron
    assert isinstance(neuron, kind)
    return neuron
