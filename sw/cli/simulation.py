"""Progress bars and tables of a simulation, shared by ``cosim``, ``demo`` and ``run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from spikeloom.sw.cli.common import console, table

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from spikeloom.sim.report import CosimReport

_STAGES = {
    "run": "running images",
    "build": "building simulator",
    "simulate": "simulating images",
    "compare": "comparing images",
}


class StageBars:
    """Progress bars of a run, one for each stage; a :data:`~spikeloom.sim.cosim.Progress`.

    Parameters
    ----------
    progress : rich.progress.Progress
        Display that the bars are added to.
    suffix : str
        Text after the name of each stage.
    """

    def __init__(self, progress: Progress, suffix: str = "") -> None:
        self._progress = progress
        self._suffix = suffix
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` parts of a stage are done."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(_STAGES[stage] + self._suffix)
        self._progress.update(self._tasks[stage], completed=done, total=total)


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
    if report.stuck is not None:
        text += f"\nthe hardware got stuck: {report.stuck}"
    if report.broken:
        text += f"\nthe output stream changed a waiting logit in {report.broken:,} clock cycles"
    return text


def show(report: CosimReport) -> None:
    """Print the table of layers, the verdict and the speed."""
    console().print(layer_table(report))
    outputs = ", ".join(f"{tally.compared:,} {name}" for name, tally in report.output.items())
    click.echo(f"output stream: {outputs}")
    click.echo(verdict(report))
    if report.measures and report.cycles_per_image is not None:
        click.echo(
            f"{report.cycles_per_image:,.1f} clock cycles per image; the first takes "
            f"{report.latency:,}"
        )
