"""The files that get mutants, and the mutants chosen of all that are possible."""

from __future__ import annotations

import ast
import hashlib
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mutants.known import KNOWN
from mutants.operators import Fault, apply, faults
from mutants.records import Result

#: Folders and files that get mutants: what computes a network's values, in torch and in hardware,
#: what compares them, and the host's side of the link.
SUBJECTS = (
    "sw/golden",
    "sw/spiking",
    "sw/conversion",
    "hw/values",
    "hw/neurons",
    "hw/engine",
    "hw/link",
    "hw/axi",
    "hw/accelerator.py",
    "hw/device.py",
    "hw/selftest.py",
    "hw/verilog.py",
    "sw/link",
    "sim/scoreboard.py",
    "sim/divergence.py",
    "sim/order.py",
    "sim/records.py",
)
#: Mutants of a file, at least, if it has as many.
LEAST = 2
SEED = 1


@dataclass(frozen=True)
class Mutant:
    """A fault of a file.

    Parameters
    ----------
    file : str
        Path from the root.
    name : str
        ``file:line:operator``, followed by a number if a line has several.
    line : int
    function : str
        The outermost function around it.
    before, after : str
        What is changed, and into what.
    source : str
        The file's text without the fault.
    fault : Fault or None
        None for one that is written by hand.
    """

    file: str
    name: str
    line: int
    function: str
    before: str
    after: str
    source: str
    fault: Fault | None

    @property
    def digest(self) -> str:
        """A digest of the file and of the change."""
        return _digest(self.source, self.before, self.after)

    def tree(self) -> ast.Module:
        """Return the syntax tree of the file with the fault."""
        if self.fault:
            return apply(self.source, self.fault)
        return ast.parse(self.source.replace(self.before, self.after))


def _digest(source: str, before: str, after: str) -> str:
    return hashlib.sha256("\0".join((source, before, after)).encode()).hexdigest()[:16]


def digest_of(root: Path, result: Result) -> str:
    """Return the digest that a mutant of a result has in the source as it is now."""
    path = root / result.file
    source = path.read_text(encoding="utf-8") if path.exists() else ""
    return _digest(source, result.before, result.after)


def files(root: Path, subjects: Iterable[str] = SUBJECTS) -> list[str]:
    """Return the paths of all files that get mutants."""
    found = []
    for subject in subjects:
        path = root / subject
        paths = sorted(path.glob("*.py")) if path.is_dir() else [path]
        found += [p.relative_to(root).as_posix() for p in paths if p.name != "__init__.py"]
    return found


def possible(root: Path, file: str) -> list[Mutant]:
    """Return all mutants of a file."""
    source = (root / file).read_text(encoding="utf-8")
    times: Counter[str] = Counter()
    found = []
    for fault in faults(source):
        name = f"{file}:{fault.line}:{fault.operator}"
        times[name] += 1
        name += f"-{times[name]}" if times[name] > 1 else ""
        one = Mutant(
            file, name, fault.line, fault.function, fault.before, fault.after, source, fault
        )
        found.append(one)
    return found


def written(root: Path, known: Iterable[tuple[str, str, str]] = KNOWN) -> list[Mutant]:
    """Return the mutants that are written by hand.

    Raises
    ------
    ValueError
        If a file does not have the text to be changed, or several times.
    """
    found = []
    for number, (file, before, after) in enumerate(known):
        source = (root / file).read_text(encoding="utf-8")
        if source.count(before) != 1:
            raise ValueError(f"{file} has {before!r} {source.count(before)} times, not once")
        line = source[: source.index(before)].count("\n") + 1
        name = f"{file}:{line}:known-{number + 1}"
        found.append(Mutant(file, name, line, "", before, after, source, None))
    return found


def chosen(root: Path, count: int, seed: int = SEED) -> list[Mutant]:
    """Return about ``count`` mutants; those at the beginning are spread over all files, too.

    A file has as many as its share of all possible mutants. No line has two of one operator.
    """
    by_file = {file: possible(root, file) for file in files(root)}
    total = sum(len(mutants) for mutants in by_file.values())
    placed: list[tuple[float, Mutant]] = [(0.0, one) for one in written(root)]
    for file, mutants in by_file.items():
        number = max(LEAST, round(count * len(mutants) / total))
        order = random.Random(f"{seed} {file}").sample(mutants, len(mutants))
        seen: set[tuple[int, str]] = set()
        mine: list[Mutant] = []
        for one in order:
            assert one.fault is not None
            place = (one.line, one.fault.operator)
            if len(mine) < number and place not in seen:
                seen.add(place)
                mine.append(one)
        placed += [((k + 0.5) / len(mine), one) for k, one in enumerate(mine)]
    return [one for _, one in sorted(placed, key=lambda pair: (pair[0], pair[1].name))]
