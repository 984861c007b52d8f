from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import alive, until

import spikeloom.sw
from spikeloom.sw.children import Child

#: Starts a shell that starts a program, as make starts compilers, and waits for it.
_PARENT = """
import signal
import sys
# Whoever runs the tests may ignore it, as nohup does, and what is ignored is inherited.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from spikeloom.sw.children import Child
child = Child(["sh", "-c", "sleep 60 & echo $! > inner; wait"])
open("outer", "w").write(str(child.process.pid))
child.process.wait()
"""
_ANSWER = """
import os, sys
os.write(int(sys.argv[1]), input().encode())
print("said")
sys.exit(7)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_all_that_was_started_ends_with_its_parent(number: signal.Signals, tmp_path: Path) -> None:
    path = os.pathsep.join(str(Path(x).parent.parent) for x in spikeloom.sw.__path__)
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}
    )
    try:
        files = [tmp_path / "inner", tmp_path / "outer"]
        assert until(lambda: all(x.exists() and x.read_text().strip() for x in files))
        pids = [int(x.read_text()) for x in files]
        assert all(alive(pid) for pid in pids)
        parent.send_signal(number)
        assert parent.wait(20) == -number
        assert until(lambda: not any(alive(pid) for pid in pids))
    finally:
        parent.kill()
        parent.wait()


def test_a_program_has_its_own_status_and_files() -> None:
    answers, end = os.pipe()
    with Child(
        [sys.executable, "-c", _ANSWER, str(end)],
        [end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        os.close(end)
        assert child.process.communicate("asked\n", 20) == ("said\n", None)
        with open(answers) as file:
            assert file.read() == "asked"
        assert child.process.wait(20) == 7
    assert child.end() == 7


def test_it_is_killed_at_the_end_of_the_block() -> None:
    with Child(["sleep", "60"]) as child:
        assert child.process.poll() is None
    assert child.process.returncode == -signal.SIGKILL


def test_a_program_that_is_not_there() -> None:
    with Child(["/there/is/none"], stderr=subprocess.PIPE, text=True) as child:
        assert child.process.communicate(timeout=20)[1] == (
            "/there/is/none: No such file or directory\n"
        )
    assert child.process.returncode == 1
