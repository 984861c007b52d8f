"""Work, energy and NeuroBench's metrics in the output of commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from support.networks.examples import everything

from spikeloom.hw.build.energy import FpgaEnergy
from spikeloom.hw.build.family import Family
from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.sim.report import CosimReport
from spikeloom.sw.cli import main
from spikeloom.sw.cli.work import fpga_energy
from spikeloom.sw.golden import Golden, Meter
from spikeloom.sw.golden.figures import FIGURES, figures
from spikeloom.sw.network import save


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path]:
    """Return the paths of a network and of three images."""
    network = everything()
    save(network, tmp_path / "net.safetensors")
    images = np.random.default_rng(0).integers(0, 8, (3, *network.input.image_shape))
    np.save(tmp_path / "images.npy", images)
    return tmp_path / "net.safetensors", tmp_path / "images.npy"


def expected(path: Path) -> dict[str, Any]:
    """Return the figures of these images, but for the FPGA."""
    meter = Meter(everything())
    Golden(everything()).run(np.load(path), meter=meter)
    return figures(everything(), meter.work)


def test_inspect_has_the_work_of_the_predicted_events() -> None:
    found = json.loads(invoke("inspect", "digits-conv", "--data", "digits", "--limit", 2, "--json"))
    assert set(FIGURES) < set(found)
    assert found["work"]["images"] == 2
    layers = found["prediction"]["layers"]
    for layer, predicted in zip(found["work"]["layers"], layers, strict=True):
        # The planner's lanes divide the channels.
        assert layer["additions"] == 2 * predicted["events"] * predicted["lanes"]
    fpga = found["energy"]["fpga"]
    assert fpga["family"] == "ecp5"
    assert fpga["cycles"] == found["prediction"]["interval"]


def test_inspect_without_images_has_none(given: tuple[Path, Path]) -> None:
    assert not set(FIGURES) & set(json.loads(invoke("inspect", given[0], "--json")))


def test_run_on_the_golden_model(given: tuple[Path, Path]) -> None:
    network, images = given
    command = ("run", network, "--target", "golden", "--images", images)
    found = json.loads(invoke(*command, "--json"))
    assert {key: found[key] for key in FIGURES} == expected(images)
    assert found["energy"]["fpga"] is None
    lines = invoke(*command).splitlines()
    assert "work per image, for 3 images (docs/energy.md):" in lines
    (row,) = [x.split() for x in lines if x.split()[:1] == ["conv"]]
    conv = found["work"]["layers"][0]
    assert row[1] == f"{conv['additions'] / 3:,.1f}"
    assert row[5] == f"{conv['spike_rate']:.4f}"
    (row,) = [x.split() for x in lines if x.split()[:1] == ["all"]]
    assert row[1] == f"{found['work']['additions'] / 3:,.1f}"
    text = "\n".join(lines)
    assert f"NeuroBench: footprint {found['neurobench']['footprint']:,} bytes" in text
    assert "energy per image at 45 nm, 32-bit floating point: " in text
    assert "an FPGA" not in text


@pytest.mark.parametrize(("options", "estimated"), [((), True), (("--stalls", "0.2"), False)])
def test_cosim(
    options: tuple[str, ...],
    estimated: bool,
    given: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The FPGA's energy needs cycles, which stalls distort."""
    network, images = given

    def cosimulate(network: Any, images: Any, **chosen: Any) -> CosimReport:
        meter = Meter(network)
        found = Golden(network).run(images, meter=meter)
        return CosimReport(
            images=len(images),
            layers=(),
            output={},
            logits=found.logits.numpy(),
            labels=found.labels.numpy(),
            counts={},
            accuracy=None,
            cycles=120,
            latency=50,
            interval=35.0,
            broken=0,
            stuck=None,
            divergence=None,
            stalls=chosen["stalls"],
            seed=0,
            work=meter.work,
        )

    monkeypatch.setattr("spikeloom.sim.cosim.cosimulate", cosimulate)
    found = json.loads(invoke("cosim", network, "--images", images, *options, "--json"))
    fpga = found["energy"].pop("fpga")
    others = expected(images)
    others["energy"].pop("fpga")
    assert {key: found[key] for key in FIGURES} == others
    assert (fpga is not None) == estimated
    if estimated:
        assert fpga["cycles"] == 35.0
        assert f"takes about {fpga['total']:,.0f} nJ" in invoke(
            "cosim", network, "--images", images
        )


def test_the_fpga_is_that_of_the_accelerator_alone() -> None:
    planned = plan(everything(), HardwareConfig())
    meter = Meter(planned.network)
    Golden(planned.network).run(np.ones((1, 1, 5, 6), np.int64), meter=meter)
    found = fpga_energy(planned, 100.0, meter.work)
    again = FpgaEnergy.of(Family.find("ecp5"), found["luts"], 100.0, meter.work)
    assert found == again.as_dict()
    assert found["luts"] > 4 * 300
