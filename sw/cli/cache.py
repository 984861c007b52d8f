"""``spikeloom cache``: list and clear what is kept to save the time of making it again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw.cli.common import age_text, size_text, table
from spikeloom.sw.cli.output import console, json_option, print_json, say

if TYPE_CHECKING:
    from spikeloom.sim.kept import Kept

#: What is kept, and what for; the names are those that ``--only`` takes.
PURPOSES = {
    "design": "generated Verilog, for the next cosimulation of the same hardware",
    "simulator": "programs that Verilator made of it",
    "library": "Verilator's library, compiled, for all simulators",
    "log": "logs of simulators that could not be built",
    "leftover": "unfinished builds of commands that were killed",
    "notes": "data sets whose files were compared with the published ones",
}
_DAY = 24 * 60 * 60


@click.command()
@click.option("--clear", is_flag=True, help="Remove it, not only list it.")
@click.option(
    "--only",
    type=click.Choice(tuple(PURPOSES)),
    multiple=True,
    help="List or remove this alone; may be given several times.",
)
@click.option(
    "--unused",
    type=click.FloatRange(0),
    metavar="DAYS",
    help="List or remove only what was not used for so many days.",
)
@click.option(
    "--build-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Folder of simulators, as given to `cosim`.  [default: build/sim, and the folders that "
    "demos have left in build/*/sim]",
)
@click.option(
    "--cache-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Folder of notes on data sets.  [default: $XDG_CACHE_HOME/spikeloom or "
    "~/.cache/spikeloom]",
)
@json_option
def command(
    clear: bool,
    only: tuple[str, ...],
    unused: float | None,
    build_dir: Path | None,
    cache_dir: Path | None,
    as_json: bool,
) -> None:
    """List and clear what Spikeloom keeps to save the time of making it again.

    Simulators and their Verilog lie where they were built; notes on data sets, in the user's folder
    for caches, which the config file may name. All of it may be removed at any time: the next
    command that needs something makes it anew. A simulator that runs now is not removed. Nothing
    else in these folders is touched: networks, trainings and bitstreams are yours.

    \b
        spikeloom cache
        spikeloom cache --clear --unused 30
        spikeloom cache --clear --only simulator --build-dir build/board/sim
    """
    now = time.time()
    found = [
        entry
        for entry in _entries(build_dir, cache_dir)
        if (not only or entry.kind in only)
        and (unused is None or now - entry.used >= unused * _DAY)
    ]
    busy = [entry for entry in found if clear and entry.busy]
    removed = [entry for entry in found if clear and not entry.busy]
    for entry in removed:
        entry.remove()
    if as_json:
        print_json(
            {
                "entries": [entry.record(now) for entry in found],
                "removed": len(removed),
                "freed": sum(entry.size for entry in removed),
            }
        )
    if clear:
        for entry in busy:
            say(f"{entry.path} stays: a simulation runs in it")
        say(f"removed {_amount(removed)}")
        return
    _show(found, now)


@dataclass(frozen=True)
class _Entry:
    """Something that is kept; ``of`` is the build's, None for the notes."""

    kind: str
    path: Path
    size: int
    used: float
    busy: bool = False
    of: Kept | None = None

    def remove(self) -> None:
        if self.of is None:
            self.path.unlink(missing_ok=True)
        else:
            self.of.remove()

    def record(self, now: float) -> dict[str, Any]:
        days = round(max(now - self.used, 0) / _DAY, 3)
        about = {"kind": self.kind, "path": str(self.path), "bytes": self.size}
        return {**about, "unused_days": days, "busy": self.busy}


def _entries(build_dir: Path | None, cache_dir: Path | None) -> Iterator[_Entry]:
    from spikeloom.sim.kept import kept
    from spikeloom.sw.datasets.seen import notes_file

    build = Path("build")
    for folder in (
        [build / "sim", *sorted(build.glob("*/sim"))] if build_dir is None else [build_dir]
    ):
        for one in kept(folder):
            yield _Entry(one.kind, one.path, one.size, one.used, one.busy, one)
    try:
        notes = notes_file(cache_dir)
        about = notes.stat()
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return
    yield _Entry("notes", notes, about.st_size, about.st_mtime)


def _show(found: list[_Entry], now: float) -> None:
    """Print a row for each folder and kind, and a sum."""
    rows = table("kept", "in", "#number", "#size", "last used", "for")
    groups: dict[tuple[Path, str], list[_Entry]] = {}
    for entry in found:
        groups.setdefault((entry.path.parent, entry.kind), []).append(entry)
    for (folder, kind), entries in groups.items():
        newest, oldest = (age_text(now - f(x.used for x in entries)) for f in (max, min))
        rows.add_row(
            kind,
            str(folder),
            f"{len(entries):,}",
            size_text(sum(entry.size for entry in entries)),
            newest if newest == oldest else f"{newest} to {oldest}",
            PURPOSES[kind],
        )
    if found:
        console().print(rows)
        say(f"{_amount(found)}; `spikeloom cache --clear` removes it")
    else:
        say("nothing is kept")


def _amount(entries: list[_Entry]) -> str:
    size = size_text(sum(entry.size for entry in entries))
    return f"{len(entries):,} {'entry' if len(entries) == 1 else 'entries'}, {size}"
