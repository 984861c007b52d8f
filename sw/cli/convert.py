"""``spikeloom convert``: from a trained model to integers."""

from __future__ import annotations

from pathlib import Path

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import parse_per_layer
from spikeloom.sw.errors import ConfigError

#: Of :mod:`spikeloom.sw.conversion.coding`; here, so that ``--help`` need not import torch.
TRANSPORTS = ("count", "spikes")
ALIGNMENTS = ("repl+aver", "repl+trunc", "aver+trunc", "aver+aver")
NEURONS = ("ladder", "if", "dual", "burst", "signed")
INPUTS = ("direct", "count", "spikes")


@click.command()
@click.argument("trained_file", metavar="TRAINED", type=click.Path(path_type=Path))
@click.option(
    "--transport",
    type=click.Choice(TRANSPORTS),
    default="count",
    show_default=True,
    help="What connections carry: a layer's spikes of each timestep, or their sum.",
)
@click.option(
    "--alignment",
    type=click.Choice(ALIGNMENTS),
    help="How spikes reach a layer of other timesteps: first to more (repeat, or average), then "
    "to fewer (truncate, or average).  [default: equal timesteps only]",
)
@click.option(
    "--neuron",
    metavar="KIND",
    help=f"Neuron model: {', '.join(NEURONS)}; or by layer, as in first=if,default=dual. Ladders "
    "need count transport, signed neurons stand for LeakyReLU.  [default: ladder for count, if "
    "for spikes, signed for LeakyReLU]",
)
@click.option(
    "--timesteps",
    metavar="T",
    help="Timesteps, if not those that the model was trained for: a number, or numbers by layer, "
    "as in conv1=8,default=4.",
)
@click.option(
    "--largest",
    metavar="N",
    help="Most spikes of a burst neuron in one timestep: a number, or numbers by layer.  "
    "[default: 4]",
)
@click.option(
    "--tau",
    type=float,
    metavar="TAU",
    help="Leak of burst neurons, which lose 1/TAU of their potential in each timestep; a power of "
    "two.  [default: no leak]",
)
@click.option(
    "--input",
    "input_kind",
    type=click.Choice(INPUTS),
    default="direct",
    show_default=True,
    help="What enters: pixels, counts, or spikes with a time axis.",
)
@click.option(
    "--input-timesteps",
    type=click.IntRange(1),
    metavar="T",
    help="Length of the time axis of an input of spikes.",
)
@click.option(
    "--input-highest",
    type=click.IntRange(1),
    metavar="N",
    help="Largest value of an input of counts or spikes.  [default: of counts, that of a pixel; "
    "of spikes, 1]",
)
@click.option(
    "--fraction-bits",
    type=click.IntRange(0, 16),
    metavar="F",
    help="Fraction bits of the neurons.  [default: the fewest that are exact]",
)
@click.option("--name", help="Name of the network, for people.  [default: that of the model]")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Network file to write (.safetensors).",
)
def command(
    trained_file: Path,
    transport: str,
    alignment: str | None,
    neuron: str | None,
    timesteps: str | None,
    largest: str | None,
    tau: float | None,
    input_kind: str,
    input_timesteps: int | None,
    input_highest: int | None,
    fraction_bits: int | None,
    name: str | None,
    out: Path,
) -> None:
    """Turn a model that `spikeloom train` wrote to TRAINED into an integer spiking network.

    Batch-norm and all scales are absorbed into integer weights, thresholds and biases. In count
    transport the network gives the labels of the quantized model, image by image.

    \b
        spikeloom convert trained.safetensors --out net.safetensors
        spikeloom convert trained.safetensors --transport spikes --neuron dual --timesteps 2 \\
            --out net.safetensors
        spikeloom convert trained.safetensors --transport spikes --alignment aver+trunc \\
            --timesteps first=8,default=4 --out net.safetensors
    """
    from spikeloom.sw import checkpoint
    from spikeloom.sw.convert import convert

    trained = checkpoint.load(trained_file)
    network = convert(
        trained.model,
        transport=transport,
        alignment=alignment,
        neuron=None if neuron is None else _neurons(neuron),
        timesteps=None if timesteps is None else parse_per_layer(timesteps, "timesteps"),
        largest=None if largest is None else parse_per_layer(largest, "largest"),
        tau=tau,
        input=input_kind,
        input_timesteps=input_timesteps,
        input_highest=input_highest,
        fraction_bits=fraction_bits,
        name=name or trained.spec.rpartition(":")[2],
    )
    contract.save(network, out)
    layers = ", ".join(
        f"{layer.name} ({layer.neuron.kind}, T={layer.timesteps})" for layer in network.layers
    )
    click.echo(f"{network.name}: {layers}")
    click.echo(f"wrote {out}")


def _neurons(text: str) -> str | dict[str, str]:
    """Return the kind, or the kinds by layer, that ``dual`` or ``conv1=if,default=dual`` spells."""
    if "=" not in text:
        return text.strip()
    kinds: dict[str, str] = {}
    for item in text.split(","):
        name, equals, kind = (part.strip() for part in item.partition("="))
        if not (name and equals and kind):
            raise ConfigError(
                f"neuron must be a kind, or kinds by layer as in first=if,default=dual, not "
                f"{text!r}: {item!r} is no layer=kind"
            )
        if name in kinds:
            raise ConfigError(f"neuron names the layer {name!r} twice in {text!r}")
        kinds[name] = kind
    return kinds
