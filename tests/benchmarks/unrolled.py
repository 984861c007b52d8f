"""Cells and clock cycles of LeNet-5's first layer, by events and unrolled.

    PYTHONPATH=tests python -m benchmarks.unrolled DATA

This synthesises the layer's engine alone, for ECP5, and predicts its cycles for the first images of
MNIST's test split in the folder DATA.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib import wiring

from spikeloom.hw.build.counts import read_cells
from spikeloom.hw.build.family import CELLS, YOSYS
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.engine import Engine, UnrolledEngine
from spikeloom.hw.names import without_brackets
from spikeloom.hw.planning import HardwareConfig, UnrolledPlan, plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw import network as contract
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.datasets import first_images

NETWORK, LAYER = "mnist-lenet5", "conv1"
IMAGES = 10
#: Lanes and events of the other layers.
LANES, EVENTS = {"conv2": 16, "fc1": 20, "fc2": 6, "fc3": 2}, {"conv2": 6}
CONFIGS = {
    "events": HardwareConfig({LAYER: 6, **LANES}, EVENTS),
    **{f"P = {p}": HardwareConfig(LANES, EVENTS, planes={LAYER: p}) for p in (1, 2, 3, 4, 8)},
}


def cells(component: wiring.Component) -> Mapping[str, int]:
    """Return the cells of a component alone, after synthesis for ECP5."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = without_brackets(rtlil.convert(component, name="alone", emit_src=False))
        (folder / "alone.il").write_text(text)
        script = f"read_rtlil alone.il\nsynth_ecp5\ntee -q -o {CELLS} stat -json\n"
        (folder / "alone.ys").write_text(script)
        Toolset.find([YOSYS], "yowasp").run(["yosys", "alone.ys"], folder, "yosys.log")
        return read_cells(folder / CELLS)


def main(data: Path) -> None:
    """Print a line for each choice."""
    network = contract.load(FOLDER / f"{NETWORK}.safetensors")
    sent = activity(network, first_images("mnist", network.input, IMAGES, data))
    for name, config in CONFIGS.items():
        planned = plan(network, config)
        layer = planned[LAYER]
        made = UnrolledEngine(layer) if isinstance(layer, UnrolledPlan) else Engine(layer)
        found = cells(made)
        cycles = predict(planned, sent)[LAYER].cycles.mean()
        luts = found["LUT4"] + 2 * found["CCU2C"]
        print(
            f"{name:7} LUT4 + 2 CCU2C {luts:5}, flip-flops {found['TRELLIS_FF']:5}, "
            f"cycles {cycles:8,.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
