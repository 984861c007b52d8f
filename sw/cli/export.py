"""``spikeloom export``: a network for other toolkits."""

from __future__ import annotations

from pathlib import Path

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.networks import network_argument
from spikeloom.sw.cli.output import json_option, print_json, say
from spikeloom.sw.errors import ConfigError

#: Ending of the names of files that it writes.
SUFFIX = ".nir"


@click.command()
@network_argument
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The .nir file to write."
)
@json_option
def command(network: contract.Network, out: Path, as_json: bool) -> None:
    """Write NETWORK ({network}) as a graph of NIR.

    Other toolkits read its weights, thresholds, leaks and biases. Its metadata keep the rest, so
    that `spikeloom import` makes the identical network of it.

    \b
        spikeloom export net.safetensors --out net.nir
        spikeloom import net.nir --out again.safetensors
    """
    if out.suffix.lower() != SUFFIX:
        raise ConfigError(f"{out} must end in {SUFFIX}: networks are exported as NIR")
    from spikeloom.sw.importing import write_nir

    write_nir(network, out)
    if as_json:
        print_json({"name": network.name, "digest": network.digest, "out": str(out)})
    say(f"wrote {out}")
