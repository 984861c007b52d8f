"""The loader ends with the command that has started it, whatever ends that one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import alive, until

import spikeloom.sw
from spikeloom.sw.link.manifest import FORMAT, Manifest
from spikeloom.sw.sealed import digest

_COMMAND = "from spikeloom.sw.cli import main; main()"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_loader_ends_with_its_parent(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "net.bit").write_bytes(b"bits")
    entry = {"file": "net.bit", "sha256": digest(b"bits")}
    content = {"format": FORMAT, "version": 1, "board": "ulx3s-85f", "network": {}}
    manifest = Manifest({**content, "bitstream": entry}, tmp_path / "net.json")
    manifest.save()
    loader = tmp_path / "openFPGALoader"
    pid = tmp_path / "pid"
    loader.write_text(
        f'#!/bin/sh\n[ "$1" = --Version ] && exit\necho $$ > {pid}.new\nmv {pid}.new {pid}\n'
        f"exec sleep 60\n"
    )
    loader.chmod(0o755)
    path = os.pathsep.join(str(Path(x).parent.parent) for x in spikeloom.sw.__path__)
    parent = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, "program", str(manifest.path)],
        env=os.environ
        | {"PYTHONPATH": path, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        stderr=subprocess.DEVNULL,
    )
    try:
        assert until(pid.exists)
        assert alive(int(pid.read_text()))
        parent.send_signal(number)
        parent.wait(20)
        assert until(lambda: not alive(int(pid.read_text())))
    finally:
        parent.kill()
        parent.wait()
