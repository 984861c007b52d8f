"""Run all proofs, or those named on the command line, and print a table of the results."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from formal.proofs import PROOFS
from formal.prover import Outcome, Proof, prove

FOLDER = Path("build/proofs")


def main(wanted: list[str]) -> int:
    """Return the exit status: 0 if all hold, 1 if one fails, 2 if a name is unknown."""
    chosen = [proof for proof in PROOFS if not wanted or proof.name in wanted]
    unknown = set(wanted) - {proof.name for proof in chosen}
    if unknown:
        names = "\n  ".join(proof.name for proof in PROOFS)
        print(f"no proof is called {', '.join(sorted(unknown))}; there is:\n  {names}")
        return 2
    start = time.monotonic()
    print(f"{'what':32} {'for':36} {'cycles':>6} {'s':>6}  result", flush=True)
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for proof, outcome in zip(chosen, pool.map(_prove, chosen), strict=True):
            depth = str(proof.depth) if proof.depth else "all"
            result = "PROVED" if outcome.proved else "FAILED"
            print(
                f"{proof.name:32} {proof.bounds:36} {depth:>6} {outcome.seconds:6.1f}  {result}",
                flush=True,
            )
            if not outcome.proved:
                failed.append(proof)
                print(outcome.counterexample or outcome.log, flush=True)
                print(f"see {_folder(proof)} and docs/proofs.md", flush=True)
    seconds = time.monotonic() - start
    print(f"{len(chosen) - len(failed)} of {len(chosen)} proved in {seconds:.0f} s")
    return 1 if failed else 0


def _folder(proof: Proof) -> Path:
    return FOLDER / "".join(c if c.isalnum() or c == "-" else "_" for c in proof.name)


def _prove(proof: Proof) -> Outcome:
    return prove(proof, _folder(proof))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
