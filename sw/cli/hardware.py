"""Options that choose hardware, shared by ``generate``, ``cosim`` and ``demo``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from spikeloom.sw.cli.common import parse_per_layer, shape_text, table

if TYPE_CHECKING:
    from rich.table import Table

    from spikeloom.hw.config import HardwareConfig

#: Ways of going through timesteps; here, so that ``--help`` need not import the hardware.
TIMES = ("auto", "loop", "fold")

_Command = TypeVar("_Command", bound=Callable[..., Any])


def hardware_options(function: _Command) -> _Command:
    """Add ``--lanes``, ``--events`` and ``--time``."""
    function = click.option(
        "--time",
        type=click.Choice(TIMES),
        default="auto",
        show_default=True,
        help="How neurons go through the timesteps of a constant current: one by one, or folded "
        "into a division, which takes a logarithmic number of cycles; auto folds where the loop "
        "would be the slowest part.",
    )(function)
    function = click.option(
        "--events",
        metavar="E",
        help="Events (spikes, or digits of counts and pixels) that a layer adds to every lane in "
        "one clock cycle: a number, or numbers by layer.",
    )(function)
    return click.option(
        "--lanes",
        metavar="M",
        help="Output channels that a layer computes at once: a number for all layers, or numbers "
        "by layer, as in conv1=8,fc=4. Layers that are not named are chosen by the planner.",
    )(function)


def hardware_config(
    lanes: str | None,
    events: str | None,
    time: str = "auto",
    *,
    debug: bool = False,
    counters: bool = False,
) -> HardwareConfig:
    """Return the configuration that the options spell."""
    from spikeloom.hw.config import HardwareConfig

    return HardwareConfig(
        lanes=None if lanes is None else parse_per_layer(lanes, "lanes"),
        events=None if events is None else parse_per_layer(events, "events"),
        time=time,
        debug=debug,
        counters=counters,
    )


def hardware_table(sidecar: dict[str, Any]) -> Table:
    """Return a table of the engines that a sidecar describes."""
    made = table(
        "layer",
        "shape",
        "neuron",
        "#T",
        "#lanes M",
        "#events E",
        "#groups",
        "#v bits",
        "sends",
        "time",
        "buffers",
    )
    for layer in sidecar["layers"]:
        made.add_row(
            layer["name"],
            shape_text(layer["shape"]),
            layer["neuron"],
            *(str(layer[key]) for key in ("timesteps", "lanes", "events", "groups")),
            str(layer["tap"]["potential"]["width"]),
            layer["sends"],
            _time_text(layer),
            "\n".join(f"{b['source']}: {b['rows']} rows" for b in layer["buffers"]),
        )
    return made


def _time_text(layer: dict[str, Any]) -> str:
    """Return how a layer goes through its timesteps."""
    if layer["folded"]:
        return "folded"
    steps = layer["steps_per_cycle"]
    return f"{steps} a cycle" if steps > 1 else "loop"
