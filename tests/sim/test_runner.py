from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.cosim.tiny import tiny_design, tiny_network

from spikeloom.hw.planning import HardwareConfig
from spikeloom.sim import building, program, runner
from spikeloom.sim.bench import HARNESS
from spikeloom.sim.cosim import Cosimulator
from spikeloom.sim.engines import ENGINES, builder
from spikeloom.sim.job import Job
from spikeloom.sim.native import NativeSimulator
from spikeloom.sim.runner import CocotbSimulator
from spikeloom.sw.errors import ConfigError, FileFormatError, ToolError

pytestmark = pytest.mark.xdist_group("tiny")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def built(engine: str, request: pytest.FixtureRequest) -> Cosimulator:
    name = "tiny" if engine == "native" else "tiny_in_cocotb"
    found: Cosimulator = request.getfixturevalue(name)
    return found


def test_the_same_design_is_built_once(
    built: Cosimulator, engine: str, build_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "execute", lambda *_: pytest.fail("a tool was run"))
    again = builder(engine)(tiny_design(tiny_network()), build_dir, None)
    assert again.folder == built.simulator.folder


def test_a_build_leaves_what_is_worth_keeping(built: Cosimulator, engine: str) -> None:
    left = {file.name for file in built.simulator.folder.iterdir() if file.is_file()}
    files = {"accelerator.v", "harness.sv", "bound.sv"}
    if engine == "native":
        files |= {"main.cpp", "shown.h"}
    assert left == {HARNESS, building.BUILD_LOG, *files}


def test_other_verilog_or_flags_are_built_anew(
    built: Cosimulator, engine: str, build_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "execute", _started)
    design = tiny_design(tiny_network())
    changed = dataclasses.replace(design, verilog=design.verilog + "\n// changed\n")
    with pytest.raises(_Started):
        builder(engine)(changed, build_dir, None)
    for module in (program, runner):
        monkeypatch.setattr(module, "VERILATOR_FLAGS", (*building.VERILATOR_FLAGS, "-Wno-UNUSED"))
    with pytest.raises(_Started):
        builder(engine)(design, build_dir, None)


def test_bad_verilog_is_reported_with_the_end_of_the_log(engine: str, tmp_path: Path) -> None:
    design = dataclasses.replace(tiny_design(tiny_network()), verilog="module tiny (; endmodule")
    with pytest.raises(
        ToolError, match=r"building the (simulator|program) (.|\n)*syntax error"
    ) as info:
        builder(engine)(design, tmp_path, None)
    (log,) = tmp_path.glob("tiny-*.log")
    assert str(log) in str(info.value)
    assert "syntax error" in log.read_text()
    assert [file for file in tmp_path.iterdir() if file.is_dir()] == []


def test_a_folder_that_cannot_be_written_is_named(engine: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileFormatError, match=r"cannot write .*file/simulators: "):
        builder(engine)(tiny_design(tiny_network()), tmp_path / "file" / "simulators", None)


def test_an_interrupted_build_leaves_nothing(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "execute", _started)
    with pytest.raises(_Started):
        builder(engine)(tiny_design(tiny_network()), tmp_path, None)
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
        cosimulator.simulator = NativeSimulator(design, built.folder)
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


def test_a_program_ends_with_the_process_that_asks_it(tiny: Cosimulator, tmp_path: Path) -> None:
    (tmp_path / "pixels.bin").touch()
    command = [str(tiny.simulator.folder / HARNESS), "1", "pixels=0", "logits=1"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("10 0\n")
        process.stdin.flush()
        # 4 of the cycles are the reset's, and the next is the first after it.
        finished, cycle, *_ = process.stdout.readline().split()
        assert (finished, cycle) == ("0", "7")
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("engine", ["tiny", "tiny_in_cocotb"])
@pytest.mark.parametrize("file", ["logits.bin", "hidden.steps.bin"])
def test_a_full_disk_is_told(
    engine: str, file: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cosimulator = request.getfixturevalue(engine)
    (tmp_path / "pixels.bin").write_bytes(bytes(2 * 4 * 3))
    (tmp_path / file).symlink_to("/dev/full")
    job = Job(3, 4, 2, 0.0, 0.0, 0, 9999, True, True, ["hidden", "output"])
    with pytest.raises(FileFormatError, match=r"cannot write the simulation's records in .*full\?"):
        cosimulator.simulator.run(tmp_path, job)


def test_a_testbench_without_a_job_fails_with_the_log(
    tiny_in_cocotb: Cosimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "save", lambda *_: None)
    simulator = CocotbSimulator(tiny_in_cocotb.design, tiny_in_cocotb.simulator.folder)
    with pytest.raises(ToolError, match=r"the simulation failed(.|\n)*runs in a folder with a job"):
        simulator.run(tmp_path, Job(1, 4, 2, 0.0, 0.0, 0, 99, True, True, []))


def test_an_engine_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match="no engine 'verilog': the engines are native, cocotb"):
        builder("verilog")


class _Started(BaseException):
    pass


def _started(*_: object) -> None:
    raise _Started
