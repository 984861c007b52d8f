"""``spikeloom calibrate``: a spiking network's neurons learn when to fire from its model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.coding import coding_of, coding_options, network_options
from spikeloom.sw.cli.common import data_options, table
from spikeloom.sw.cli.output import bars, console, json_option, print_json, say, working
from spikeloom.sw.cli.scores import score_text
from spikeloom.sw.errors import ConfigError

if TYPE_CHECKING:
    from spikeloom.sw.datasets import Dataset

#: Of :mod:`spikeloom.sw.calibration`; here, so that ``--help`` need not import torch.
LOSSES = ("mse", "kl")
WEIGHTINGS = ("output", "uniform", "cosine", "sigmoid", "layerwise")
LEARNABLE = ("start", "threshold", "negative", "weights")
PER = ("channel", "layer")
#: Default: counts at the timesteps of the training lose nothing, so calibration would not help.
TRANSPORT = "spikes"


@click.command()
@click.argument("trained_file", metavar="TRAINED", type=click.Path(path_type=Path))
@coding_options(TRANSPORT)
@data_options(None)
@click.option(
    "--images",
    type=click.IntRange(1),
    default=512,
    metavar="N",
    show_default=True,
    help="Training images to calibrate with; their labels are not used.",
)
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    metavar="SHARE",
    show_default=True,
    help="Share of the training split that is kept apart to measure accuracies.",
)
@click.option("--test", is_flag=True, help="Measure on the test split, too.")
@click.option(
    "--epochs", type=int, metavar="N", default=15, show_default=True, help="Passes over the images."
)
@click.option(
    "--lr", type=float, metavar="RATE", default=0.01, show_default=True, help="Learning rate."
)
@click.option(
    "--batch-size",
    type=int,
    metavar="N",
    default=32,
    show_default=True,
    help="Images per step.",
)
@click.option(
    "--loss",
    type=click.Choice(LOSSES),
    default="mse",
    show_default=True,
    help="Difference to minimise: mean square error, or Kullback-Leibler divergence.",
)
@click.option(
    "--weighting",
    type=click.Choice(WEIGHTINGS),
    default="output",
    show_default=True,
    help="Weights of the layers in the loss: the last layer alone, all layers alike, or moving "
    "from the first layers to the last, or one layer after the other, each alone.",
)
@click.option(
    "--learn",
    metavar="WHAT",
    default="start,threshold",
    show_default=True,
    help=f"Parameters to learn, some of {', '.join(LEARNABLE)}: initial potentials, thresholds, "
    f"the negative thresholds of signed neurons apart, weights.",
)
@click.option(
    "--per",
    type=click.Choice(PER),
    default="channel",
    show_default=True,
    help="Whether each channel or each layer has its own initial potential and threshold.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the order of the images and of the validation part.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Threads of torch.",
)
@network_options
@json_option
def command(
    trained_file: Path,
    data: str | None,
    data_root: Path | None,
    images: int,
    validation: float,
    test: bool,
    learn: str,
    seed: int,
    threads: int,
    fraction_bits: int | None,
    name: str | None,
    out: Path,
    epochs: int,
    lr: float,
    batch_size: int,
    loss: str,
    weighting: str,
    per: str,
    as_json: bool,
    **coding: Any,
) -> None:
    """Turn the model in TRAINED into a network whose neurons have learned when to fire.

    At few timesteps, spikes come at other times than the quantized model assumes. Initial
    potentials and thresholds learn to make up for that, from the quantized model's outputs on
    some training images; weights stay as they are, and no labels are needed. The output is an
    integer network, as `spikeloom convert` writes it.

    \b
        spikeloom calibrate trained.safetensors --timesteps 2 --out net.safetensors
        spikeloom calibrate trained.safetensors --timesteps 2 --neuron dual --images 1024 --test \\
            --data-root ~/mnist --out net.safetensors
    """
    options = coding_of(coding)
    learned = [name.strip() for name in learn.split(",")]

    import torch

    from spikeloom.sw import datasets
    from spikeloom.sw.calibration import calibrate
    from spikeloom.sw.conversion import convert
    from spikeloom.sw.quantized.prepared import task_of
    from spikeloom.sw.spiking import SpikingNetwork, spiking
    from spikeloom.sw.training import checkpoint

    torch.set_num_threads(threads)
    trained = checkpoint.load(trained_file)
    model = trained.model
    if isinstance(model, SpikingNetwork):
        if options:
            raise ConfigError(
                f"{trained_file} was trained with a coding of its own: leave "
                f"{', '.join(sorted(options))} out"
            )
        network = model
    else:
        options.setdefault("transport", TRANSPORT)
        network = spiking(model, **options)
    data = data or trained.dataset
    if not data:
        raise ConfigError(
            f"{trained_file} does not say what it was trained on: choose images with --data"
        )
    binning = datasets.Binning.of(network.coding.input)
    parts: dict[str, Dataset] = {}
    task = task_of(network.prepared)
    whole = trained.as_seen(datasets.load(data, "train", data_root, binning, task=task))
    training, parts["validation"] = whole.split(validation, seed)
    if test:
        loaded = datasets.load(data, "test", data_root, binning, task=task)
        parts["test"] = trained.as_seen(loaded)
    chosen = name or trained.spec.rpartition(":")[2]

    def converted() -> contract.Network:
        return convert(network, fraction_bits=fraction_bits, name=chosen)

    with working("measuring the network before"):
        before = {part: _accuracy(converted(), measured) for part, measured in parts.items()}
    # A permutation, as data sets may be in the order of their classes.
    order = torch.randperm(len(training), generator=torch.Generator().manual_seed(seed))
    examples = training.take(order[:images])
    inputs = examples.real(examples.pixels(source=network.coding.input))
    with bars() as progress:
        history = calibrate(
            network,
            inputs,
            epochs=epochs,
            lr=lr,
            batch_size=batch_size,
            loss=loss,
            weighting=weighting,
            learn=learned,
            per=per,
            seed=seed,
            progress=progress,
        )
    calibrated = converted()
    accuracies = table(f"integer network, {data}", "#images", "#before", "#calibrated")
    with working("measuring the calibrated network"):
        after = {part: _accuracy(calibrated, measured) for part, measured in parts.items()}
    for part, measured in parts.items():
        scores = (score_text(found[part], measured.meaning) for found in (before, after))
        accuracies.add_row(part, f"{len(measured):,}", *scores)
    console().print(accuracies)
    say(f"loss {history[0]:.4g} in the first epoch, {history[-1]:.4g} in the last")
    contract.save(calibrated, out)
    if as_json:
        figures = {
            part: {"images": len(images), "before": before[part], "calibrated": after[part]}
            for part, images in parts.items()
        }
        print_json({"data": data, "accuracy": figures, "loss": history, "out": str(out)})
    say(f"wrote {out}")


def _accuracy(network: contract.Network, data: Dataset) -> float:
    """Return the share of images whose label the golden model gets right, or another score."""
    from spikeloom.sw.training.measure import integer_labels

    return data.meaning.accuracy(integer_labels(network, data), data.targets())
