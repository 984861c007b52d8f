"""``spikeloom convert``: from a trained model to integers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.coding import coding_of, coding_options, network_options
from spikeloom.sw.cli.output import json_option, print_json, say, working
from spikeloom.sw.errors import SpikeloomError

if TYPE_CHECKING:
    from spikeloom.sw.training.trained import Trained

#: Images that the network and its model are compared on.
CHECKED = 64


@click.command()
@click.argument("trained_file", metavar="TRAINED", type=click.Path(path_type=Path))
@coding_options("count")
@network_options
@json_option
def command(
    trained_file: Path,
    fraction_bits: int | None,
    name: str | None,
    out: Path,
    as_json: bool,
    **coding: Any,
) -> None:
    """Turn a model that `spikeloom train` wrote to TRAINED into an integer spiking network.

    Batch-norm and all scales are absorbed into integer weights, thresholds and biases. In count
    transport the network gives the labels of the quantized model, image by image. A model that
    was trained through time has its coding already, and needs none of its options. Network and
    model are compared on some images; where they should be equal and are not, nothing is written.

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
    with working("comparing the network with its model"):
        found = _check(network, trained, fraction_bits is None)
    contract.save(network, out)
    if as_json:
        print_json(
            {
                "name": network.name,
                "digest": network.digest,
                "layers": [
                    {"name": x.name, "neuron": x.neuron.kind, "timesteps": x.timesteps}
                    for x in network.layers
                ],
                "checked": found,
                "out": str(out),
            }
        )
    layers = ", ".join(
        f"{layer.name} ({layer.neuron.kind}, T={layer.timesteps})" for layer in network.layers
    )
    say(f"{network.name}: {layers}")
    if found is not None:
        say(found)
    say(f"wrote {out}")


def _check(network: contract.Network, trained: Trained, exact: bool) -> str | None:
    """Return on how many images the network agrees with its model; None if that cannot be told.

    The images are the first of the test split, if it can be loaded without a folder, and otherwise
    random pixels.
    """
    import numpy as np

    from spikeloom.sw.conversion import agreement
    from spikeloom.sw.datasets import first_images
    from spikeloom.sw.tasks import name_of_network

    if network.input.kind != "direct" or trained.model is not trained.prepared:
        return None
    task = name_of_network(network.about)
    try:
        images = first_images(trained.dataset, network.input, CHECKED, task=task)
        what = f"test images of {trained.dataset}"
    except SpikeloomError:
        pixels, shape = network.input.pixels(), network.input.image_shape
        rng = np.random.default_rng(0)
        images = rng.integers(pixels.low, pixels.high, (CHECKED, *shape), endpoint=True)
        what = "images of random pixels"
    found = agreement(network, trained.prepared, images, exact=exact)
    return f"checked on {len(images)} {what}: {found}"
