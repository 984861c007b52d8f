"""``inspect`` predicts exactly the cycles and events that simulated hardware counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from spikeloom.hw.planning import HardwareConfig
from spikeloom.sim.cosim import cosimulate
from spikeloom.sw import datasets
from spikeloom.sw.cli import main
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    DirectInput,
    If,
    Ladder,
    Layer,
    Linear,
    Logits,
    Network,
    SumPool,
    save,
)

IMAGES = 6


def small() -> Network:
    """Return a network for the digits, with a pool, and with fewer lanes than channels."""
    rng = np.random.default_rng(2)
    first = Conv2d(rng.integers(-7, 8, (4, 1, 3, 3)), padding=(1, 1))
    second = Conv2d(rng.integers(-7, 8, (4, 4, 3, 3)), padding=(1, 1))
    fours = np.full(4, 1, np.int64)
    return Network(
        DirectInput((1, 8, 8), bits=5),
        (
            Layer(
                "conv",
                4,
                Ladder(np.sort(rng.integers(0, 200, (4, 4)), axis=1)),
                (Connection("input", "count", first),),
            ),
            Layer(
                "next",
                6,
                If(60 * fours, 30 * fours, 0 * fours, fraction_bits=0),
                (Connection("conv", "count", second, SumPool((2, 2))),),
            ),
            Layer(
                "out",
                1,
                Logits(np.zeros(10, np.int64), fraction_bits=0),
                (Connection("next", "count", Linear(rng.integers(-7, 8, (10, 64)))),),
            ),
        ),
    )


def test_inspect_predicts_what_cosim_counts(tmp_path: Path, build_dir: Path) -> None:
    path = tmp_path / "net.safetensors"
    save(small(), path)
    options = ["--data", "digits", "--limit", str(IMAGES), "--lanes", "conv=2,next=4,out=5"]
    result = CliRunner().invoke(main, ["inspect", str(path), *options, "--clock", "50", "--json"])
    assert result.exit_code == 0, result.output
    prediction = json.loads(result.output)["prediction"]

    config = HardwareConfig({"conv": 2, "next": 4, "out": 5}, counters=True)
    images = datasets.load("digits", "test").images[:IMAGES]
    report = cosimulate(small(), images, config=config, build_dir=build_dir)
    assert report.equal
    assert prediction["images"] == IMAGES
    assert prediction["latency"] == report.latency
    assert prediction["interval"] == report.interval
    assert prediction["images_per_second"] == 50e6 / prediction["interval"]
    for layer, counted in zip(prediction["layers"], report.layers, strict=True):
        assert layer["name"] == counted.name
        for name in ("cycles", "events", "blocked"):
            assert round(layer[name] * IMAGES) == counted.counters[name], (counted.name, name)
        assert layer["utilisation"] == counted.utilisation

    text = CliRunner().invoke(main, ["inspect", str(path), *options, "--clock", "50"]).output
    assert f"predicted clock cycles per image, for {IMAGES} of digits:" in text
    assert f"the first one takes {report.latency:,}" in text
    assert "images per second, if the clock is 50 MHz" in text


def test_options_of_the_prediction_need_images(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save(small(), path)
    for option in (["--limit", "3"], ["--clock", "50"], ["--lanes", "2"], ["--time", "fold"]):
        result = CliRunner().invoke(main, ["inspect", str(path), *option])
        assert result.exit_code == 2
        assert result.stderr.startswith("error: cycles depend on the images: give --data, or leave")
