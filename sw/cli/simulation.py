"""The folder of built simulators, as an option, and tables of a simulation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw.cli.common import table
from spikeloom.sw.cli.output import console, say

if TYPE_CHECKING:
    from rich.table import Table

    from spikeloom.sim.report import CosimReport


def build_dir_option(use: str = "to be used again") -> Callable[[Any], Any]:
    """Return a decorator that adds ``--build-dir``; ``use`` ends the sentence of its help."""
    return click.option(
        "--build-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("build/sim"),
        show_default=True,
        help=f"Where built simulators are kept, {use}.",
    )


def layer_table(report: CosimReport) -> Table:
    """Return a table of each layer's compared values, differences and counters.

    Cycles are omitted if random stalls distorted them.
    """
    quantities = list(dict.fromkeys(name for layer in report.layers for name in layer.tallies))
    columns = ["layer", *(f"#{name}" for name in quantities), "#differing"]
    if report.measures:
        columns += ["#events", "#cycles", "#utilisation"]
    rows = table(*columns)
    for layer in report.layers:
        row = [layer.name]
        for name in quantities:
            row.append(f"{layer.tallies[name].compared:,}" if name in layer.tallies else "-")
        row.append(f"[{'red' if layer.differing else 'green'}]{layer.differing:,}[/]")
        if report.measures:
            row += [
                f"{layer.counters[name]:,}" if name in layer.counters else "-"
                for name in ("events", "cycles")
            ]
            row.append("-" if layer.utilisation is None else f"{layer.utilisation:.3f}")
        rows.add_row(*row)
    return rows


def verdict(report: CosimReport) -> str:
    """Return a few lines that say whether hardware and golden model agree."""
    stalls = (
        "" if report.measures else f", stalls {report.stalls[0]:g} in, {report.stalls[1]:g} out"
    )
    text = (
        f"{report.images} images{stalls}: {report.compared:,} values compared, "
        f"{report.differing:,} differ"
    )
    if report.divergence is not None:
        text += f"\nfirst: {report.divergence}"
    if report.compared < report.due:
        text += f"\nonly {report.compared:,} of {report.due:,} values were compared"
    if report.stuck is not None:
        text += f"\nthe hardware got stuck: {report.stuck}"
    if report.broken:
        text += f"\nthe output stream changed a waiting logit in {report.broken:,} clock cycles"
    return text


def show(report: CosimReport) -> None:
    """Print the table of layers, the verdict and the speed."""
    console().print(layer_table(report))
    outputs = ", ".join(f"{tally.compared:,} {name}" for name, tally in report.output.items())
    say(f"output stream: {outputs}")
    say(verdict(report))
    if report.measures and report.cycles_per_image is not None:
        say(
            f"{report.cycles_per_image:,.1f} clock cycles per image; the first takes "
            f"{report.latency:,}"
        )
