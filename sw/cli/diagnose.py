"""``spikeloom diagnose``: measures of each layer, and known failures with their remedies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikeloom.sw.cli.common import DATASETS, data_options, table
from spikeloom.sw.cli.output import console, json_option, print_json, say
from spikeloom.sw.cli.outputs import Output
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.files import read_bytes
from spikeloom.sw.network.file import FORMAT, METADATA_KEY, read_metadata

if TYPE_CHECKING:
    from spikeloom.sw.datasets import Dataset
    from spikeloom.sw.diagnostics import LayerHealth, Phase

#: Exit status if a known failure was found.
FOUND = 1


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@data_options(default=None)
@click.option(
    "--images",
    type=click.IntRange(1),
    metavar="N",
    default=512,
    show_default=True,
    help="Training images to measure a file with.",
)
@click.option(
    "--draw",
    type=Output(),
    metavar="FILE.png",
    help="Draw λ, the rate of spikes and the clipped share of each layer over the epochs.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    path: Path,
    data: str | None,
    data_root: Path | None,
    images: int,
    draw: Path | None,
    as_json: bool,
) -> None:
    """Measure each layer of PATH, and name known failures together with their remedies.

    PATH is the folder of a training, whose log is read; or the file of a trained model, which is
    measured with some images of the data that it was trained on, and not changed; or a network
    file, which has spikes to measure but no λ.

    λ is a layer's threshold; |∇λ| and |∇W| are norms of the loss's gradients. "clipped" and "low"
    are shares of the inputs that should pass (those above 0, unless the layer is signed): inputs
    beyond λ, and inputs so small that nothing comes out. "zero" is the share of outputs that are
    0, "dead" the share of channels that never fire, "rate" the number of spikes over T, and "full"
    the share of neurons that fire in each timestep (for bursts, of timesteps with the largest
    burst). The exit status is 1 if a failure was found.

    \b
        spikeloom diagnose trained.safetensors
        spikeloom diagnose run/ --draw layers.png
        spikeloom diagnose net.safetensors --data digits
    """
    from spikeloom.sw.diagnostics import findings, read_log

    phases = read_log(path) if path.is_dir() else [_measured(path, data, data_root, images)]
    found = [findings(phase.epochs) for phase in phases]
    if draw is not None:
        from spikeloom.sw.diagnostics.picture import draw as picture

        picture(phases, draw)
    if as_json:
        records = [
            {
                "phase": phase.name,
                "epochs": [[layer.to_json() for layer in epoch] for epoch in phase.epochs],
                "findings": [finding.to_json() for finding in some],
            }
            for phase, some in zip(phases, found, strict=True)
        ]
        print_json(records)
    else:
        for phase, some in zip(phases, found, strict=True):
            _print(phase.name, phase.epochs[-1])
            for finding in some:
                say(f"{finding}\n")
            if not some:
                say("no known failure\n")
        if draw is not None:
            say(f"wrote {draw}")
    if any(found):
        ctx.exit(FOUND)


def _measured(path: Path, data: str | None, root: Path | None, limit: int) -> Phase:
    """Measure the layers of a file."""
    from spikeloom.sw.diagnostics import Phase

    header = read_metadata(read_bytes(path, "file"), path, METADATA_KEY)
    measure = _network if header.get("format") == FORMAT else _model
    layers, images = measure(path, data, root, limit)
    if not layers:
        raise FileFormatError(f"{path} has no layer that fires, so there is nothing to measure")
    return Phase(f"{path.name}, {images}", [layers])


def _model(
    path: Path, data: str | None, root: Path | None, limit: int
) -> tuple[list[LayerHealth], str]:
    """Return the health of a trained model's layers, and the name of the images for it."""
    from spikeloom.sw import datasets
    from spikeloom.sw.diagnostics import measure
    from spikeloom.sw.quantized.prepared import task_of
    from spikeloom.sw.spiking import SpikingNetwork
    from spikeloom.sw.training import checkpoint
    from spikeloom.sw.training.measure import pixels_for

    trained = checkpoint.load(path)
    name = data or trained.dataset
    if not name:
        raise ConfigError(f"{path} does not say what it was trained on: choose images with --data")
    coding = trained.model.coding if isinstance(trained.model, SpikingNetwork) else None
    binning = None if coding is None else datasets.Binning.of(coding.input)
    task = task_of(trained.prepared)
    examples = _examples(datasets.load(name, "train", root, binning, task=task), limit)
    examples = trained.as_seen(examples)
    images = examples.real(pixels_for(trained.model, examples))
    layers = measure(trained.model, images, examples.targets(), start=trained.start)
    return layers, _images(examples)


def _network(
    path: Path, data: str | None, root: Path | None, limit: int
) -> tuple[list[LayerHealth], str]:
    """Return the health of an integer network's layers, and the name of the images for it."""
    from spikeloom.sw import datasets
    from spikeloom.sw import network as contract
    from spikeloom.sw.diagnostics import measure_network
    from spikeloom.sw.tasks import name_of_network

    loaded = contract.load(path)
    name = data or dict(loaded.about).get("dataset")
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{path} does not say what it was trained on: choose images with --data")
    binning = datasets.Binning.of(loaded.input)
    task = name_of_network(loaded.about)
    examples = _examples(datasets.load(name, "train", root, binning, task=task), limit)
    return measure_network(loaded, examples.images_for(loaded.input)), _images(examples)


def _examples(training: Dataset, limit: int) -> Dataset:
    """Return some images: the first ones, or, of the user's own, which may be sorted, any."""
    from spikeloom.sw.datasets import sample

    return training.head(limit) if training.name in DATASETS else sample(training, limit)


def _images(examples: Dataset) -> str:
    return f"{len(examples)} training images of {examples.name}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


#: Columns by heading; a column with nothing to show is left out.
COLUMNS: dict[str, Callable[[LayerHealth], str]] = {
    "layer": lambda layer: layer.name,
    "#T": lambda layer: str(layer.timesteps),
    "#λ start": lambda layer: _number(layer.start),
    "#λ now": lambda layer: _number(layer.threshold),
    "#moved": lambda layer: "-" if layer.moved is None else f"{layer.moved:+.1%}",
    "#|∇λ|": lambda layer: _number(layer.gradient),
    "#|∇W|": lambda layer: _number(layer.weight_gradient),
    "#ratio": lambda layer: _number(layer.ratio),
    "#clipped": lambda layer: _share(layer.clipped),
    "#low": lambda layer: _share(layer.below),
    "#zero": lambda layer: _share(layer.zero),
    "#dead": lambda layer: _share(layer.dead),
    "#rate": lambda layer: _number(layer.rate),
    "#full": lambda layer: _share(layer.saturation),
}


def _print(title: str, layers: Sequence[LayerHealth]) -> None:
    texts = {heading: [show(layer) for layer in layers] for heading, show in COLUMNS.items()}
    shown = {heading: column for heading, column in texts.items() if {*column} != {"-"}}
    health = table(*shown, title=title)
    for row in zip(*shown.values(), strict=True):
        health.add_row(*row)
    console().print(health)
