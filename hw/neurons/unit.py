"""What all neuron units have in common: their signature, and how they are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.neurons.spec import NeuronSpec
from spikeloom.hw.values import shape_of
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import Layer, Range
from spikeloom.sw.network.neurons import Integrator
from spikeloom.sw.network.record import IntArray


class NeuronUnit(wiring.Component):
    """One neuron; its state stays inside from one timestep to the next.

    A subclass names its ``kind``; the one that folds a kind's timesteps is also ``folded``.

    Parameters
    ----------
    spec : NeuronSpec

    Attributes
    ----------
    per_step : bool
        Whether the parameters differ from timestep to timestep.
    most_steps : int
        Timesteps that it can take in one cycle, if the current is constant.

    Members
    -------
    current : In(accumulator)
        A of this timestep.
    parameters : In(layout)
        Of the channel, laid out as by :meth:`layout`; for several timesteps at once where they
        differ, an array of them.
    enable : In(1)
        Whether to take the timestep, or the ``spec.steps_per_cycle`` timesteps.
    first : In(1)
        Whether it is the first, which starts from the initial state.
    spike, potential : Out
        The spike of each timestep, and the membrane potential after its soft reset, in the same
        cycle; the first timestep in the lowest bits. If time is folded, they are right in the last
        cycle, and ``spike`` is the sum of all.
    count : Out
        The sum of the spikes so far, in the same cycle.
    """

    units: ClassVar[dict[str, type[NeuronUnit]]] = {}
    folded_units: ClassVar[dict[str, type[NeuronUnit]]] = {}
    per_step: ClassVar[bool] = False
    most_steps: ClassVar[int] = 1

    def __init_subclass__(cls, kind: str | None = None, folded: bool = False) -> None:
        super().__init_subclass__()
        if kind is not None:
            (cls.folded_units if folded else cls.units)[kind] = cls

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
        return NeuronUnit.folded_units[kind] if spec.folded else NeuronUnit.of_kind(kind)

    @staticmethod
    def of_kind(kind: str) -> type[NeuronUnit]:
        """Return the unit that takes the timesteps of neurons of one kind one by one.

        Raises
        ------
        UnsupportedError
            If there is none.
        """
        if kind not in NeuronUnit.units:
            known = ", ".join(sorted(NeuronUnit.units))
            raise UnsupportedError(f"no hardware for neurons of kind {kind!r}; there is: {known}")
        return NeuronUnit.units[kind]

    @classmethod
    def folded_cycles(cls, layer: Layer) -> int | None:
        """Return in how many cycles all timesteps of a neuron can be done, folded into a division.

        None where they have to be taken one by one: the current changes, or there is no closed
        form.
        """
        quanta = cls.quanta(layer) if layer.constant else None
        return None if quanta is None else quanta.bit_length()

    @classmethod
    def quanta(cls, layer: Layer) -> int | None:
        """Return the most thresholds that all timesteps together can take away.

        None if their number has no closed form under a constant current.
        """
        return None

    @classmethod
    def values(cls, spec: NeuronSpec) -> dict[str, IntArray]:
        """Return the parameters by name, each of shape (channels,) or (channels, T).

        They are clamped to what makes a difference, so that their width follows from the ranges.
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

    def _keep(self, m: Module, value: Value, start: Value | int = 0) -> Signal:
        """Return ``value`` as the last enabled cycle left it, ``start`` in the first."""
        state = Signal.like(value, name="state")
        kept = Signal.like(value, name="kept")
        m.d.comb += kept.eq(Mux(self.first, start, state))
        with m.If(self.enable):
            m.d.sync += state.eq(value)
        return kept


class IntegratorUnit(NeuronUnit):
    """What the units of the contract's integrators have in common."""

    @classmethod
    def quanta(cls, layer: Layer) -> int | None:
        return layer.timesteps

    @classmethod
    def values(cls, spec: NeuronSpec) -> dict[str, IntArray]:
        neuron = neuron_of(spec, Integrator)
        return {
            "threshold": reachable_threshold(spec, neuron.threshold),
            "initial": neuron.initial,
            "bias": neuron.bias,
        }


def added(magnitude: Value, negated: Value) -> Value:
    """Return ``-magnitude`` or ``magnitude``, which is not negative, for an adder to take in."""
    positive = Cat(magnitude, Const(0, 1)).as_signed()
    return Mux(negated, ~positive, positive) + negated


def reachable_threshold(spec: NeuronSpec, threshold: IntArray) -> IntArray:
    """Return thresholds cut down to what no potential reaches: they never fire, however high."""
    reach = spec.ranges.potential.high + 1
    return np.minimum(threshold, reach)


#: What a layer sends, by the plan's name for it: a unit's output.
SENT: dict[str, Callable[[NeuronUnit], Value]] = {
    "count": lambda unit: unit.count,
    "spikes": lambda unit: unit.spike,
    "logits": lambda unit: unit.potential,
}


def _repeated(shape: ShapeLike, times: int) -> ShapeLike:
    """Return an array of a shape, or the shape itself for a single one."""
    return data.ArrayLayout(shape, times) if times > 1 else shape


def neuron_of(spec: NeuronSpec, kind: type[Any]) -> Any:
    """Return a layer's neuron, which is known to be of a kind."""
    neuron = spec.layer.neuron
    assert isinstance(neuron, kind)
    return neuron
