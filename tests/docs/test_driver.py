"""The Python of ``docs/driver.md`` runs, on a board in Python behind a pseudo-terminal."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.link.network_board import NetworkBoard, behind_pty, manifest_of, planned

from spikeloom.sw import network as contract

ROOT = Path(__file__).parents[2]


def test_the_page_s_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs/driver.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) == 2
    network = ROOT / "sw/pretrained/digits-conv.safetensors"
    shutil.copy(network, tmp_path / "net.safetensors")
    found, link = planned(contract.load(network))
    manifest_of(found, link, tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with behind_pty(NetworkBoard(found, link)) as port:
        for block in blocks:
            exec(block.replace("/dev/ttyUSB0", port), names)
    assert names["board"].labels.tolist() == names["golden"].labels.tolist()
    events = 100 * link.counters.index("conv1.events") + 10
    assert capsys.readouterr().out.splitlines()[1:] == [str(events), "torch.Size([16, 8, 8])"]
