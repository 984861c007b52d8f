"""Simulate netlists and bitstreams, compare every answer with golden, and print a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from netlist.network import digits
from netlist.proofs import PROOFS, Fresh, Proof
from netlist.simulator import MismatchError, require
from spikeloom.sw.errors import LinkError, SpikeloomError

FOLDER = Path("build/netlists")
#: Simulations at a time; each takes its time in a program with one thread.
WORKERS = 2

HEADER = (
    f"{'family':6} {'what':16} {'pixels':13} {'cells':>6} {'images':>6} {'logits':>6} "
    f"{'values':>6} {'cycles':>8}  result"
)


def report(proof: Proof, data: Path | None = None) -> bool:
    """Print a line for each simulation of a proof; return whether all values were equal."""
    try:
        for line in proof.lines(FOLDER, None, data):
            found = line.compared
            print(
                f"{proof.family:6} {line.name:16} {line.pixels:13} {line.verilog.cells:6,} "
                f"{found.images:6} {found.logits:6} {found.values:6} {found.cycles:8,}  EQUAL",
                flush=True,
            )
    except (MismatchError, LinkError) as error:
        print(f"{proof.name} DIFFERS: {error}", flush=True)
        return False
    return True


def main(arguments: Sequence[str]) -> int:
    """Return the exit status: 1 if something differs, 2 if a name or a tool is missing."""
    parser = argparse.ArgumentParser(prog="make prove-netlist", description=__doc__)
    parser.add_argument("wanted", nargs="*", metavar="NAME", help=", ".join(PROOFS))
    parser.add_argument("--data", type=Path, help="folder with mnist/, fashion-mnist/ and so on")
    parser.add_argument("--jobs", type=int, default=WORKERS, metavar="N", help="at once")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.wanted) - set(PROOFS)
    if unknown:
        print(
            f"there is no {', '.join(sorted(unknown))}, only {', '.join(PROOFS)}", file=sys.stderr
        )
        return 2
    proofs = [proof for name in chosen.wanted or PROOFS for proof in PROOFS[name]]
    try:
        require("iverilog", "vvp", "icebox_vlog")
        if any(isinstance(proof, Fresh) and proof.design.network is digits for proof in proofs):
            digits()  # Train it once, before several threads ask for it.
        print(HEADER, flush=True)
        with ThreadPoolExecutor(chosen.jobs) as pool:
            equal = list(pool.map(partial(report, data=chosen.data), proofs))
    except SpikeloomError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
