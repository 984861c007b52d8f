"""``spikeloom cosim``: simulate generated hardware, and compare it with the golden model."""

from __future__ import annotations

import json
from pathlib import Path

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import parse_stalls, percent
from spikeloom.sw.cli.hardware import HardwareOptions, hardware_options
from spikeloom.sw.cli.images import ImageOptions, image_options
from spikeloom.sw.cli.networks import network_argument
from spikeloom.sw.cli.output import bars, json_option, print_json, say
from spikeloom.sw.cli.simulation import show
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.files import write_text
from spikeloom.sw.progress import StageBars


@click.command()
@network_argument
@image_options
@hardware_options
@click.option(
    "--verilog",
    type=click.Path(path_type=Path),
    help="Simulate this file, which `spikeloom generate` wrote, instead of generating anew. "
    "Without --debug there, logits and labels alone are compared; without --counters, cycles per "
    "layer are not known.",
)
@click.option(
    "--stalls",
    metavar="P",
    default="0",
    show_default=True,
    help="Probability that the input has no pixel in a clock cycle, and that the output is not "
    "ready: one number, or two as in 0.2,0.5.",
)
@click.option(
    "--seed", type=int, metavar="N", default=0, show_default=True, help="Seed of the stalls."
)
@click.option(
    "--build-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/sim"),
    show_default=True,
    help="Where built simulators are kept, to be used again.",
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON file to write the figures to.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    network: contract.Network,
    images: ImageOptions,
    hardware: HardwareOptions,
    verilog: Path | None,
    stalls: str,
    seed: int,
    build_dir: Path,
    report_file: Path | None,
    as_json: bool,
) -> None:
    """Simulate the hardware of NETWORK, and compare it with the golden model.

    NETWORK is {network}.

    Every spike, membrane potential and count of every layer, and every logit, must be the same. The
    exit status is 1 if anything differs; the first difference is named. Clock cycles are counted by
    the hardware itself.

    \b
        spikeloom cosim net.safetensors --data digits
        spikeloom cosim net.safetensors --data digits --limit 20 --lanes 4 --stalls 0.3,0.5
        spikeloom cosim net.safetensors --images mine.npy --verilog build/net.v
        spikeloom cosim net.safetensors --data mnist --data-root ~/mnist --report report.json
    """
    images.require()
    if verilog is not None and hardware != HardwareOptions():
        raise ConfigError(
            "--verilog is generated already: leave out --lanes, --events, --slots and --time"
        )
    probabilities = parse_stalls(stalls)
    config = hardware.config(debug=True, counters=True)

    import numpy as np
    import torch

    from spikeloom.sw.tasks import of_network

    task = of_network(network.about)
    pixels, labels = images.read(network.input, task)

    from spikeloom.sim import cosimulate
    from spikeloom.sim.design import Design
    from spikeloom.sw.golden import check_images

    check_images(network, pixels)  # before the build, which takes half a minute

    with bars() as progress:
        report = cosimulate(
            network,
            pixels,
            labels=labels if task is None else None,
            config=None if verilog else config,
            design=Design.load(verilog) if verilog else None,
            build_dir=build_dir,
            stalls=probabilities,
            seed=seed,
            progress=StageBars(progress),
        )
    if as_json:
        print_json(report.as_dict())
    show(report)
    if report.accuracy is not None:
        say(f"accuracy of the hardware: {percent(report.accuracy)}")
    elif task is not None and labels is not None:
        decided = task.decide(torch.from_numpy(report.logits))
        score = task.accuracy(decided, torch.as_tensor(np.asarray(labels)))
        say(f"{task.figure} of the hardware: {score:.4f}")
    if report_file is not None:
        write_text(report_file, json.dumps(report.as_dict(), indent=1) + "\n")
        say(f"wrote {report_file}")
    if not report.equal:
        ctx.exit(1)
