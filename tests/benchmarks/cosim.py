"""The figures of docs/cosim.md: what a cosimulation of LeNet-5 costs with either engine.

    PYTHONPATH=tests python -m benchmarks.cosim FOLDER [IMAGES]

FOLDER has MNIST's files, in ``mnist``. All figures are of processor time, that of child processes
included, and all layers are compared.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from spikeloom.sim.cosim import Cosimulator
from spikeloom.sw.cli.networks import open_network
from spikeloom.sw.datasets import images_to_run


def used() -> float:
    """Return the seconds of processor that this process and its children have used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main(root: Path, images: int) -> None:
    """Print the figures."""
    network = open_network("mnist-lenet5")
    pixels, _ = images_to_run("mnist", network.input, root, None)
    with tempfile.TemporaryDirectory() as place:
        for engine in ("native", "cocotb"):
            for build in ("first build", "from the cache"):
                start = used()
                simulator = Cosimulator(network, build_dir=place, engine=engine, progress=False)
                print(f"{engine}, {build}: {used() - start:.1f} s")
            start = used()
            report = simulator.run(pixels[:images], progress=False)
            seconds = used() - start
            print(
                f"{engine}: {report.images} images, {report.compared:,} values compared, "
                f"{report.differing} differ, {report.cycles:,} cycles, {seconds:.1f} s, "
                f"{report.cycles / seconds:,.0f} cycles per second"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 500)
