"""``spikeloom convert``: from a trained model to integers."""

from __future__ import annotations

from pathlib import Path

import click

from spikeloom.sw import network as contract


@click.command()
@click.argument("trained_file", metavar="TRAINED", type=click.Path(path_type=Path))
@click.option(
    "--transport",
    type=click.Choice(contract.TRANSPORTS),
    default="count",
    show_default=True,
    help="What connections carry: a layer's spikes of each timestep, or their sum.",
)
@click.option(
    "--neuron",
    type=click.Choice(["if", "ladder"]),
    help="Neuron model: integrate-and-fire, or its exact solution for a constant current, which "
    "needs count transport.  [default: ladder for count, if for spikes]",
)
@click.option(
    "--timesteps",
    type=click.IntRange(1),
    metavar="T",
    help="Timesteps of every layer, if not those that it was trained for.",
)
@click.option(
    "--fraction-bits",
    type=click.IntRange(0, 16),
    metavar="F",
    help="Fraction bits of if neurons.  [default: the fewest that keep counts exact]",
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
    neuron: str | None,
    timesteps: int | None,
    fraction_bits: int | None,
    name: str | None,
    out: Path,
) -> None:
    """Turn a model that `spikeloom train` wrote to TRAINED into an integer spiking network.

    Batch-norm and all scales are absorbed into integer weights, thresholds and biases. In count
    transport the network gives the labels of the quantized model, image by image.

    \b
        spikeloom convert trained.safetensors --out net.safetensors
        spikeloom convert trained.safetensors --transport spikes --out net.safetensors
        spikeloom convert trained.safetensors --neuron if --timesteps 8 --out net.safetensors
    """
    from spikeloom.sw import checkpoint
    from spikeloom.sw.convert import convert

    trained = checkpoint.load(trained_file)
    network = convert(
        trained.model,
        transport=transport,
        neuron=neuron,
        timesteps=timesteps,
        fraction_bits=fraction_bits,
        name=name or trained.spec.rpartition(":")[2],
    )
    contract.save(network, out)
    layers = ", ".join(
        f"{layer.name} ({layer.neuron.kind}, T={layer.timesteps})" for layer in network.layers
    )
    click.echo(f"{network.name}: {layers}")
    click.echo(f"wrote {out}")
