from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.hw.networks import SHOWCASE, showcase
from support.link.network_board import NetworkBoard, behind_pty, manifest_of, planned

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sw import network as contract
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError, LinkError
from spikeloom.sw.golden import Golden
from spikeloom.sw.inference import Contents, run

LAYERS = ["conv", "steps", "spiking"]
CONFIG = HardwareConfig(SHOWCASE.lanes, SHOWCASE.events, debug=True, counters=True)


def images(count: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(5).integers(0, 8, (count, 2, 4, 5))


def test_a_port_and_a_network_file(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    contract.save(showcase(), path)
    with behind_pty(NetworkBoard(*planned(showcase()))) as port:
        found = run(images(4), path, "board", port=port, baud=1_000_000)
    assert torch.equal(found.logits, run(images(4), path).logits)


def test_golden() -> None:
    expected, seen = Golden(showcase()).run(images(4)), []
    found = run(images(4), showcase(), counts=["conv"], progress=lambda *args: seen.append(args))
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.labels, expected.labels)
    assert torch.equal(found.counts["conv"], expected.counts["conv"])
    assert (found.target, found.cycles, found.cycles_per_image) == ("golden", None, None)
    assert (found.counters, found.traffic) == (None, None)
    assert seen == [("run", 4, 4)]


def test_what_is_asked_for_twice_comes_once() -> None:
    assert list(run(images(1), showcase(), counts=["conv", "conv"]).counts) == ["conv"]


def test_accuracy() -> None:
    found = run(images(4), showcase())
    labels = found.labels.clone()
    assert found.accuracy(labels) == 1
    labels[0] += 1
    assert found.accuracy(labels.numpy()) == 0.75
    with pytest.raises(DataError, match=r"there are 4 images, but labels of shape \(3,\)"):
        found.accuracy([0, 1, 2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "fpga"}, "there is no target 'fpga': the targets are golden, sim, board"),
        ({"port": "x"}, "target 'golden' has no option 'port': it has device"),
        ({"target": "sim", "port": "x"}, "has no option 'port': it has config, build_dir"),
        ({"counts": ["out"]}, "no counts of 'out', but of: conv, steps, spiking"),
    ],
)
def test_wrong_choices(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(images(1), showcase(), **options)


def test_all_targets_decide_by_the_network_s_task(tmp_path: Path) -> None:
    task = {"kind": "values", "factor": 0.25}
    network = dataclasses.replace(showcase(), about={"task": task})
    inner = NetworkBoard(*planned(network))
    stated = {"network": {"name": network.name, "digest": network.digest, "task": task}}
    manifest = manifest_of(inner.plan, inner.link, tmp_path, stated)
    golden = run(images(2), network)
    assert torch.equal(golden.decisions, golden.logits.double() / 4)
    with behind_pty(inner) as port:
        found = run(images(2), manifest, "board", port=port, baud=1_000_000)
    assert torch.equal(found.decisions, golden.decisions)
    assert torch.equal(found.labels, golden.labels)
    with pytest.raises(DataError, match=r"labels of shape \(2, 1\), not \(2, \d\)"):
        found.report([0, 1])
    damaged = {"network": {**stated["network"], "task": "sums"}}
    wrong = manifest_of(inner.plan, inner.link, tmp_path, damaged)
    with pytest.raises(FileFormatError, match="has the task 'sums', which is none"):
        Contents.of(wrong)


def test_a_board_needs_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    with pytest.raises(LinkError, match=r"^which port is the board on\? this computer has no"):
        run(images(1), showcase(), "board")


@pytest.mark.parametrize("target", ["golden", "sim"])
def test_a_manifest_has_no_weights(target: str, tmp_path: Path) -> None:
    manifest = manifest_of(*planned(showcase()), tmp_path)
    with pytest.raises(ConfigError, match=rf"^target '{target}' needs a network file: manifest"):
        run(images(1), manifest, target)


def test_neither_hardware_nor_simulation_is_imported() -> None:
    code = (
        "import sys\n"
        "import spikeloom.sw.inference\n"
        "assert not {'amaranth', 'cocotb'} & sys.modules.keys()\n"
        "assert not any(name.startswith(('spikeloom.hw', 'spikeloom.sim')) for name in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
