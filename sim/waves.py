"""Waveforms: the hardware's signals over one image, and the order in which a viewer shows them.

A simulator that is built to be traced (:func:`traced`) writes every signal. The names that the
Verilog backend has made up for intermediate results (with a ``$``) say nothing to anybody, and are
left out (:func:`named`). Beside the file, a save file for GTKWave groups the signals by layer
(:func:`view`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikeloom.sim.bench import HARNESS
from spikeloom.sim.design import Design
from spikeloom.sim.engines import Builder
from spikeloom.sim.job import Job, Outcome, Progress
from spikeloom.sim.native import NativeSimulator, built
from spikeloom.sim.part import Simulator
from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.files import replacing, write_text

#: File that a traced simulator writes, in the folder that it runs in.
_WRITTEN = "waves.vcd"
#: Nanoseconds that a clock cycle takes in the file.
CYCLE = 10
#: Suffix of a save file.
VIEW = ".gtkw"

#: Instances of a layer that the view shows, from its input to its output.
_PARTS = ("reader", "events", "gather", "pes", "population")
#: Signals of an instance that the view shows: its streams, with the fields of their payloads, and
#: whether it works.
_SHOWN = re.compile(r"(?:[io]\d*__(?:valid|ready|payload(?:\.[a-z]\w*)?)|busy|starved|blocked)$")
#: GTKWave's flags: numbers in hexadecimal, one bit, begin and end of a group.
_HEX, _BIT, _OPEN, _CLOSE = "@22", "@28", "@800200", "@1000200"


@dataclass(frozen=True)
class TracedSimulator(NativeSimulator):
    """A simulator that writes its signals to a file, in the format VCD.

    Parameters
    ----------
    file : Path
        Where the waveforms of a run go; its view is beside it.
    """

    file: Path

    def run(
        self,
        folder: Path,
        job: Job,
        *,
        plusargs: Sequence[str] = (),
        report: Callable[[Progress], object] = lambda progress: None,
    ) -> Outcome:
        """Simulate a job; see :meth:`spikeloom.sim.native.NativeSimulator.run`.

        Raises
        ------
        FileFormatError
            If the waveforms cannot be written; whatever was there before stays.
        """
        outcome = super().run(folder, job, plusargs=plusargs, report=report)
        with (
            open(folder / _WRITTEN, encoding="ascii") as lines,
            replacing(self.file) as temporary,
            open(temporary, "w", encoding="ascii") as kept,
        ):
            kept.writelines(named(lines))
        with open(self.file, encoding="ascii") as lines:
            bits = signals(lines)
        write_text(self.file.with_suffix(VIEW), view(self.design, self.file, bits))
        return outcome


def traced(file: Path) -> Builder:
    """Return an engine for :class:`spikeloom.sim.Cosimulator` that writes waveforms.

    Parameters
    ----------
    file : Path
        A file with the suffix ``.vcd``. Every run writes it anew, so give a run one image.

    Raises
    ------
    FileFormatError
        If the file has another suffix.
    """
    if file.suffix != ".vcd":
        raise FileFormatError(f"waveforms are written as VCD: name the file {file.stem}.vcd")

    def build(
        design: Design, root: str | Path, poll: Callable[[], object] | None = None
    ) -> Simulator:
        return TracedSimulator(design, built(design, root, poll, trace=True), file)

    return build


def named(lines: Iterable[str]) -> Iterator[str]:
    """Leave out of a VCD file the signals whose names have a ``$``, and their values.

    Parameters
    ----------
    lines : iterable of str
        Each with its line break.
    """
    kept: set[str] = set()
    rest = iter(lines)
    for line in rest:
        words = line.split()
        if words[:1] == ["$var"]:
            if "$" in words[4]:
                continue
            kept.add(words[3])
        yield line
        if words[:1] == ["$enddefinitions"]:
            break
    for line in rest:
        # A value of several bits has its signal's code behind a space, one bit right before it.
        code = line.split()[-1] if line[0] in "br" else line[1:].strip()
        if line[0] in "#$" or not code or code in kept:
            yield line


def signals(lines: Iterable[str]) -> dict[str, int]:
    """Return the number of bits of each signal of a VCD file, by its path with dots between."""
    found: dict[str, int] = {}
    scopes: list[str] = []
    for line in lines:
        words = line.split()
        if words[:1] == ["$scope"]:
            scopes.append(words[2])
        elif words[:1] == ["$upscope"]:
            scopes.pop()
        elif words[:1] == ["$var"]:
            found[".".join([*scopes, words[4]])] = int(words[2])
        elif words[:1] == ["$enddefinitions"]:
            break
    return found


def view(design: Design, file: Path, bits: dict[str, int]) -> str:
    """Return a save file for GTKWave, which shows the streams and each layer as a group.

    Parameters
    ----------
    design : Design
    file : Path
        The waveforms.
    bits : dict of str to int
        All signals, as :func:`signals` returns them.
    """
    harness = f"TOP.{HARNESS}"
    accelerator = f"{harness}.accelerator"
    lines = [f'[dumpfile] "{file.resolve()}"', f'[savefile] "{file.with_suffix(VIEW).resolve()}"']
    lines += [f"[treeopen] {harness}.", f"[treeopen] {accelerator}."]
    lines += _shown([f"{harness}.{name}" for name in ("clk", "cycle", "rst")], bits)
    streams = ("i_valid", "i_ready", "i_payload", "o_valid", "o_ready", "o_payload")
    lines += _group("input and output", [f"{harness}.{name}" for name in streams], bits)
    for layer in design.layers:
        place = f"{accelerator}.layer_{layer.name}"
        lines += [_OPEN, f"-{layer.name}"]
        taps = [f"{accelerator}.tap__{layer.name}__{tap}" for tap in ("step", "sent")]
        values = [
            f"{accelerator}.tap__{layer.name}__{tap}" for tap in ("spike", "potential", "value")
        ]
        counters = [
            path for path in bits if path.startswith(f"{accelerator}.counters__{layer.name}__")
        ]
        lines += _shown([*taps, *values, *counters], bits)
        lines += _shown([path for path in bits if _is_shown(path, place)], bits)
        for part in _PARTS:
            places = sorted(
                {path.rpartition(".")[0] for path in bits if _is_part(path, place, part)}
            )
            for one in places:
                shown = [path for path in bits if _is_shown(path, one)]
                lines += _group(one.removeprefix(f"{place}."), shown, bits)
        lines += [_CLOSE, f"-{layer.name}"]
    return "\n".join(lines) + "\n"


def _is_shown(path: str, place: str) -> bool:
    """Return whether a path is that of a shown signal right in an instance."""
    return path.startswith(f"{place}.") and bool(_SHOWN.match(path[len(place) + 1 :]))


def _is_part(path: str, place: str, part: str) -> bool:
    """Return whether a path is that of a signal right in one of an instance's numbered parts."""
    return bool(re.match(rf"{re.escape(place)}\.{part}\d*\.[^.]+$", path))


def _group(name: str, paths: Sequence[str], bits: dict[str, int]) -> list[str]:
    """Return the lines of a group of signals; none if it is empty."""
    shown = _shown(paths, bits)
    return [_OPEN, f"-{name}", *shown, _CLOSE, f"-{name}"] if shown else []


def _shown(paths: Sequence[str], bits: dict[str, int]) -> list[str]:
    """Return the lines of those signals that there are."""
    lines = []
    for path in paths:
        if path in bits:
            width = bits[path]
            lines += [_BIT, path] if width == 1 else [_HEX, f"{path}[{width - 1}:0]"]
    return lines
