"""Logic cells and clock cycles of the smallest MNIST network, with and without compact engines.

    PYTHONPATH=tests python -m benchmarks.compact DATA

This synthesises the accelerator alone for an iCE40, packs it without place and route, and predicts
its cycles for the first images of MNIST's test split in the folder DATA.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from amaranth.back import rtlil

from spikeloom.hw.accelerator import Accelerator
from spikeloom.hw.boards import Resources
from spikeloom.hw.build.counts import read_cells
from spikeloom.hw.build.family import CELLS, YOSYS, Family
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.names import without_brackets
from spikeloom.hw.planning import HardwareConfig, Plan, plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw import network as contract
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.datasets import first_images

NETWORK = "mnist-small-4bit"
IMAGES = 100
#: Whether engines are compact, and M of the first layer.
CONFIGS = {
    f"{'compact' if compact else 'ordinary'}, M = {first}, 4, 1": HardwareConfig(
        {"conv1": first, "conv2": 4, "fc": 1},
        slots=1,
        units={"conv1": 1, "conv2": 1},
        compact=compact,
    )
    for compact, first in ((False, 2), (True, 2), (True, 1))
}
_PACKED = re.compile(r"ICESTORM_LC: +(\d+)/")


class Platform:
    """Tells components the family, as Amaranth's platforms do."""

    family = "iCE40"


def packed(planned: Plan) -> tuple[Resources, int]:
    """Return resources by Yosys, and the logic cells that nextpnr packs these into."""
    family = Family.find("ice40")
    nextpnr = family.nextpnr
    assert nextpnr is not None, "iCE40 has open tools"
    tools = Toolset.find([YOSYS, nextpnr], "yowasp")
    text = rtlil.convert(Accelerator(planned), name="top", platform=Platform(), emit_src=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "top.il").write_text(family.mapped(without_brackets(text)), encoding="utf-8")
        synthesis = (
            f"read_rtlil top.il; {family.synth} {family.synthesis} -top top -json top.json; "
            f"tee -q -o {CELLS} stat -json"
        )
        tools.run(["yosys", "-p", synthesis], folder, "yosys.log")
        device = ["--up5k", "--package", "sg48", "--json", "top.json", "--pack-only"]
        tools.run([nextpnr.name, *device], folder, "nextpnr.log")
        found = _PACKED.search((folder / "nextpnr.log").read_text(encoding="utf-8"))
        assert found is not None, "nextpnr says how many"
        return family.synthesised(read_cells(folder / CELLS)), int(found[1])


def main(data: Path) -> None:
    """Print the table of docs/engines.md."""
    network = contract.load(FOLDER / f"{NETWORK}.safetensors")
    images = first_images("mnist", network.input, IMAGES, data)
    for name, config in CONFIGS.items():
        planned = plan(network, config)
        used, cells = packed(planned)
        cycles = predict(planned, activity(network, images)).interval
        figures = (used.luts, used.flipflops, cells, used.block_ram, round(cycles or 0))
        print(f"| {name} | {' | '.join(f'{figure:,}' for figure in figures)} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
