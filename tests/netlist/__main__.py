"""Simulate netlists and a bitstream, compare every answer with golden, and print a table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from netlist.comparison import Comparison, compare
from netlist.design import Design, Made, Verilog, bitstream, made, netlist
from netlist.network import digits, images
from netlist.simulator import MismatchError, require
from spikeloom.hw.config import HardwareConfig
from spikeloom.sw.errors import SpikeloomError

FOLDER = Path("build/netlists")
#: Images that each netlist computes, beside that of its self test.
IMAGES = 5
#: Families at a time: what takes long are programs of one thread each.
WORKERS = 2

#: By family: the design, and what of it is simulated. The largest is first.
DESIGNS: dict[str, tuple[Design, tuple[Callable[[Made], Verilog], ...]]] = {
    "ice40": (
        Design("icebreaker", digits, HardwareConfig(lanes=1, slots=2)),
        (netlist, bitstream),
    ),
    "ecp5": (Design("ulx3s-85f", digits, HardwareConfig(lanes=2)), (netlist,)),
    "gowin": (Design("tang-nano-9k", digits, HardwareConfig(lanes=2)), (netlist,)),
}

HEADER = (
    f"{'family':7} {'what':10} {'cells':>6} {'images':>6} {'logits':>6} {'values':>6} "
    f"{'cycles':>8}  result"
)


def proved(
    family: str, number: int = IMAGES, folder: Path = FOLDER
) -> Iterator[tuple[str, Verilog, Comparison]]:
    """Yield what was simulated of a family's design, and what was found equal.

    Raises
    ------
    MismatchError
        If anything differs.
    """
    design, ways = DESIGNS[family]
    network = design.network()
    pixels = images(network, number + 1)
    synthesised = made(design, pixels[-1:], folder / family)
    for way in ways:
        verilog = way(synthesised)
        yield way.__name__, verilog, compare(synthesised, verilog.path, pixels[:-1])


def report(family: str) -> bool:
    """Print a line for each simulation of a family; return whether all values were equal."""
    try:
        for what, verilog, found in proved(family):
            print(
                f"{family:7} {what:10} {verilog.cells:6,} {found.images:6} {found.logits:6} "
                f"{found.values:6} {found.cycles:8,}  EQUAL",
                flush=True,
            )
    except MismatchError as error:
        print(f"{family:7} DIFFERS: {error}", flush=True)
        return False
    return True


def main(wanted: list[str]) -> int:
    """Return the exit status: 1 if something differs, 2 if a name or a tool is missing."""
    unknown = set(wanted) - set(DESIGNS)
    if unknown:
        print(
            f"there is no {', '.join(sorted(unknown))}, only {', '.join(DESIGNS)}", file=sys.stderr
        )
        return 2
    try:
        require("iverilog", "vvp", "icebox_vlog")
        digits()
        print(HEADER, flush=True)
        with ThreadPoolExecutor(WORKERS) as pool:
            equal = list(pool.map(report, wanted or DESIGNS))
    except SpikeloomError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
