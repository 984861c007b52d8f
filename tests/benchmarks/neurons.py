"""Write the tables of docs/neurons.md anew: ``make neurons``, or ``make neurons DATA=folder``."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import page
from benchmarks.activity import Activity, activity, cycles, shared_lanes
from benchmarks.lanes import ADDERS, UNITS, Adder, Cells, measure_adders, measure_units
from benchmarks.nets import CACHE, trained
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sw import datasets
from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.training import Trained

PAGE = Path(__file__).parents[2] / "docs" / "neurons.md"
#: Numbers of timesteps T at which every neuron is measured.
STEPS = (1, 2, 4, 8)
#: Number of test images for the simulated hardware.
SIMULATED = 20
#: The deep network, its data sets, which do not come with Spikeloom, and its seeds.
DEEP = "mnist-deep"
DEEP_DATA = ("mnist", "fashion-mnist")
SEEDS = (0, 1, 2)
#: Number of test images for the deep network, and its recipe.
DEEP_IMAGES = 2_000
RECIPE: dict[str, Any] = {"limit": 5_000, "epochs": 5, "tune_epochs": 5}


@dataclass(frozen=True)
class Variant:
    """A way to run a trained network.

    Parameters
    ----------
    label : str
        Its name on the page.
    transport : {"spikes", "count"}
    neuron : str
    options : mapping
        More options of :func:`spikeloom.sw.conversion.convert`.
    time : str
        Option of :class:`spikeloom.hw.planning.config.HardwareConfig`.
    """

    label: str
    transport: str
    neuron: str
    options: Mapping[str, Any] = field(default_factory=dict)
    time: str = "auto"


_RELU = (
    Variant("if", "spikes", "if"),
    Variant("dual", "spikes", "dual"),
    Variant("burst", "spikes", "burst", {"largest": 3}),
    Variant("ladder", "count", "ladder"),
    Variant("if, folded", "count", "if", time="fold"),
)
_LEAKY = (
    Variant("signed", "spikes", "signed"),
    Variant("signed, folded", "count", "signed", time="fold"),
)
#: The variants to measure, by network of the zoo.
VARIANTS: dict[str, tuple[Variant, ...]] = {
    "digits-conv": _RELU,
    "digits-leaky": _LEAKY,
    "digits-residual": _RELU,
    DEEP: (_RELU[0], _RELU[1], _RELU[3]),
}
#: The networks for the digits, which come with Spikeloom.
DIGITS = ("digits-conv", "digits-residual", "digits-leaky")
#: Networks whose hardware is simulated, and at which T: each case needs a simulator of its own.
CLOCKED = ("digits-conv", "digits-leaky")
CLOCKED_STEPS = (4,)

LANE_HEADER = (
    "neuron",
    "sends",
    "#LUT4",
    "#CCU2C",
    "#LUT equivalents",
    "#flip-flops",
    "#iCE40 LUTs",
    "#carries",
    "#flip-flops",
    "#cycles",
)
ADDER_HEADER = (
    "source",
    "sends",
    "values",
    "#bits",
    "#LUT4",
    "#CCU2C",
    "#LUT equivalents",
    "#flip-flops",
    "#iCE40 LUTs",
)
TOGETHER_HEADER = ("neuron", "sends", "#unit", "#element that reads it", "#together", "#to if")
RUN_HEADER = ("T", "neuron", "carries", "#accuracy", "#events", "#additions", "#cycles")
DUAL_HEADER = (
    "network",
    "T",
    "#if",
    "#dual",
    "#gain",
    "#events",
    "#additions",
    "#if at 2T",
    "#its additions",
    "#count at T",
    "#its additions",
)
SEED_HEADER = (
    "data",
    "seed",
    "quantized ANN",
    *(f"T = {steps}: if, dual, count" for steps in STEPS),
)


@dataclass(frozen=True)
class Row:
    """One run of a network, in one variant and at one T, with its result."""

    variant: Variant
    steps: int
    result: Activity
    cycles: float | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all networks, and write the tables into the page."""
    parser = argparse.ArgumentParser(prog="make neurons", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with mnist/ and fashion-mnist/")
    parser.add_argument(
        "--no-cycles", action="store_true", help="leave the simulation of the hardware out"
    )
    chosen = parser.parse_args(arguments)
    # A training can only be repeated with the same number of threads.
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        units, adders = measure_units(Path(folder)), measure_adders(Path(folder))
    page.replace(PAGE, "lanes", lane_table(units))
    page.replace(PAGE, "elements", adder_table(adders))
    page.replace(PAGE, "together", together_table(units, adders))
    runs = {}
    for name in DIGITS:
        test = datasets.load("digits", "test")
        runs[name] = measure(name, trained(name), test, chosen.no_cycles)
        page.replace(PAGE, name, run_table(runs[name]))
    dual = {name: rows for name, rows in runs.items() if VARIANTS[name] is _RELU}
    page.replace(PAGE, "dual", dual_table(dual))
    if chosen.data is not None:
        deep(chosen.data)


def deep(root: Path) -> None:
    """Measure the deep network on other data, with several seeds; the first seed gets a table."""
    measured = {}
    for data in DEEP_DATA:
        test = datasets.load(data, "test", root / data).head(DEEP_IMAGES)
        for seed in SEEDS:
            model = trained(DEEP, data, root / data, seed, **RECIPE)
            measured[data, seed] = (model, measure(DEEP, model, test))
    first = {data: measured[data, SEEDS[0]][1] for data in DEEP_DATA}
    page.replace(PAGE, "deep", dual_table(first))
    page.replace(PAGE, "seeds", seed_table(measured))


def measure(name: str, model: Trained, test: Dataset, no_cycles: bool = False) -> list[Row]:
    """Return all runs of a network."""
    lanes = shared_lanes(convert(model.model))
    rows = []
    for steps in STEPS:
        for variant in VARIANTS[name]:
            network = convert(
                model.model,
                transport=variant.transport,
                neuron=variant.neuron,
                timesteps=steps,
                **variant.options,
            )
            images = test.images_for(network.input).astype(np.int64)
            result = activity(network, images, test.labels)
            clock = None
            if name in CLOCKED and steps in CLOCKED_STEPS and not no_cycles:
                config = HardwareConfig(lanes, time=variant.time, counters=True)
                clock = cycles(network, images[:SIMULATED], config, CACHE / "sim")
            rows.append(Row(variant, steps, result, clock))
            accuracy = _percent(result.accuracy)
            print(f"{name}, T = {steps}, {variant.label}: {accuracy} %", flush=True)
    return rows


def lane_table(measured: Sequence[Cells]) -> str:
    """Return the table of each neuron unit's cost."""
    rows = []
    for unit, cells in zip(UNITS, measured, strict=True):
        figures = (
            cells.lut4,
            cells.ccu2c,
            cells.equivalents,
            cells.ecp5_ff,
            cells.ice40_lut,
            cells.ice40_carry,
            cells.ice40_ff,
            unit.plan().cycles,
        )
        rows.append((unit.label, unit.sends, *map(_whole, figures)))
    return page.table(LANE_HEADER, rows)


def adder_table(measured: Sequence[Cells]) -> str:
    """Return the table of an element's cost, by the values that it reads."""
    rows = []
    for adder, cells in zip(ADDERS, measured, strict=True):
        values = adder.plan(1).values
        counted = (cells.lut4, cells.ccu2c, cells.equivalents, cells.ecp5_ff, cells.ice40_lut)
        reach = f"{values.low} to {values.high}"
        figures = (f"{x:.1f}" for x in counted)
        rows.append((adder.kind, adder.transport, reach, str(values.width), *figures))
    return page.table(ADDER_HEADER, rows)


def together_table(units: Sequence[Cells], adders: Sequence[Cells]) -> str:
    """Return the table of a neuron's cost with the element that reads it, compared to ``if``."""
    by_unit = {(u.label, u.sends): cells.equivalents for u, cells in zip(UNITS, units, strict=True)}
    whole = {
        adder: (by_unit[adder.kind, adder.transport], cells.equivalents)
        for adder, cells in zip(ADDERS, adders, strict=True)
    }
    base = sum(whole[Adder("if", "spikes")])
    rows = [
        (
            adder.kind,
            adder.transport,
            _whole(unit),
            _whole(element),
            _whole(unit + element),
            _ratio(unit + element, base),
        )
        for adder, (unit, element) in whole.items()
    ]
    return page.table(TOGETHER_HEADER, rows)


def run_table(rows: Sequence[Row]) -> str:
    """Return the table of a network's work with each neuron at each T."""
    return page.table(
        RUN_HEADER,
        [
            (
                str(row.steps),
                row.variant.label,
                row.variant.transport,
                _percent(row.result.accuracy),
                _whole(row.result.events),
                _whole(row.result.total),
                "-" if row.cycles is None else _whole(row.cycles),
            )
            for row in rows
        ],
    )


def dual_table(runs: Mapping[str, Sequence[Row]]) -> str:
    """Return the table that compares dual with if, at T and at 2T, and with counts at T."""
    rows = []
    for name, measured in runs.items():
        by = {(row.variant.label, row.steps): row.result for row in measured}
        for steps in STEPS:
            one, two = by["if", steps], by["dual", steps]
            longer, count = by.get(("if", 2 * steps)), by["ladder", steps]
            rows.append(
                (
                    name,
                    str(steps),
                    _percent(one.accuracy),
                    _percent(two.accuracy),
                    f"{100 * (two.accuracy - one.accuracy):+.2f}",
                    _ratio(two.events, one.events),
                    _ratio(two.total, one.total),
                    "-" if longer is None else _percent(longer.accuracy),
                    "-" if longer is None else _ratio(longer.total, one.total),
                    _percent(count.accuracy),
                    _ratio(count.total, one.total),
                )
            )
    return page.table(DUAL_HEADER, rows)


def seed_table(measured: Mapping[tuple[str, int], tuple[Trained, Sequence[Row]]]) -> str:
    """Return the table of the accuracies with several seeds."""
    rows = []
    for (data, seed), (model, runs) in measured.items():
        by = {(row.variant.label, row.steps): row.result.accuracy for row in runs}
        assert model.quantized_accuracy is not None
        cells = [
            ", ".join(_percent(by[label, steps]) for label in ("if", "dual", "ladder"))
            for steps in STEPS
        ]
        rows.append((data, str(seed), _percent(model.quantized_accuracy), *cells))
    return page.table(SEED_HEADER, rows)


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _ratio(value: float, base: float) -> str:
    return f"{value / base:.2f}x"


if __name__ == "__main__":
    main()
