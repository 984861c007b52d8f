"""A hand-written accelerator (``tiny.v``), whole and broken, and generated ones."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.cosim.tiny import (
    COUNT,
    CRASH,
    HANG,
    LAST,
    MISSING,
    POTENTIAL,
    SURPLUS,
    UNSTABLE,
    tiny_design,
    tiny_images,
    tiny_network,
)
from support.networks.examples import every_kind

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sim.cosim import Cosimulator, cosimulate, default_stuck_after
from spikeloom.sim.divergence import Tally
from spikeloom.sim.report import CosimReport
from spikeloom.sw.errors import ConfigError, DataError, ToolError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import (
    BernoulliInput,
    Connection,
    Conv2d,
    DirectInput,
    If,
    Layer,
    Linear,
    Logits,
    Network,
)

pytestmark = pytest.mark.xdist_group("tiny")

IMAGES = 6


def broken(tiny: Cosimulator, defect: int, output_stall: float = 0.0) -> CosimReport:
    return tiny.run(
        tiny_images(IMAGES),
        stalls=(0.0, output_stall),
        stuck_after=2000,
        plusargs=[f"+defect={defect}"],
    )


def test_all_values_of_a_whole_accelerator_are_equal(tiny: Cosimulator) -> None:
    images = tiny_images(50)
    expected = Golden(tiny.network).run(images)
    seen = []
    report = tiny.run(images, labels=expected.labels, progress=lambda *args: seen.append(args))
    assert report.equal
    assert report.divergence is None
    # Twelve neurons of seven values, two of three, and two logits with their marks and a label.
    assert report.due == report.compared == 50 * (12 * 7 + 2 * 3 + 5)
    assert not replace(report, layers=report.layers[1:]).equal, "fewer values were compared"
    hidden, output = report.layers
    assert hidden.tallies == {
        "spikes": Tally(50 * 12 * 3, 0),
        "potentials": Tally(50 * 12 * 3, 0),
        "counts": Tally(50 * 12, 0),
    }
    assert output.tallies == dict.fromkeys(("spikes", "potentials", "logits"), Tally(100, 0))
    assert report.output == {
        "logits": Tally(100, 0),
        "last": Tally(100, 0),
        "labels": Tally(50, 0),
    }
    assert report.logits.tolist() == expected.logits.tolist()
    assert report.labels.tolist() == expected.labels.tolist()
    assert len(set(report.labels.tolist())) == 2, "a constant label would prove little"
    assert report.accuracy == 1
    assert {stage for stage, _, _ in seen} == {"simulate", "compare"}
    assert ("simulate", 50, 50) in seen
    assert ("compare", 50, 50) in seen


def test_speed_without_stalls_is_the_accelerators_own(tiny: Cosimulator) -> None:
    report = tiny.run(tiny_images(10))
    # 4 pixels, 24 timesteps, 1 for all logits, 2 to send them; the source starts a cycle late.
    assert report.measures
    assert report.interval == 31
    assert report.latency == 32
    assert report.cycles_per_image == pytest.approx(31.1)
    hidden = report.layers[0]
    assert hidden.counters == {"cycles": 240, "events": 160, "starved": 51, "blocked": 20}
    assert hidden.utilisation == 160 / 240


@pytest.mark.parametrize("stalls", [(0.5, 0.0), (0.0, 0.8), (0.3, 0.9)])
def test_stalls_slow_down_and_change_nothing(
    tiny: Cosimulator, stalls: tuple[float, float]
) -> None:
    images = tiny_images(100)
    report = tiny.run(images, stalls=stalls, seed=7)
    assert report.equal
    assert not report.measures
    # Every pixel and every logit is late by p / (1 - p) cycles on average.
    p, q = stalls
    late = 4 * p / (1 - p) + 2 * q / (1 - q)
    assert report.cycles / 100 == pytest.approx(31 + late, rel=0.2)


def test_the_seed_chooses_the_stalls(tiny: Cosimulator) -> None:
    cycles = [tiny.run(tiny_images(20), stalls=(0.5, 0.5), seed=seed).cycles for seed in (7, 7, 8)]
    assert cycles[0] == cycles[1] != cycles[2]


def test_a_wrong_potential_is_named(tiny: Cosimulator) -> None:
    report = broken(tiny, POTENTIAL)
    trace = Golden(tiny.network).run(tiny_images(IMAGES), trace=True).trace
    assert trace is not None
    expected = int(trace["hidden"].potentials[1, 2, 1, 1, 0])
    assert str(report.divergence) == (
        f"image 2, layer hidden, timestep 1, neuron (channel, y, x) = (1, 1, 0), potentials: "
        f"expected {expected}, got {expected + 1}"
    )
    assert not report.equal
    assert report.layers[0].tallies["potentials"].differing > 0
    assert report.layers[1].differing == 0


def test_a_wrong_count_is_named(tiny: Cosimulator) -> None:
    report = broken(tiny, COUNT)
    assert report.divergence is not None
    assert report.divergence.quantity == "counts"
    assert (report.divergence.image, report.divergence.neuron) == (0, (2, 0, 1))
    assert report.differing == 1


def test_a_hang_says_what_was_waited_for(tiny: Cosimulator) -> None:
    report = broken(tiny, HANG)
    assert report.stuck is not None
    assert report.stuck.startswith("nothing moved for ")
    assert "waited for logit 0 of image 1 (2 of 12 given), and for the accelerator to take " in (
        report.stuck
    )
    assert (
        "pixel 0 of image 1 (4 of 24 taken); layer hidden showed neurons 24 times" in report.stuck
    )
    assert report.cycles_per_image is None
    assert report.labels[0] >= 0
    assert report.labels[1:].tolist() == [-1] * (IMAGES - 1)
    assert report.layers[0].tallies["spikes"] == Tally(36 * IMAGES, 36 * (IMAGES - 1))
    assert report.divergence is not None
    assert (report.divergence.image, report.divergence.got) == (1, None)
    assert not report.equal


def test_surplus_logits_differ(tiny: Cosimulator) -> None:
    report = tiny.run(tiny_images(4), plusargs=[f"+defect={SURPLUS}"])
    assert report.output["logits"] == Tally(10, 2)
    assert report.output["labels"] == Tally(4, 0)
    assert report.divergence is not None
    assert (report.divergence.image, report.divergence.expected) == (4, None)
    assert report.divergence.quantity == "output logits"


def test_a_missing_timestep_differs(tiny: Cosimulator) -> None:
    report = broken(tiny, MISSING)
    assert report.layers[0].tallies["counts"].differing == 0
    assert report.layers[0].tallies["potentials"].compared == 36 * IMAGES
    assert report.layers[0].tallies["potentials"].differing > 0
    assert report.divergence is not None
    assert report.divergence.image == 1


def test_a_missing_mark_of_the_last_logit_differs(tiny: Cosimulator) -> None:
    report = broken(tiny, LAST)
    assert report.output["last"] == Tally(2 * IMAGES, IMAGES)
    assert report.output["logits"].differing == 0


def test_a_logit_that_changes_while_it_waits_is_found(tiny: Cosimulator) -> None:
    assert broken(tiny, UNSTABLE).equal, "without back-pressure nothing waits"
    report = broken(tiny, UNSTABLE, output_stall=0.7)
    assert report.broken > 0
    assert not report.equal


def test_a_crash_of_the_simulator_names_the_log(tiny: Cosimulator) -> None:
    with pytest.raises(ToolError, match=r"simulation\.log says:(.|\n)*a crash was asked for"):
        broken(tiny, CRASH)


def test_an_interrupt_ends_the_simulation(tiny: Cosimulator) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = set(tiny.simulator.folder.iterdir())
    with pytest.raises(KeyboardInterrupt):
        tiny.run(tiny_images(IMAGES), progress=interrupt)
    assert set(tiny.simulator.folder.iterdir()) == before


def test_batches_compare_all_images(tiny: Cosimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikeloom.sim.part._BATCH_VALUES", 4 * 38)
    report = tiny.run(tiny_images(11))
    assert report.equal
    assert report.layers[0].tallies["counts"].compared == 11 * 12
    assert report.output["logits"].compared == 22
    assert report.output["labels"].compared == 11


def test_the_report_is_json(tiny: Cosimulator) -> None:
    report = tiny.run(tiny_images(2), labels=[0, 0])
    read = json.loads(json.dumps(report.as_dict()))
    assert read["equal"] is True
    assert read["images"] == 2
    assert read["layers"][0]["name"] == "hidden"
    assert read["layers"][0]["compared"] == 2 * (36 + 36 + 12)
    assert read["layers"][0]["quantities"]["counts"] == {"compared": 24, "differing": 0}
    assert read["layers"][0]["utilisation"] == pytest.approx(2 / 3)
    assert read["compared"] == report.compared
    assert read["accuracy"] == report.accuracy


def test_wrong_arguments_are_named(tiny: Cosimulator) -> None:
    with pytest.raises(ConfigError, match=r"probability of output stalls .* 0 to 0\.999, not 1"):
        tiny.run(tiny_images(1), stalls=(0.0, 1.0))
    with pytest.raises(ConfigError, match="jobs must be at least 1, not 0"):
        tiny.run(tiny_images(1), jobs=0)
    with pytest.raises(DataError, match="labels must be 2 integers, one for each image, not int"):
        tiny.run(tiny_images(2), labels=[1])
    with pytest.raises(DataError, match="image 1 holds 16"):
        tiny.run(np.full((2, 1, 2, 2), 16) * np.arange(2).reshape(2, 1, 1, 1))
    network = tiny_network()
    with pytest.raises(ConfigError, match="either a design or a configuration"):
        Cosimulator(network, design=tiny_design(network), config=HardwareConfig())


def test_patience_grows_with_the_work() -> None:
    # 4-bit pixels are up to 3 signed digits, 2-bit counts up to 2.
    assert default_stuck_after(tiny_network()) == 20_000 + 2 * (12 * 3 + 2 * 12 * 2)


def generated_network(transport: str) -> Network:
    """Return one with different numbers of rows, columns and channels, and a lane left over."""
    rng = np.random.default_rng(5)
    threshold = rng.integers(20, 60, 5)
    return Network(
        DirectInput((2, 4, 3), bits=3),
        (
            Layer(
                "conv",
                3,
                If(threshold, threshold >> 1, rng.integers(-5, 6, 5), fraction_bits=0),
                (
                    Connection(
                        "input", "count", Conv2d(rng.integers(-4, 5, (5, 2, 3, 2)), padding=(1, 1))
                    ),
                ),
            ),
            Layer(
                "output",
                3 if transport == "spikes" else 1,
                Logits(rng.integers(-5, 6, 4), fraction_bits=1),
                (Connection("conv", transport, Linear(rng.integers(-4, 5, (4, 80)))),),
            ),
        ),
    )


@pytest.mark.parametrize("transport", ["count", "spikes"])
def test_generated_hardware_is_equal(build_dir: Path, transport: str) -> None:
    network = generated_network(transport)
    images = np.random.default_rng(6).integers(0, 8, (20, 2, 4, 3))
    if transport == "count":
        network = replace(network, input=DirectInput((2, 4, 3), 3, signed=True, zero=(2, -1)))
        images -= 4
    else:
        network = replace(network, input=BernoulliInput((2, 4, 3), 3, timesteps=2, seed=6))
    config = HardwareConfig(lanes={"conv": 2, "output": 3}, time="loop", debug=True, counters=True)
    report = cosimulate(network, images, config=config, build_dir=build_dir, stalls=(0.3, 0.9))
    assert report.equal, report.divergence
    conv = report.layers[0]
    assert conv.tallies["spikes"] == Tally(20 * 3 * 80, 0)
    assert conv.tallies["counts"] == Tally(20 * 80, 0)
    if transport == "spikes":
        assert conv.tallies["sent"] == Tally(20 * 3 * 80, 0)
    # Each event is an addition for every channel, in groups of lanes.
    assert report.work is not None
    assert report.work.images == 20
    for layer, channels, groups in zip(report.layers, (5, 4), (3, 2), strict=True):
        work = report.work[layer.name]
        assert layer.counters["events"] * channels == work.additions * groups > 0


def test_a_design_without_taps_compares_logits_and_labels(build_dir: Path) -> None:
    network = generated_network("count")
    images = np.random.default_rng(7).integers(0, 8, (20, 2, 4, 3))
    report = cosimulate(network, images, config=HardwareConfig(), build_dir=build_dir)
    assert report.equal
    assert report.output["logits"] == Tally(80, 0)
    assert [layer.compared for layer in report.layers] == [0, 0]
    assert report.layers[0].counters == {}
    assert report.layers[0].utilisation is None


def test_folded_time_is_equal(build_dir: Path) -> None:
    network = generated_network("count")
    images = np.random.default_rng(6).integers(0, 8, (20, 2, 4, 3))
    config = HardwareConfig(lanes={"conv": 2, "output": 3}, time="fold", debug=True)
    report = cosimulate(network, images, config=config, build_dir=build_dir, stalls=(0.3, 0.9))
    assert report.equal, report.divergence
    neurons = 20 * math.prod(network.shapes["conv"])
    expected = dict.fromkeys(("counts", "potentials", "sent"), Tally(neurons, 0))
    assert report.layers[0].tallies == expected


def test_images_with_a_time_axis_are_equal(build_dir: Path) -> None:
    network = every_kind()
    images = np.random.default_rng(7).integers(0, 3, (30, 3, 2, 4, 4))
    config = HardwareConfig(lanes={"signs": 2}, debug=True)
    report = cosimulate(network, images, config=config, build_dir=build_dir, stalls=(0.2, 0.2))
    assert report.equal, report.divergence
    assert report.layers[0].tallies["spikes"] == Tally(30 * 3 * 32, 0)


def test_counts_of_a_cosimulation(build_dir: Path) -> None:
    config = HardwareConfig(lanes={"hidden": 2, "output": 1}, debug=True)
    simulated = Cosimulator(tiny_network(), config=config, build_dir=build_dir)
    images = tiny_images(7)
    report = simulated.run(images, counts=["hidden"])
    expected = Golden(simulated.network).run(images).counts["hidden"]
    assert report.counts["hidden"].tolist() == expected.tolist()
    assert simulated.run(images).counts == {}
    with pytest.raises(ConfigError, match=r"^counts: there is no layer 'hid' with taps$"):
        simulated.run(images, counts=["hid"])
