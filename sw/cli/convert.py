"""``spikeloom convert``: from a trained model to integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.coding import coding_of, coding_options, network_options


@click.command()
@click.argument("trained_file", metavar="TRAINED", type=click.Path(path_type=Path))
@coding_options("count")
@network_options
def command(
    trained_file: Path, fraction_bits: int | None, name: str | None, out: Path, **coding: Any
) -> None:
    """Turn a model that `spikeloom train` wrote to TRAINED into an integer spiking network.

    Batch-norm and all scales are absorbed into integer weights, thresholds and biases. In count
    transport the network gives the labels of the quantized model, image by image. A model that
    was trained through time has its coding already, and needs none of its options.

    \b
        spikeloom convert trained.safetensors --out net.safetensors
        spikeloom convert trained.safetensors --transport spikes --neuron dual --timesteps 2 \\
            --out net.safetensors
        spikeloom convert trained.safetensors --transport spikes --alignment aver+trunc \\
            --timesteps first=8,default=4 --out net.safetensors
    """
    options = coding_of(coding)

    from spikeloom.sw.conversion import convert
    from spikeloom.sw.training import checkpoint

    trained = checkpoint.load(trained_file)
    network = convert(
        trained.model,
        fraction_bits=fraction_bits,
        name=name or trained.spec.rpartition(":")[2],
        **options,
    )
    contract.save(network, out)
    layers = ", ".join(
        f"{layer.name} ({layer.neuron.kind}, T={layer.timesteps})" for layer in network.layers
    )
    click.echo(f"{network.name}: {layers}")
    click.echo(f"wrote {out}")
