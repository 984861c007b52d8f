"""The peers' figures are measured once for each network and version."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.networks.examples import everything

from benchmarks import peers
from spikeloom.hw.boards import Resources
from spikeloom.sw.network import Network


def test_figures_are_kept_until_a_version_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = peers.Unrolled(Resources(1, 2, 3, 4), stages=5)
    made: list[str] = []
    installed = ["0.6"]
    monkeypatch.setattr(peers, "version", lambda _: installed[0])

    def make(net: Network, family: str) -> peers.Unrolled:
        made.append(family)
        return found

    monkeypatch.setattr(peers, "_unrolled", make)
    for _ in range(2):
        assert peers.unrolled(everything(), "ecp5", tmp_path / "kept") == found
    assert made == ["ecp5"]
    installed[0] = "0.7"
    assert peers.unrolled(everything(), "ecp5", tmp_path / "kept") == found
    assert made == ["ecp5", "ecp5"]
