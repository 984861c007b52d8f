"""Simulated boards: build a network's design for a board, and run it behind a pseudo-terminal."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Self

from spikeloom.hw.boards import Board
from spikeloom.hw.build import DeviceChoices
from spikeloom.hw.build.content import manifest_of
from spikeloom.hw.build.top import Top
from spikeloom.hw.link.uart import ratio
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import Plan, plan
from spikeloom.sim.board.platform import TOP, SimulationPlatform
from spikeloom.sim.board.process import BoardProcess, LightChange
from spikeloom.sim.program import build
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray


class SimulatedBoard(BoardProcess):
    """A board's whole design in Verilator, from pin to pin, with its UART on a pseudo-terminal.

    Entering a ``with`` block builds the design and powers it up. Any program can then open
    :attr:`port` to talk to the UART, which is simulated bit by bit at the board's rate, whatever
    rate the port is set to. The object itself is a :class:`~spikeloom.sw.link.Line` to the
    UART as well.

    Simulated time does not follow real time: a clock cycle takes as long as its simulation does.
    While the board has nothing to do, time stands still, and no processor is used.

    Parameters
    ----------
    network : Network or Plan
        The network, or the plan of its accelerator.
    board : str or Board
        Board whose clock, UART and LEDs are simulated. Whether the design would fit on its FPGA is
        not checked.
    config : HardwareConfig, optional
        Configuration of the accelerator, by default with counters. Ignored for a plan.
    clock : float, optional
        Clock of the design in MHz, by default that of the board's oscillator. The PLL is not
        simulated.
    baud : int, optional
        Rate of the UART, by default that of the board's link.
    records : sequence of str
        Layers whose counts can be read.
    tested : array of int64, shape (N, *network.input.image_shape), optional
        Images of a self test at power-up.
    build_dir : path
        Folder that keeps built programs. The same design is not built twice.
    poll : callable, optional
        Called about twenty times a second while the program is built.
    changed : callable, optional
        Called with each :class:`LightChange`, from another thread.

    Attributes
    ----------
    device : Device
        The device in the design, with its plan and link.

    Raises
    ------
    ConfigError
        If there is no such board, or if clock, link or accelerator are not possible on it.
    DataError
        If the images of the self test do not fit the network.
    """

    def __init__(
        self,
        network: Network | Plan,
        board: str | Board = "ulx3s-85f",
        *,
        config: HardwareConfig | None = None,
        clock: float | None = None,
        baud: int | None = None,
        records: Sequence[str] = (),
        tested: IntArray | None = None,
        build_dir: str | Path = "build/sim",
        poll: Callable[[], object] | None = None,
        changed: Callable[[LightChange], object] = lambda change: None,
    ) -> None:
        super().__init__(changed)
        self.board = board if isinstance(board, Board) else Board.find(board)
        held = network if isinstance(network, Network) else network.network
        self._choices = choices = DeviceChoices(held, self.board, clock, baud, records, tested)
        # A clock that the real board cannot make is refused here, too.
        choices.require_clock()
        planned = network if isinstance(network, Plan) else plan(held, choices.config(config))
        self.device = choices.device(planned)
        self._build_dir, self._poll = build_dir, poll

    def __enter__(self) -> Self:
        """Build the design and power it up.

        Raises
        ------
        ToolError
            If a tool is missing or fails.
        FileFormatError
            If nothing can be written to ``build_dir``.
        """
        platform = SimulationPlatform(self.board)
        design = platform.verilog(Top(self.board, self.device))
        sources = {"top.v": design, "board.v": _harness(list(self.board.lights))}
        program = build("board", sources, pins_main(), self._build_dir, poll=self._poll)
        tested = self.device.test is not None
        link = self.device.link
        # A board with one LED shows by none that its self test has failed.
        ends = [name for name in ("passed", "failed") if tested and name in self.board.lights]
        self.start(program, ratio(link.clock, link.baud), list(self.board.lights), ends)
        return self

    def manifest(self, path: str | Path) -> Manifest:
        """Write the manifest of the simulated design to ``path``, for a host, and return it.

        Raises
        ------
        FileFormatError
            If the file cannot be written.
        """
        content = manifest_of(self.device, self._choices) | {
            "device": f"{self.board.device}, simulated",
            "tools": {"verilator": importlib.metadata.version("verilator")},
        }
        manifest = Manifest(content, Path(path))
        manifest.save()
        return manifest


def pins_main() -> str:
    """Return the C++ that connects the pins of a module ``board`` to a pseudo-terminal."""
    return resources.files("spikeloom.sim.board").joinpath("main.cpp").read_text("utf-8")


def _harness(names: Sequence[str]) -> str:
    """Return Verilog of a module ``board`` around the design.

    Its port ``lights`` has a bit for each LED, in the order of ``names``; ``busy`` is high while an
    image is computed.
    """
    lights = ", ".join(f".light_{name}(lights[{k}])" for k, name in enumerate(names))
    return (
        f"module board(input clk, input rx, output tx, output [{len(names) - 1}:0] lights,\n"
        f"             output busy);\n"
        f"  {TOP} whole(.clk(clk), .rx(rx), .tx(tx), {lights});\n"
        f"  assign busy = |whole.device.link.scheduler.bus__running;\n"
        f"endmodule\n"
    )
