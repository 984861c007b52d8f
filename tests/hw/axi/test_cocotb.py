"""The whole wrapper in Verilator, against the masters of cocotbext-axi."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from support.hw.networks import SHOWCASE, showcase, showcase_images
from support.hw.pysim import pixels

from spikeloom.hw.axi.verilog import generate_from
from spikeloom.hw.planning.plan import plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sim import building
from spikeloom.sim.building import VERILATOR_FLAGS, Runtime
from spikeloom.sim.runner import Runner
from spikeloom.sim.tools import Tools
from spikeloom.sw.golden import Golden

TOP = "spikeloom_axi"
IMAGES = 3
TESTS = (
    "facts",
    "counters",
    "images_with_few_pauses",
    "images_with_many_pauses",
    "damaged",
    "resets",
    "unmapped",
)


def job() -> tuple[str, dict[str, object]]:
    """Return the Verilog, and what the tests inside the simulator are to see."""
    network = showcase()
    planned = plan(network, dataclasses.replace(SHOWCASE, counters=True, top=TOP))
    images = showcase_images(IMAGES)
    golden = Golden(network)
    made = generate_from(planned)
    streams = [pixels(network, image[None]) for image in images]
    shape = (len(streams[0]), *images.shape[1:])
    predicted = predict(planned, activity(network, images))
    first = predict(planned, activity(network, images[:1]))
    cut = []
    for image in images:
        # Of an image of which but the first values came; the stream has the channels fastest.
        flat = np.moveaxis(image, 0, -1).reshape(-1)
        kept = np.stack([np.where(np.arange(len(flat)) < n, flat, 0) for n in range(len(flat))])
        parts = np.moveaxis(kept.reshape(-1, *shape[2:], shape[1]), -1, 1)
        cut.append(golden.run(parts).logits.tolist())
    return made.verilog, {
        "images": streams,
        "logits": golden.run(images).logits.tolist(),
        "cut": cut,
        "bits": planned.input.values.width,
        "digest": network.digest,
        "counters": {
            f"{layer.name}.{name}": int(getattr(layer, name).sum())
            for layer in predicted.layers
            for name in ("cycles", "events", "starved", "blocked")
        },
        # The first value goes in one cycle after the accelerator's reset.
        "latency": first.latency - 1,
        "registers": {r["name"]: r for r in made.sidecar["axi"]["registers"]},
        "address_bits": made.sidecar["axi"]["address_bits"],
        "timeout_cycles": 50_000,
    }


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """Return the message of each test that failed inside the simulator, and None for the others."""
    folder = tmp_path_factory.mktemp("axi")
    verilog, content = job()
    (folder / "design.v").write_text(verilog)
    (folder / "job.json").write_text(json.dumps(content))
    # cocotb looks at ports alone.
    (folder / "public.vlt").write_text(
        f'`verilator_config\npublic_flat_rw -module "{TOP}" -var "?_axi*"\n'
        f'public_flat_rw -module "{TOP}" -var "a*"\n'
    )
    runner = Runner(None, Tools.find(), Runtime(folder / "runtime"))
    with pytest.MonkeyPatch.context() as patch:
        # It is Python that takes the time of the simulation.
        slow = ("OPT_FAST=-O0", "OPT_GLOBAL=-O0")
        patch.setattr(building, "MAKE_FLAGS", (*building.MAKE_FLAGS, *slow))
        runner.build(
            sources=[folder / "public.vlt", folder / "design.v"],
            hdl_toplevel=TOP,
            build_args=VERILATOR_FLAGS,
            build_dir=folder / "build",
            timescale=("1ns", "1ps"),
            log_file=folder / "build.log",
        )
    results = folder / "results.xml"
    try:
        runner.test(
            test_module="support.hw.axi_bench",
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            build_dir=folder / "build",
            test_dir=folder,
            results_xml=str(results),
            log_file=folder / "simulation.log",
        )
    except (RuntimeError, SystemExit):
        assert results.exists(), (folder / "simulation.log").read_text()[-3000:]
    found: dict[str, str | None] = {}
    for case in ET.parse(results).iter("testcase"):
        wrong = [*case.iter("failure"), *case.iter("error")]
        found[str(case.get("name")).split(".")[-1]] = (
            f"{wrong[0].attrib} {wrong[0].text}" if wrong else None
        )
    return found


@pytest.mark.parametrize("name", TESTS)
def test_in_the_simulator(outcomes: dict[str, str | None], name: str) -> None:
    assert name in outcomes, f"the simulator ran {sorted(outcomes)}"
    assert outcomes[name] is None, outcomes[name]
