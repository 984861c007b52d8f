"""What large memories cost: seconds of processor and memory to generate and to compile.

    PYTHONPATH=tests python -m benchmarks.memories [FEATURES]

generates a network of FEATURES x FEATURES weights of 8 bits (1,024 by default: 1 MiB) with its
weights inline and in files, and builds the simulator of the latter.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from spikeloom.sw.network import Connection, DirectInput, If, Layer, Linear, Logits, Network, save

GENERATE = """
import sys
from spikeloom.hw.planning import HardwareConfig
from spikeloom.hw.verilog import generate
from spikeloom.sw.network import load
generate(load(sys.argv[1]), HardwareConfig(memories=sys.argv[3])).save(sys.argv[2])
"""
BUILD = """
import sys
from spikeloom.sim.design import Design
from spikeloom.sim.native import NativeSimulator
from spikeloom.sw.network import load
NativeSimulator.build(Design.load(sys.argv[1], load(sys.argv[2])), sys.argv[3])
"""
#: Runs a program, and prints the processor time and the largest memory of all that it started.
_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def wide(features: int) -> Network:
    """Return a network whose hidden layer has ``features`` inputs and as many neurons."""
    rng = np.random.default_rng(0)
    threshold = np.full(features, 4000)
    bias = rng.integers(-99, 100, features)
    neurons = If(threshold, threshold // 2, bias, fraction_bits=1)
    hidden = Linear(rng.integers(-127, 128, (features, features)))
    out = Linear(rng.integers(-127, 128, (10, features)))
    logits = Logits(rng.integers(-9, 10, 10), fraction_bits=1)
    layers = (
        Layer("hidden", 4, neurons, (Connection("input", "count", hidden),)),
        Layer("out", 4, logits, (Connection("hidden", "count", out),)),
    )
    return Network(DirectInput((1, 1, features), bits=4), layers, name=f"wide-{features}")


def measured(program: str, *arguments: str | Path) -> tuple[float, float]:
    """Return seconds of processor, and largest memory of one process in MB, of a program."""
    command = [sys.executable, "-c", _MEASURE, sys.executable, "-c", program, *map(str, arguments)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, megabytes = said.split()[-2:]
    return float(seconds), float(megabytes)


def main(features: int) -> None:
    """Print the figures of one network."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        network, verilog = folder / "net.safetensors", folder / "net.v"
        save(wide(features), network)
        for memories in ("inline", "files", "auto"):
            seconds, megabytes = measured(GENERATE, network, verilog, memories)
            print(f"generate, memories {memories}: {seconds:.1f} s, {megabytes:.0f} MB")
        seconds, megabytes = measured(BUILD, verilog, network, folder / "sim")
        print(f"Verilator and compiler, of the last: {seconds:.1f} s, {megabytes:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024)
