"""Growth in docs/benchmarks.md: what it costs to generate and to build a simulator."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import page, pictures
from benchmarks.memories import BUILD, GENERATE, measured, wide
from spikeloom.sw import network

#: Numbers of source values, and of neurons.
FEATURES = (128, 256, 512, 1024)


@dataclass(frozen=True)
class Cost:
    """Seconds of processor, and the largest memory of one process in MB.

    Parameters
    ----------
    generate, build : (float, float)
        To generate Verilog; and for Verilator and the compiler.
    """

    generate: tuple[float, float]
    build: tuple[float, float]

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.generate[0] + self.build[0]

    @property
    def megabytes(self) -> float:
        """The larger one."""
        return max(self.generate[1], self.build[1])


def cost(features: int) -> Cost:
    """Generate and build a network of ``features`` source values and as many neurons."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        saved, verilog = folder / "net.safetensors", folder / "net.v"
        network.save(wide(features), saved)
        generated = measured(GENERATE, saved, verilog, "auto")
        return Cost(generated, measured(BUILD, verilog, saved, folder / "sim"))


def growth() -> str:
    """Draw how time and memory grow with the number of weights, and return their table."""
    weights = [features * (features + 10) for features in FEATURES]
    costs = []
    for number, features in zip(weights, FEATURES, strict=True):
        found = cost(features)
        costs.append(found)
        print(
            f"{number:,} weights: {found.seconds:.1f} s of processor to generate and build, "
            f"{found.megabytes:.0f} MB",
            flush=True,
        )
    first = costs[0]
    times = [
        [one.generate[0] / first.generate[0] for one in costs],
        [one.build[0] / first.build[0] for one in costs],
    ]
    memory = [[one.generate[1] for one in costs], [one.build[1] for one in costs]]
    drawn, places = pictures.figure(
        ("weights", "processor time / that of the first"), ("weights", "memory, MB")
    )
    for axes, lines in zip(places, (times, memory), strict=True):
        for name, line in zip(("generate", "Verilator and compiler"), lines, strict=True):
            axes.semilogx(weights, line, "o-", label=name)
        axes.set_ylim(bottom=0)
        axes.legend()
        pictures.plain(axes.xaxis)
    pictures.save(drawn, "growth")
    rows = [
        [f"{number:,}", f"{t:.2f}", f"{m:,.0f}", f"{bt:.2f}", f"{bm:,.0f}", f"{share:.2f}"]
        for number, t, m, bt, bm, share in zip(
            weights,
            *(times[0], memory[0], times[1], memory[1]),
            [one.seconds / first.seconds for one in costs],
            strict=True,
        )
    ]
    head = (
        *("#weights", "#generate, time / the first", "#memory, MB"),
        *("#Verilator and compiler, time / the first", "#memory, MB", "#all, time / the first"),
    )
    return page.table(head, rows)
