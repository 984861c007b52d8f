"""``spikeloom demo``: from training to simulated hardware, on handwritten digits."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import epoch_options, percent, table
from spikeloom.sw.cli.hardware import HardwareOptions, hardware_table
from spikeloom.sw.cli.output import bars, console, json_option, print_json, say, say_report
from spikeloom.sw.cli.simulation import show, verdict
from spikeloom.sw.files import write_text
from spikeloom.sw.locks import locked
from spikeloom.sw.progress import StageBars

if TYPE_CHECKING:
    from rich.progress import Progress

    from spikeloom.sim.report import CosimReport
    from spikeloom.sw.datasets import Dataset
    from spikeloom.sw.training import Trained

MODEL = "digits-conv"
DATA = "digits"
TIMESTEPS = 16
WEIGHT_BITS = 8
#: Options of the training. With them, and T, the hardware gets at most one test image fewer right
#: than the float model for every seed that was tried, and so on any processor. Smooth labels,
#: strong weight decay and the mean of the last weights keep images away from the border of two
#: labels. Fine steps, a low learning rate, and the float model's outputs as the only targets keep
#: the quantized model close to it.
TRAINING = {
    "shift": 1,
    "average": 0.99,
    "label_smoothing": 0.1,
    "weight_decay": 0.3,
    "tune_lr": 1e-3,
    "teacher_weight": 1.0,
}
#: Probabilities of input and output stalls, and number of images, of the second simulation.
STALLS = (0.3, 0.3)
STALLED_IMAGES = 40


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/demo"),
    show_default=True,
    help="Folder for everything that is made.",
)
@epoch_options
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="The first N test images only.",
)
@click.option(
    "--seed", type=int, metavar="N", default=0, show_default=True, help="Of training and stalls."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    out: Path,
    epochs: int,
    tune_epochs: int,
    limit: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Go the whole way on handwritten digits: train, convert, generate, simulate, compare.

    A small convolutional network is trained with activations of 16 levels and 8-bit weights,
    converted to an integer spiking network, and written as Verilog. All test images are then sent
    through the simulated hardware, and every spike, count and membrane potential is compared with
    the golden model: first at full speed, then some with random stalls at both ends. The exit
    status is 1 if anything differs.

    \b
        spikeloom demo
        spikeloom demo --out build/quick --epochs 3 --tune-epochs 3 --limit 20
    """
    from spikeloom.sim.tools import Tools
    from spikeloom.sw import datasets

    # A missing tool of the simulator is reported now rather than after the training.
    Tools.find()
    test = datasets.load(DATA, "test")
    demo = Demo(out, test if limit is None else test.head(limit), seed)
    with locked(out, "demo"), bars() as progress:
        trained = demo.train(datasets.load(DATA, "train"), epochs, tune_epochs, progress)
        network = demo.convert(trained, progress)
        demo.generate(network, progress)
        full, stalled = demo.simulate(network, progress)
    golden = demo.golden_accuracy(network)
    accuracy = {
        "float": trained.float_accuracy,
        "quantized": trained.quantized_accuracy,
        "golden": golden,
        "hardware": full.accuracy,
    }
    report = demo.write_report(network, accuracy, full, stalled)
    if as_json:
        print_json(report)
    demo.print_results(network, accuracy, full, stalled)
    if not (full.equal and stalled.equal):
        ctx.exit(1)


@dataclass
class Demo:
    """The steps of the demonstration, in order.

    Parameters
    ----------
    out : Path
        Folder that the steps write their files to.
    test : Dataset
        Images to simulate.
    seed : int
        Seed of training and stalls.

    Attributes
    ----------
    sidecar : dict
        Sidecar of the generated Verilog.
    seconds : dict of str to float
        Duration of each step.
    """

    out: Path
    test: Dataset
    seed: int
    sidecar: dict[str, Any] = field(default_factory=dict, init=False)
    seconds: dict[str, float] = field(default_factory=dict, init=False)

    @property
    def files(self) -> dict[str, Path]:
        """Paths of the files that the steps write, by description."""
        return {
            "trained model": self.out / "trained.safetensors",
            "network": self.out / "network.safetensors",
            "Verilog": self.out / "network.v",
            "its ports": self.out / "network.json",
            "figures": self.out / "report.json",
        }

    def train(
        self, examples: Dataset, epochs: int, tune_epochs: int, progress: Progress
    ) -> Trained:
        """Train the float ANN, then the quantized one."""
        import torch

        from spikeloom.sw import training
        from spikeloom.sw.models.spec import build_model
        from spikeloom.sw.training import checkpoint

        start = time.monotonic()
        torch.set_num_threads(1)  # a network this small is trained fastest so, and repeatably
        torch.manual_seed(self.seed)
        trained = training.train(
            build_model(MODEL),
            examples,
            self.test,
            timesteps=TIMESTEPS,
            weight_bits=WEIGHT_BITS,
            epochs=epochs,
            tune_epochs=tune_epochs,
            seed=self.seed,
            spec=MODEL,
            progress=progress,
            **TRAINING,
        )
        checkpoint.save(trained, self.files["trained model"])
        self.seconds["train"] = time.monotonic() - start
        return trained

    def convert(self, trained: Trained, progress: Progress) -> contract.Network:
        """Convert the trained model to an integer network, and read that back from its file."""
        from spikeloom.sw.conversion import convert

        start = time.monotonic()
        task = progress.add_task("converting", total=1)
        path = self.files["network"]
        contract.save(convert(trained.model, transport="count", name=MODEL), path)
        network = contract.load(path)
        progress.advance(task)
        self.seconds["convert"] = time.monotonic() - start
        return network

    def generate(self, network: contract.Network, progress: Progress) -> None:
        """Write the Verilog."""
        from spikeloom.hw.verilog import generate

        start = time.monotonic()
        task = progress.add_task("generating Verilog", total=1)
        generated = generate(network, HardwareOptions().config(network, debug=True, counters=True))
        generated.save(self.files["Verilog"])
        self.sidecar = generated.sidecar
        progress.advance(task)
        self.seconds["generate"] = time.monotonic() - start

    def simulate(
        self, network: contract.Network, progress: Progress
    ) -> tuple[CosimReport, CosimReport]:
        """Simulate the Verilog file twice: at full speed, and with stalls."""
        from spikeloom.sim import Cosimulator
        from spikeloom.sim.design import Design

        start = time.monotonic()
        cosimulator = Cosimulator(
            network,
            design=Design.load(self.files["Verilog"], network),
            build_dir=self.out / "sim",
            progress=StageBars(progress),
        )
        self.seconds["build"] = time.monotonic() - start
        start = time.monotonic()
        images, labels = self.test.images, self.test.labels
        full = cosimulator.run(images, labels=labels, progress=StageBars(progress))
        stalled = cosimulator.run(
            images[:STALLED_IMAGES],
            labels=labels[:STALLED_IMAGES],
            stalls=STALLS,
            seed=self.seed,
            progress=StageBars(progress, ", stalled"),
        )
        self.seconds["simulate"] = time.monotonic() - start
        return full, stalled

    def golden_accuracy(self, network: contract.Network) -> float:
        """Return the fraction of the images that the golden model gets right."""
        from spikeloom.sw.golden import Golden

        labels = Golden(network).run(self.test.images).labels.numpy()
        return float((labels == self.test.labels).mean())

    def write_report(
        self,
        network: contract.Network,
        accuracy: dict[str, float | None],
        full: CosimReport,
        stalled: CosimReport,
    ) -> dict[str, Any]:
        """Write all figures as JSON, and return them."""
        report = {
            **full.as_dict(),
            "accuracy": accuracy,
            "stalled": stalled.as_dict(),
            "network": {"name": network.name, "digest": network.digest},
            "data": DATA,
            "seed": self.seed,
            "seconds": {step: round(value, 2) for step, value in self.seconds.items()},
        }
        write_text(self.files["figures"], json.dumps(report, indent=1) + "\n")
        return report

    def print_results(
        self,
        network: contract.Network,
        accuracy: dict[str, float | None],
        full: CosimReport,
        stalled: CosimReport,
    ) -> None:
        """Print all figures as tables."""
        out = console()
        say(
            f"{network.name}: {len(network.layers)} layers, T = {TIMESTEPS}, {WEIGHT_BITS}-bit "
            f"weights, {len(self.test)} test images of {DATA}"
        )
        out.print(hardware_table(self.sidecar))
        waterfall = table("model", "#accuracy")
        for what, key in (
            ("float ANN", "float"),
            ("quantized ANN", "quantized"),
            ("integer golden model", "golden"),
            ("hardware", "hardware"),
        ):
            waterfall.add_row(what, percent(accuracy[key]))
        out.print(waterfall)
        show(full)
        say(verdict(stalled))
        for what, path in self.files.items():
            say(f"{what + ':':<16}{path}")
        say_report(self.out)
