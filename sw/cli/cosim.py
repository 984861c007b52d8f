"""``spikeloom cosim``: simulate generated hardware, and compare it with the golden model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import parse_stalls
from spikeloom.sw.cli.hardware import HardwareOptions, hardware_options
from spikeloom.sw.cli.images import ImageOptions, image_options
from spikeloom.sw.cli.networks import given_network, network_argument
from spikeloom.sw.cli.output import bars, json_option, print_json, say, say_report
from spikeloom.sw.cli.outputs import Output
from spikeloom.sw.cli.scores import score_text
from spikeloom.sw.cli.simulation import build_dir_option, show
from spikeloom.sw.cli.work import fpga_energy, show_work
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.files import write_text
from spikeloom.sw.progress import StageBars

if TYPE_CHECKING:
    import numpy.typing as npt

    from spikeloom.hw.planning import HardwareConfig
    from spikeloom.sim.engines import Builder
    from spikeloom.sim.report import CosimReport
    from spikeloom.sw.network.record import IntArray
    from spikeloom.sw.tasks import Task


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
    "--trust",
    is_flag=True,
    help="Simulate the file of --verilog even if it has more than generated Verilog has: a "
    "simulator runs programs and C++ that Verilog names.",
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
    "--engine",
    type=click.Choice(["native", "cocotb"]),
    default="native",
    show_default=True,
    help="Program that clocks the hardware: one in C++, or a cocotb test bench, which is slower. "
    "Their reports are the same.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Simulators that run at the same time, on 500 images each.  [default: one for each "
    "processor]",
)
@click.option(
    "--everything",
    is_flag=True,
    help="Simulate the whole test split, with every layer compared: refused with --limit, and with "
    "Verilog that has no taps.",
)
@click.option(
    "--waves",
    "wave",
    type=click.IntRange(0),
    metavar="IMAGE",
    help="Simulate this image alone, counted from 0, and write the hardware's signals: VCD, and a "
    "save file for GTKWave that groups them by layer.",
)
@click.option(
    "--waves-file",
    "waves_file",
    type=Output(),
    help="Of --waves, with the suffix .vcd.  [default: build/waves/NETWORK-IMAGE.vcd]",
)
@build_dir_option()
@click.option(
    "--report",
    "report_file",
    type=Output(),
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
    trust: bool,
    stalls: str,
    seed: int,
    engine: str,
    jobs: int | None,
    everything: bool,
    wave: int | None,
    waves_file: Path | None,
    build_dir: Path,
    report_file: Path | None,
    as_json: bool,
) -> None:
    """Simulate the hardware of NETWORK, and compare it with the golden model.

    NETWORK is {network}.

    Every spike, membrane potential and count of every layer, and every logit, must be the same. The
    exit status is 1 if anything differs; the first difference is named. Clock cycles are counted by
    the hardware itself; additions and spikes by the golden model, which energy is estimated from
    (docs/energy.md).

    \b
        spikeloom cosim net.safetensors --data digits
        spikeloom cosim net.safetensors --data digits --limit 20 --lanes 4 --stalls 0.3,0.5
        spikeloom cosim net.safetensors --images mine.npy --verilog build/net.v
        spikeloom cosim net.safetensors --data mnist --data-root ~/mnist --everything
        spikeloom cosim net.safetensors --data digits --waves 3
    """
    images.require()
    if everything and images.limit is not None:
        raise ConfigError("--everything is the whole test split: leave out --limit")
    if waves_file is not None and wave is None:
        raise ConfigError("--waves-file says where waveforms go: say of which image by --waves")
    if wave is not None and (everything or engine != "native"):
        raise ConfigError(
            "--waves is one image, in the native engine: leave out --everything, --engine"
        )
    if verilog is not None and hardware != HardwareOptions():
        raise ConfigError(
            "--verilog is generated already: leave out --lanes, --events, --slots, --units, "
            "--time, --planes, --copies, --compact and --plan"
        )
    probabilities = parse_stalls(stalls)
    config = replace(hardware.config(network, debug=True, counters=True), memories="files")

    from spikeloom.sw.tasks import of_network

    task = of_network(network.about)
    pixels, labels = images.read(network.input, task)

    from spikeloom.sim import cosimulate
    from spikeloom.sim.design import Design
    from spikeloom.sim.waves import VIEW, traced

    design = Design.load(verilog, network, trust=trust) if verilog else None
    if everything and design is not None and not design.debug:
        raise ConfigError(f"--everything compares every layer: generate {verilog} with --debug")
    clocked: str | Builder = engine
    if wave is not None:
        if wave >= len(pixels):
            raise ConfigError(f"--waves {wave}: the images are 0 to {len(pixels) - 1}")
        pixels = pixels[wave : wave + 1]
        labels = None if labels is None else labels[wave : wave + 1]
        waves_file = waves_file or Path("build", "waves", f"{network.name}-{wave}.vcd")
        clocked = traced(waves_file)
    shape = (len(pixels), network.classes)
    score = None if task is None or labels is None else _scorer(task, labels, shape)

    with bars() as progress:
        report = cosimulate(
            network,
            pixels,
            labels=labels if task is None else None,
            config=None if verilog else config,
            design=design,
            build_dir=build_dir,
            engine=clocked,
            stalls=probabilities,
            seed=seed,
            jobs=jobs,
            progress=StageBars(progress),
        )
    accuracy = report.accuracy if score is None else score(report.logits)
    found = {
        **report.as_dict(),
        "accuracy": accuracy,
        **_figures(network, report, None if verilog else config),
    }
    if as_json:
        print_json(found)
    show(report)
    show_work(found)
    if accuracy is not None:
        figure = "accuracy" if task is None else task.figure
        say(f"{figure} of the hardware: {score_text(accuracy, task)}")
    if waves_file is not None:
        say(f"wrote {waves_file}: gtkwave {waves_file.with_suffix(VIEW)}")
    if report_file is not None:
        write_text(report_file, json.dumps(found, indent=1) + "\n")
        say(f"wrote {report_file}")
    added = [] if report_file is None else ["--add", str(report_file)]
    say_report(given_network(), *images.arguments(), *added)
    if not report.equal:
        ctx.exit(1)


def _figures(
    network: contract.Network, report: CosimReport, config: HardwareConfig | None
) -> dict[str, Any]:
    """Return the work and energy of a network; of an FPGA, if cycles were measured without stalls.

    ``config`` is that of the simulated hardware, if it was generated here.
    """
    from spikeloom.sw.golden.figures import figures

    cycles = report.interval or report.cycles_per_image
    if config is None or cycles is None or report.work is None or not report.measures:
        return figures(network, report.work)
    from spikeloom.hw.planning import plan

    return figures(network, report.work, fpga_energy(plan(network, config), cycles, report.work))


def _scorer(
    task: Task, labels: npt.NDArray[Any], shape: tuple[int, int]
) -> Callable[[IntArray], float]:
    """Return a function that judges logits of a shape (N, K) by a task and its labels.

    Raises
    ------
    DataError
        If the labels do not have the shape of the task's decisions.
    """
    import torch

    targets = task.targets(labels, task.decide(torch.zeros(shape, dtype=torch.int64)))
    return lambda logits: task.accuracy(task.decide(torch.from_numpy(logits)), targets)
