"""Objectives: the figures of a trial by which a sweep compares trials."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Objective:
    """A figure, and the direction in which it is better.

    Parameters
    ----------
    title : str
        Its name in tables and pictures, with its unit.
    larger : bool
        Whether larger is better.
    digits : int
        Decimal places that are shown.
    """

    title: str
    larger: bool = False
    digits: int = 0

    def text(self, value: float) -> str:
        """Return a value as a table shows it."""
        return f"{value:,.{self.digits}f}"

    def plain(self) -> dict[str, str]:
        """Return title and better direction as JSON values, for those who only have the file."""
        return {"title": self.title, "better": "larger" if self.larger else "smaller"}


#: All objectives by name; each is a figure of every complete trial.
OBJECTIVES = {
    "accuracy": Objective("accuracy", larger=True, digits=4),
    "cycles": Objective("cycles/image"),
    "latency": Objective("latency (cycles)"),
    "luts": Objective("LUTs"),
    "flipflops": Objective("flip-flops"),
    "rams": Objective("block RAMs"),
    "energy": Objective("energy (nJ)", digits=1),
    "snn_energy": Objective("additions (nJ)", digits=1),
    "timesteps": Objective("mean T", digits=2),
}
