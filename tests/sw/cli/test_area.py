"""``spikeloom area``: components and the whole, beside their estimates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.hw.components import plain_if, plan_of

from spikeloom.hw.build.area import area
from spikeloom.hw.build.family import Family
from spikeloom.hw.planning import plan
from spikeloom.sw.cli import main
from spikeloom.sw.cli.area import FAMILIES, show
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Conv2d, MaxPool, Network, save
from spikeloom.sw.report import Run, add_figures

FIGURES = ("luts", "flipflops", "block_ram")


def network() -> Network:
    """Return a convolution with a pool ahead of it, and a layer that adds up what it sends."""
    weight = np.random.default_rng(0).integers(-7, 8, (3, 2, 3, 3))
    return plan_of((2, 6, 6), Conv2d(weight), plain_if(3, 20), pool=MaxPool((2, 2))).network


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    path = tmp_path_factory.mktemp("area") / "net.safetensors"
    save(network(), path)
    arguments = ["area", str(path), "--family", "ice40", "--lanes", "1", "--slots", "1"]
    return CliRunner().invoke(main, [*arguments, "--counters", "--json"])


def test_components_add_up_to_the_whole(result: Result) -> None:
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [layer["name"] for layer in found["layers"]] == [x.name for x in network().layers]
    parts = [part for layer in found["layers"] for part in layer["components"]]
    sums = {key: sum(part[key] for part in [*parts, *found["between"]]) for key in FIGURES}
    # Across components, Yosys removes registers that are never read, and shares look-up tables.
    assert sums["block_ram"] == found["whole"]["block_ram"]
    assert 0.9 * sums["flipflops"] <= found["whole"]["flipflops"] <= sums["flipflops"]
    assert 0.6 * sums["luts"] <= found["whole"]["luts"] <= 1.05 * sums["luts"]
    for layer in found["layers"]:
        names = [part["name"] for part in layer["components"]]
        assert {"pes", "population", "events", "reader.buffer", "reader.scanner"} <= {*names}
        assert len(names) == len({*names})
        assert all(layer["estimate"][key] > 0 for key in ("luts", "flipflops"))
    for part in parts:
        luts = part["cells"].get("SB_LUT4", 0)
        assert part["luts"] == luts


def test_a_report_can_show_it(result: Result, tmp_path: Path) -> None:
    (tmp_path / "area.json").write_text(result.stdout)
    run = Run("some")
    add_figures(tmp_path / "area.json", run, required=True)
    assert run.area == json.loads(result.stdout)


def test_tables(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(result.stdout)
    show(found)
    printed = capsys.readouterr().out
    for layer in found["layers"]:
        assert printed.count(layer["name"]) >= 1
    assert printed.count("estimated, all of them") == len(found["layers"])
    for row in ("components apart", "as a whole"):
        (line,) = [line for line in printed.splitlines() if line.strip().startswith(row)]
        if row == "as a whole":
            assert line.split()[3:] == [f"{found['whole'][key]:,}" for key in FIGURES]
    assert "without link and board" in printed


def test_families_are_those_that_keep_components_apart() -> None:
    for name in Family.kinds:
        if name not in FAMILIES:
            with pytest.raises(ConfigError, match=f"synthesis for {name} keeps no hierarchy"):
                area(plan(network()), Family.find(name))
