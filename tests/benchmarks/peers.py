"""Peers on the same work: da4ml's Verilog of our network's weights, in look-up tables by Yosys.

da4ml unrolls a network into adders, with a register every few of them, and so takes an image per
clock cycle. Its activations shift, so the thresholds of ours are rounded to powers of two for it;
the weights are the same.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nets import CACHE
from spikeloom.hw.boards import Resources
from spikeloom.hw.build.counts import read_cells
from spikeloom.hw.build.family import CELLS, YOSYS, Family
from spikeloom.hw.build.tools import Toolset
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray

_TOP = "peer"
#: Adders between two registers, as the length of a carry chain in da4ml's terms.
_STAGE = 5


@dataclass(frozen=True)
class Unrolled:
    """A network that da4ml has unrolled.

    Parameters
    ----------
    resources : Resources
        By Yosys.
    stages : int
        Of the pipeline.
    """

    resources: Resources
    stages: int


def unrolled(network: Network, family: str, folder: Path = CACHE) -> Unrolled:
    """Return what a network of fully connected layers takes with da4ml.

    It takes minutes, and does not depend on our hardware: the folder keeps it for each network and
    for the versions of da4ml and Yosys.

    Parameters
    ----------
    network : Network
        Each layer has one connection, with counts.
    family : str
        Of FPGAs.
    folder : Path

    Raises
    ------
    ModuleNotFoundError
        If da4ml is not installed: `make bench` does that.
    """
    tools = Toolset.find([YOSYS]).versions[YOSYS.name]
    known = {"da4ml": version("da4ml"), "yosys": tools, "family": family}
    kept = folder / f"da4ml-{network.digest[:12]}.json"
    if kept.is_file():
        content = json.loads(kept.read_text(encoding="utf-8"))
        if content["known"] == known:
            return Unrolled(Resources(**content["resources"]), content["stages"])
    found = _unrolled(network, family)
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"known": known, **asdict(found)}), encoding="utf-8")
    return found


def _unrolled(network: Network, family: str) -> Unrolled:
    """Generate and synthesise what :func:`unrolled` returns."""
    from da4ml.codegen import VerilogModel
    from da4ml.trace import FixedVariableArray, comb_trace, to_pipeline

    pixels = network.input.values()
    size = int(np.prod(network.input.shape))
    low, high = np.full(size, float(pixels.low)), np.full(size, float(pixels.high))
    given = values = FixedVariableArray.from_lhs(low, high, np.ones(size))
    for layer in network.layers:
        (connection,) = layer.connections
        values = values @ np.asarray(connection.synapses.weight, np.float64).T
        if layer.neuron.fires:
            values = _activated(values, layer.timesteps, _thresholds(layer))
    pipeline = to_pipeline(comb_trace(given, values), _STAGE, verbose=False)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        VerilogModel(pipeline, _TOP, folder, print_latency=False).write()
        return Unrolled(_synthesised(folder, Family.find(family)), len(pipeline.solutions))


def _thresholds(layer: Any) -> IntArray:
    """Return the current at which each neuron fires once in all its timesteps."""
    tensors = layer.neuron.tensors()
    levels = tensors["levels"]
    steps: IntArray = np.maximum((levels[:, -1] - levels[:, 0]) // max(1, layer.timesteps - 1), 1)
    return steps


def _activated(values: Any, timesteps: int, steps: IntArray) -> Any:
    """Return the counts of neurons: the floor of each value by a power of two, clipped at T."""
    shift = np.round(np.log2(steps)).astype(int)
    bits = (timesteps + 1).bit_length() - 1
    scaled = values * 2.0**-shift
    return scaled.quantize(0, bits, 0, overflow_mode="SAT", round_mode="TRN")


def _synthesised(folder: Path, family: Family) -> Resources:
    sources = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.v"))]
    # Its module for tables names a file that only an instance has; there is none here.
    kept = [name for name in sources if "wrapper" not in name and "lookup_table" not in name]
    (folder / "peer.ys").write_text(
        f"read_verilog -sv {' '.join(kept)}\n{family.synth} -top {_TOP}\n"
        f"tee -q -o {CELLS} stat -json\n",
        encoding="utf-8",
    )
    Toolset.find([YOSYS]).run(["yosys", "peer.ys"], folder, "yosys.log")
    return family.synthesised(read_cells(folder / CELLS))
