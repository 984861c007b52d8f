from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.cosim.tiny import tiny_design, tiny_network

from spikeloom.hw.planning import HardwareConfig
from spikeloom.sim import building, runner
from spikeloom.sim.cosim import Cosimulator
from spikeloom.sim.runner import Simulator, build
from spikeloom.sw.errors import FileFormatError, ToolError

pytestmark = pytest.mark.xdist_group("tiny")


def test_the_same_design_is_built_once(
    tiny: Cosimulator, build_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "execute", lambda *_: pytest.fail("a tool was run"))
    assert build(tiny_design(tiny_network()), build_dir).folder == tiny.simulator.folder


def test_a_build_leaves_what_is_worth_keeping(tiny: Cosimulator) -> None:
    left = {file.name for file in tiny.simulator.folder.iterdir() if file.is_file()}
    sources = {"accelerator.v", "harness.sv", "taps.sv", "public.vlt"}
    assert left == {runner.HARNESS, building.BUILD_LOG, *sources}


def test_other_verilog_or_flags_are_built_anew(
    tiny: Cosimulator, build_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "execute", _started)
    design = tiny_design(tiny_network())
    changed = dataclasses.replace(design, verilog=design.verilog + "\n// changed\n")
    with pytest.raises(_Started):
        build(changed, build_dir)
    monkeypatch.setattr(runner, "VERILATOR_FLAGS", (*building.VERILATOR_FLAGS, "-Wno-DECLFILENAME"))
    with pytest.raises(_Started):
        build(design, build_dir)


def test_bad_verilog_is_reported_with_the_end_of_the_log(tmp_path: Path) -> None:
    design = dataclasses.replace(tiny_design(tiny_network()), verilog="module tiny (; endmodule")
    with pytest.raises(
        ToolError, match=r"building the simulator failed(.|\n)*syntax error"
    ) as info:
        build(design, tmp_path)
    (log,) = tmp_path.glob("tiny-*.log")
    assert str(log) in str(info.value)
    assert "syntax error" in log.read_text()
    assert [file for file in tmp_path.iterdir() if file.is_dir()] == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileFormatError, match=r"cannot write .*file/simulators: "):
        build(tiny_design(tiny_network()), tmp_path / "file" / "simulators")


def test_an_interrupted_build_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "execute", _started)
    with pytest.raises(_Started):
        build(tiny_design(tiny_network()), tmp_path)
    assert list(tmp_path.iterdir()) == []


# A build of its own, since only a simulator shows what becomes of a file that is missing.
def test_a_simulator_reads_memories_and_stops_at_a_wrong_one(build_dir: Path) -> None:
    network = tiny_network()
    config = HardwareConfig(memories="files", lanes=1)
    cosimulator = Cosimulator(network, config=config, build_dir=build_dir)
    built = cosimulator.simulator
    images = np.random.default_rng(0).integers(0, 16, (8, 1, 2, 2))
    report = cosimulator.run(images)
    assert report.equal
    memories = built.design.memories
    assert len(memories) >= 2
    (name, text), *rest = memories
    swapped = text.translate(str.maketrans("01", "10"))
    assert swapped != text
    for wrong in (tuple(rest), ((name, swapped), *rest)):
        design = dataclasses.replace(built.design, memories=wrong)
        cosimulator.simulator = Simulator(design, built.folder)
        with pytest.raises(ToolError, match=rf"memory file {name} is missing or damaged: generate"):
            cosimulator.run(images)


def test_an_interrupt_kills_the_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)  # type: ignore[call-overload]
            started.append(self)

    def poll() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    sleep = shutil.which("sleep")
    assert sleep is not None
    with pytest.raises(KeyboardInterrupt):
        building.execute([sleep, "60"], Path(), {}, None, poll)
    assert [process.wait(5) for process in started] == [-9]


def test_a_job_that_is_missing_fails_with_the_log(tiny: Cosimulator, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"the simulation failed(.|\n)*runs in a folder with a job"):
        Simulator(tiny.design, tiny.simulator.folder).run(tmp_path)


class _Started(BaseException):
    pass


def _started(*_: object) -> None:
    raise _Started
