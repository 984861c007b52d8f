"""Options that choose hardware, for all commands that generate, build or simulate it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.hw.options import MOST_WORD_VALUES, SLOTS, TimeMode
from spikeloom.sw.cli.common import parse_per_layer, shape_text, table
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Network

if TYPE_CHECKING:
    from rich.table import Table

    from spikeloom.hw.planning import HardwareConfig


@dataclass(frozen=True)
class HardwareOptions:
    """The values of these options.

    Parameters
    ----------
    lanes, events : str or None
        M and E: a number, or numbers by layer.
    slots : int
        Values that each of the E event generators searches in one clock cycle.
    units : str or None
        U, the neuron units: a number, or numbers by layer.
    time : str
        One of the values of :class:`~spikeloom.hw.options.TimeMode`.
    planes : str, optional
        P of layers that are unrolled, by layer.
    copies : str, optional
        C of layers whose engine has copies, by layer.
    plan : path, optional
        File with the choices for every layer, in place of the others.
    compact : bool
        Whether engines are without what only serves pace and clock.
    """

    lanes: str | None = None
    events: str | None = None
    slots: int = SLOTS
    units: str | None = None
    time: str = TimeMode.AUTO.value
    planes: str | None = None
    copies: str | None = None
    plan: Path | None = None
    compact: bool = False

    def config(
        self, network: Network, *, debug: bool = False, counters: bool = False
    ) -> HardwareConfig:
        """Return the hardware's configuration with these options.

        Raises
        ------
        ConfigError
            If a number is wrong, or the plan is for another network or comes with other choices.
        FileFormatError
            If the plan file cannot be read.
        """
        from spikeloom.hw.planning import HardwareConfig, PlanFile

        if self.plan is not None:
            if replace(self, plan=None) != HardwareOptions():
                raise ConfigError(
                    "--plan has the choices for every layer: leave out --lanes, --events, "
                    "--slots, --units, --time, --planes, --copies and --compact"
                )
            return PlanFile.load(self.plan).for_network(network, debug=debug, counters=counters)
        return HardwareConfig(
            lanes=None if self.lanes is None else parse_per_layer(self.lanes, "lanes"),
            events=None if self.events is None else parse_per_layer(self.events, "events"),
            slots=self.slots,
            units=None if self.units is None else parse_per_layer(self.units, "units"),
            time=self.time,
            planes=_named(self.planes, "planes", "conv1=2", "layers that are named are unrolled"),
            copies=_named(
                self.copies, "copies", "conv2=5", "layers of a single window cannot have several"
            ),
            compact=self.compact,
            debug=debug,
            counters=counters,
        )


def _named(text: str | None, what: str, example: str, reason: str) -> dict[str, int] | None:
    """Return numbers that are given by layer only."""
    if text is None:
        return None
    numbers = parse_per_layer(text, what)
    if isinstance(numbers, int):
        raise ConfigError(
            f"{what} are given by layer, as in {example}, not {numbers} for all of them: {reason}"
        )
    return numbers


def hardware_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--plan`` and the options of :class:`HardwareOptions`, all together as ``hardware``."""

    @click.option(
        "--plan",
        "plan_file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Choices for every layer, as `spikeloom plan` has written them, in place of the "
        "options below.",
    )
    @click.option(
        "--lanes",
        metavar="M",
        help="Output channels that a layer computes at once: a number for all layers, or numbers "
        "by layer, as in conv1=8,fc=4. Layers that are not named are chosen by the planner.",
    )
    @click.option(
        "--events",
        metavar="E",
        help="Events (spikes, or digits of counts and pixels) that a layer adds to every lane in "
        "one clock cycle: a number, or numbers by layer.",
    )
    @click.option(
        "--slots",
        type=click.IntRange(1, MOST_WORD_VALUES),
        default=SLOTS,
        show_default=True,
        metavar="S",
        help="Values that are searched for non-zeros in one clock cycle, for each of the E events: "
        "fewer take less logic and memory, and perhaps more cycles.",
    )
    @click.option(
        "--units",
        metavar="U",
        help="Neuron units of a layer, each of which serves as many of its lanes, one after "
        "another: a number, or numbers by layer. Layers that are not named have as few as are "
        "fast enough.",
    )
    @click.option(
        "--time",
        type=click.Choice([mode.value for mode in TimeMode]),
        default=TimeMode.AUTO.value,
        show_default=True,
        help="How neurons go through the timesteps of a constant current: one by one, or folded "
        "into a division, which takes a logarithmic number of cycles; auto folds where the loop "
        "would be the slowest part.",
    )
    @click.option(
        "--planes",
        metavar="LAYER=P,...",
        help="Unroll layers: their weights become logic, and they add up P bit planes of the "
        "values under a kernel in one clock cycle, whatever these are. For a layer of pixels that "
        "is the slowest.",
    )
    @click.option(
        "--copies",
        metavar="LAYER=C,...",
        help="Copies of a layer's engine, each of which computes every C-th window of a row of its "
        "output. For a layer that is the slowest and has all its lanes.",
    )
    @click.option(
        "--compact",
        is_flag=True,
        help="Leave out registers and queues that only serve pace and clock, for the smallest "
        "FPGAs: layers with one event per cycle and one connection take fewer cells, and words "
        "of zeros take a cycle each.",
    )
    @functools.wraps(function)
    def chosen(
        *arguments: Any,
        lanes: str | None,
        events: str | None,
        slots: int,
        units: str | None,
        time: str,
        planes: str | None,
        copies: str | None,
        compact: bool,
        plan_file: Path | None,
        **options: Any,
    ) -> Any:
        hardware = HardwareOptions(
            lanes, events, slots, units, time, planes, copies, plan_file, compact
        )
        return function(*arguments, hardware=hardware, **options)

    return chosen


def hardware_table(sidecar: dict[str, Any]) -> Table:
    """Return a table of the engines that a sidecar describes."""
    engines = table(
        "layer",
        "shape",
        "neuron",
        "#T",
        "#lanes M",
        "#events E",
        "#units U",
        "#copies C",
        "#groups",
        "#v bits",
        "sends",
        "time",
        "buffers",
    )
    for layer in sidecar["layers"]:
        engines.add_row(
            layer["name"],
            shape_text(layer["shape"]),
            layer["neuron"],
            *(str(layer[key]) for key in ("timesteps", "lanes")),
            f"{layer['planes']} planes" if "planes" in layer else str(layer["events"]),
            str(layer["units"]),
            str(layer.get("copies", 1)),
            str(layer["groups"]),
            str(layer["tap"]["potential"]["width"]),
            layer["sends"],
            _time_text(layer),
            "\n".join(f"{b['source']}: {b['rows']} rows" for b in layer["buffers"]),
        )
    return engines


def _time_text(layer: dict[str, Any]) -> str:
    """Return, in words, how a layer goes through its timesteps."""
    if layer["folded"]:
        return "folded"
    steps = layer["steps_per_cycle"]
    return f"{steps} a cycle" if steps > 1 else "loop"
