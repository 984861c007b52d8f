"""Building and running the long run: ``python -m soak.soak [CYCLES] [SEED]``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from support.hw.networks import showcase

from soak.expected import content
from spikeloom.hw.planning import HardwareConfig
from spikeloom.sim import program
from spikeloom.sim.design import Design
from spikeloom.sim.generated import generated
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray

FOLDER = Path(__file__).parent
#: Bytes by which the memory of a simulation may grow between 10 % and 100 % of it.
GROWTH = 1 << 20
#: Clock cycles without a transfer after which the hardware is stuck.
STUCK_AFTER = 20_000
_TOP = "spikeloom_soak"


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Parameters
    ----------
    cycles, images, resets : int
        Clock cycles, images whose last logit came, and resets.
    stalls : int
        Clock cycles in which the input had no pixel, and those in which the output was not ready.
    longest : int
        Most clock cycles without a transfer.
    behind : int
        Most images whose pixels were taken, and whose logits had not come.
    compared, differing : int
        Values compared, and records with a value that differs, or breaches of the streams' rules.
    early, late : int
        Bytes of memory after a tenth of the cycles, and at the end.
    first : str
        The first difference.
    """

    cycles: int
    images: int
    resets: int
    stalls: int
    longest: int
    behind: int
    compared: int
    differing: int
    early: int
    late: int
    first: str = ""

    @property
    def right(self) -> bool:
        """Whether nothing differs, and memory is flat."""
        return self.differing == 0 and self.compared > 0 and self.late - self.early <= GROWTH


def build(design: Design, root: Path) -> Path:
    """Return the program of a design."""
    macros = {
        "ACCELERATOR": design.top,
        "PIXEL": design.input_bits,
        "PAYLOAD": design.payload_width,
    }
    defined = "".join(f"`define {name} {value}\n" for name, value in macros.items())
    bound, index = [], 0
    for layer in design.layers:
        taps, name = layer.taps, layer.name
        assert taps is not None, "a design of a long run has taps"
        steps = layer.units * layer.steps_per_cycle * (taps.potential.width + taps.spike.width)
        for part, width, data in (
            ("step", steps, f"{{tap__{name}__spike, tap__{name}__potential}}"),
            ("sent", layer.lanes * taps.value.width, f"tap__{name}__value"),
        ):
            bound.append(
                f"bind {design.top} spikeloom_tap #(.WIDTH({width}), .TAP({index})) tap_{index}\n"
                f"  (.clk(clk), .rst(rst), .strobe(tap__{name}__{part}), .data({data}));\n"
            )
            index += 1
    sources = {
        "accelerator.v": design.verilog,
        "soak.sv": defined + (FOLDER / "soak.sv").read_text(encoding="utf-8"),
        "bound.sv": "".join(bound),
    }
    main = (FOLDER / "main.cpp").read_text(encoding="utf-8")
    return program.build(
        _TOP,
        sources,
        main,
        root,
        defines={"PIXEL_BITS": design.input_bits},
        optimise="-O2",
    )


def soak(network: Network, images: IntArray, cycles: int, seed: int, root: Path) -> Outcome:
    """Simulate a network's hardware for so many clock cycles.

    Parameters
    ----------
    network : Network
    images : array of int64, shape (N, *network.input.image_shape)
        Which are sent again and again, in random order.
    cycles, seed : int
    root : Path
        Folder that keeps generated hardware and built programs.
    """
    design = generated(network, HardwareConfig(budget=16, debug=True), root)
    built = build(design, root)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "expected.bin"
        path.write_bytes(content(network, design, images, STUCK_AFTER))
        command = [str(built), str(path), str(cycles), str(seed)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    first = found.pop("first", "")
    return Outcome(**{name: int(value) for name, value in found.items()}, first=first)


def main(cycles: int, seed: int) -> int:
    """Print the outcome of a run of the example network; return the exit status."""
    from support.hw.networks import showcase_images

    start = time.monotonic()
    found = soak(showcase(), showcase_images(64), cycles, seed, Path("build/sim"))
    print(
        f"seed {seed}: {found.cycles:,} clock cycles, {found.images:,} images, {found.resets:,} "
        f"resets, {found.stalls:,} stalls\n"
        f"{found.compared:,} values compared, {found.differing:,} differ {found.first}\n"
        f"at most {found.behind} images at once, {found.longest:,} cycles without a transfer\n"
        f"memory: {found.early:,} bytes after a tenth, {found.late:,} at the end\n"
        f"{time.monotonic() - start:.0f} s"
    )
    return 0 if found.right else 1


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*given, *(100_000_000, 1)[len(given) :]))
