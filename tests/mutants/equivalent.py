"""Survivors that no test can kill, each with the reason."""

from __future__ import annotations

import linecache
from pathlib import Path

from mutants.records import Result

ROOT = Path(__file__).parents[2]
#: The mutant widens a register or a port, and the bits that it gains are never anything but 0.
WIDER = "wider by a bit that is always 0"
#: Reasons by file, text of the line, and operator (with its number, if the line has several).
EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("hw/axi/plan.py", "held += 2 + max(", "more"): (
        "an estimate from above, which is rounded up: there is room for more images than needed"
    ),
    ("hw/engine/buffer.py", '"enable": In(1),', "more"): WIDER,
    ("hw/engine/pe.py", "so_far = (1 << level) - 1", "more-2"): (
        "a term is wider by a bit that repeats its sign, and has the same value"
    ),
    ("hw/engine/reader.py", '"base": range(max(depth, 2)),', "more"): WIDER,
    ("hw/engine/reader.py", '"last": 1,', "more"): WIDER,
    ("hw/engine/scanner.py", '"release": Out(range(buffer.capacity + 1)),', "more"): WIDER,
    ("hw/engine/walk.py", "width = max(max(values).bit_length(), 1)", "less"): (
        "a constant 0 that has no bits is still 0"
    ),
    ("hw/link/scheduler.py", '"logit_address": Out(plan.label_bits + 1),', "more"): WIDER,
    ("hw/link/server.py", '"clear": Out(1),', "more"): WIDER,
    (
        "sim/records.py",
        "differing = (words[:, word] ^ expected[:, word]).reshape(-1, len(mask)) & mask[:, word]",
        "more",
    ): "numpy takes any negative length for the one that is left to it",
    (
        "sw/conversion/fitting.py",
        "int(side.missed(np.array([theta]), np.array([b]), 0)[0, 0])",
        "more",
    ): "the current is always 0 there, in whatever fraction of a bit it is counted",
    (
        "sw/golden/model.py",
        "return max(1, min(_MOST_PER_BATCH, _BATCH_BYTES // (8 * largest)))",
        "more-2",
    ): "the number of images that are computed together, which changes no value",
    (
        "sw/link/exchange.py",
        "self._sequence = (self._sequence + 1) % _SEQUENCES",
        "more",
    ): "a sequence number has to differ from those before, and does",
}


def text(result: Result) -> str:
    """Return the line of the source that a mutant changes."""
    line = int(result.mutant.split(":")[1])
    return linecache.getline(str(ROOT / result.file), line).strip()


def reason(result: Result) -> str:
    """Return why a survivor computes the same as the source, or nothing."""
    return EQUIVALENT.get((result.file, text(result), result.mutant.split(":")[2]), "")
