"""A netlist in Icarus Verilog that the host can talk to as it talks to a board."""

from __future__ import annotations

import shutil
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from support.link.board import Uart

from spikeloom.sw.errors import ToolError

#: Programs that must come from the system, and the Debian packages that have them.
PACKAGES = {"iverilog": "iverilog", "vvp": "iverilog", "icebox_vlog": "fpga-icestorm"}
#: Where this package keeps its Verilog.
FOLDER = Path(__file__).parent
#: Lines of a compiler's output that a message shows.
_TAIL = 12


class MismatchError(Exception):
    """A simulated design does not behave as it should."""


def require(*programs: str) -> None:
    """Require programs to be on PATH.

    Raises
    ------
    ToolError
        If one is missing; the message names Debian's package.
    """
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        packages = sorted({PACKAGES[name] for name in missing})
        raise ToolError(
            f"this needs {', '.join(missing)}, which is not on PATH: on Debian, "
            f"apt install {' '.join(packages)}"
        )


@dataclass(frozen=True)
class Pins:
    """Names of a top module's ports.

    Parameters
    ----------
    clk, rx, tx : str
    passed, failed : str
        LEDs.
    dark : str
        Level at which the LEDs are dark: ``"0"`` or ``"1"``.
    idle : tuple of str
        Other inputs, which are held high.
    pads : mapping of str to str
        Pads of the device's package, by the names of the parameters above.
    """

    clk: str
    rx: str
    tx: str
    passed: str
    failed: str
    dark: str = "0"
    idle: tuple[str, ...] = ()
    pads: Mapping[str, str] = field(default_factory=dict)

    def connected(self) -> str:
        """Return the port connections of the testbench."""
        wires = {self.clk: "clock", self.rx: "receive", self.tx: "tx"}
        wires |= {self.passed: "passed", self.failed: "failed"}
        wires |= dict.fromkeys(self.idle, "high")
        return ", ".join(f".\\{port} ({wire})" for port, wire in wires.items())

    def places(self) -> str:
        """Return the pads of the ports as a PCF file, for IceStorm's tools."""
        # icebox_vlog does not accept comments at the end of a line.
        return "".join(f"set_io {getattr(self, pin)} {pad}\n" for pin, pad in self.pads.items())


def compiled(
    sources: Sequence[Path], output: Path, defines: Mapping[str, str], top: str = "tb"
) -> Path:
    """Compile Verilog for Icarus.

    Raises
    ------
    ToolError
        If Icarus refuses it, for example because a cell has no model.
    """
    require("iverilog", "vvp")
    done = subprocess.run(
        [
            "iverilog",
            "-g2012",
            *("-s", top),
            *("-o", str(output)),
            *(f"-D{name}={value}" for name, value in defines.items()),
            *map(str, sources),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[:_TAIL])
        raise ToolError(f"iverilog refuses {output.name}:\n{said}")
    return output


class NetlistBoard:
    """A transport to a compiled netlist, in simulated time.

    Parameters
    ----------
    program : Path
        From :func:`compiled`, with ``tb.v``.
    clock, baud : int
        In Hz.
    dark : str
        See :class:`Pins`.

    Attributes
    ----------
    now : int
        Clock cycles so far.
    passed : bool
        Whether the LED ``passed`` is lit.
    failed : bool
        Whether the LED ``failed`` has ever been lit.
    """

    def __init__(self, program: Path, clock: int, baud: int, dark: str = "0") -> None:
        self.clock, self.cycles = clock, clock / baud
        self.dark = dark
        self.now = 0
        self.passed = self.failed = False
        self.levels: deque[str] = deque()
        self.uart = Uart(self.cycles)
        self.process = subprocess.Popen(
            ["vvp", "-n", str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the simulation."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()
            self.process.wait(20)
            self.process.stdout.close()

    def time(self) -> float:
        """Return the simulated time in seconds."""
        return self.now / self.clock

    def write(self, data: bytes) -> None:
        self.levels += map(str, Uart.levels(data, self.cycles))

    def read(self, timeout: float) -> bytes:
        end = self.now + max(1, round(timeout * self.clock))
        while self.now < end and not self.uart.data:
            self.step(min(end - self.now, int(20 * self.cycles)))
        data, self.uart.data = bytes(self.uart.data), bytearray()
        return data

    def step(self, cycles: int) -> None:
        """Simulate clock cycles.

        Raises
        ------
        MismatchError
            If a pin is neither high nor low, or a model reports an error.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        played = [self.levels.popleft() if self.levels else "1" for _ in range(cycles)]
        try:
            self.process.stdin.write("".join(played).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise MismatchError(f"the simulation has ended at cycle {self.now}") from None
        shown = self.process.stdout.readline().decode().rstrip("\n")
        if "error" in shown:
            raise MismatchError(f"within {cycles} cycles of {self.now}: {shown.lstrip('01xz')}")
        if len(shown) != 3 * cycles:
            raise MismatchError(f"the simulation has ended at cycle {self.now + len(shown) // 3}")
        for k in range(0, len(shown), 3):
            if not set(shown[k : k + 3]) <= {"0", "1"}:
                raise MismatchError(
                    f"cycle {self.now}: tx, passed and failed are {shown[k : k + 3]}"
                )
            self.uart.feed(int(shown[k]))
            self.now += 1
        self.passed = shown[-2] != self.dark
        self.failed |= set(shown[2::3]) != {self.dark}
