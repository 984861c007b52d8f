"""Mutants that have survived once, written by hand. They are tried whatever the seed is."""

from __future__ import annotations

#: File, text, and the text in its place, which is a fault.
KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        "hw/neurons/signed.py",
        "2 * spec.ranges.potential.high + 1",
        "2 * spec.ranges.potential.high",
    ),
    ("sim/scoreboard.py", "min(found, key=lambda one: one[0])[1]", "found[0][1]"),
    # The elements were busy in each stage of their pipeline, and stood still in the last one.
    ("hw/engine/pe.py", "self.busy.eq(valid.any())", "self.busy.eq(valid[1:].any())"),
    ("hw/engine/pe.py", "self.busy.eq(valid.any())", "self.busy.eq(valid[:-1].any())"),
    (
        "hw/engine/pe.py",
        "self.busy.eq(valid.any())",
        "self.busy.eq(valid[0] | valid[2:].any())",
    ),
    (
        "hw/engine/pe.py",
        "advance.eq(~(end[-2] | ~advance) | self.taking)",
        "advance.eq(~end[-2] | self.taking)",
    ),
)
