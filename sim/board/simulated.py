"""A simulated board that runs, and whoever opens its port talks to its pins."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
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
from spikeloom.sim.board.program import build, pins_main
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray


class SimulatedBoard(BoardProcess):
    """A board's whole design in Verilator, from pin to pin, behind a pseudo-terminal.

    It is built and powered up on entering a ``with`` block. Anything that opens :attr:`port` talks
    to its UART, bit by bit at the board's rate; the rate that the port is set to is not looked at.
    The object itself is a :class:`~spikeloom.sw.link.Transport` to it as well.

    A clock cycle takes as long as it takes to simulate; while nothing happens, time stands still,
    and no processor is used.

    Parameters
    ----------
    network : Network or Plan
    board : str or Board
        Whose clock, UART and LEDs; its resources are not looked at.
    config : HardwareConfig, optional
        With counters, if left out. Not for a plan.
    clock : float, optional
        MHz of the design, the board's oscillator if left out. What makes it is not simulated.
    baud : int, optional
        Rate of the UART, that of the board's link if left out.
    records : sequence of str
        Layers whose counts can be read.
    tested : array of int64, shape (N, *network.input.image_shape), optional
        Images of a self test at power-up.
    build_dir : path
        Where built programs are kept, to be used again.
    look : callable, optional
        Called about twenty times a second while the program is built.
    changed : callable, optional
        Called with each :class:`LightChange`, from another thread.

    Attributes
    ----------
    device : Device
        With its plan and link.

    Raises
    ------
    ConfigError
        If there is no such board, or clock, link or accelerator cannot be as asked for.
    DataError
        If the images of the self test do not fit.
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
        look: Callable[[], object] | None = None,
        changed: Callable[[LightChange], object] = lambda change: None,
    ) -> None:
        super().__init__(changed)
        self.board = board if isinstance(board, Board) else Board.find(board)
        held = network if isinstance(network, Network) else network.network
        self._choices = choices = DeviceChoices(held, self.board, clock, baud, records, tested)
        # Refuses what a real board cannot make.
        choices.require_clock()
        planned = network if isinstance(network, Plan) else plan(held, choices.config(config))
        self.device = choices.device(planned)
        self._build_dir, self._look = build_dir, look

    def __enter__(self) -> Self:
        """Build and power up.

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
        program = build("board", sources, pins_main(), self._build_dir, look=self._look)
        tested = self.device.test is not None
        link = self.device.link
        # A board with one LED shows by none that its self test has failed.
        ends = [name for name in ("passed", "failed") if tested and name in self.board.lights]
        self.start(program, ratio(link.clock, link.baud), list(self.board.lights), ends)
        return self

    def manifest(self, path: str | Path) -> Manifest:
        """Write what the board holds to a file, for a host, and return it.

        Raises
        ------
        FileFormatError
            If it cannot be written.
        """
        content = manifest_of(self.device, self._choices) | {
            "device": f"{self.board.device}, simulated",
            "tools": {"verilator": importlib.metadata.version("verilator")},
        }
        made = Manifest(content, Path(path))
        made.save()
        return made


def _harness(names: Sequence[str]) -> str:
    """Return a module around the design: lights in one word, and whether an image is computed."""
    lights = ", ".join(f".light_{name}(lights[{k}])" for k, name in enumerate(names))
    return (
        f"module board(input clk, input rx, output tx, output [{len(names) - 1}:0] lights,\n"
        f"             output busy);\n"
        f"  {TOP} whole(.clk(clk), .rx(rx), .tx(tx), {lights});\n"
        f"  assign busy = |whole.device.link.scheduler.bus__running;\n"
        f"endmodule\n"
    )
