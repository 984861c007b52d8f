"""``spikeloom generate``: write Verilog."""

from __future__ import annotations

from pathlib import Path

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.hardware import HardwareOptions, hardware_options, hardware_table
from spikeloom.sw.cli.networks import network_argument
from spikeloom.sw.cli.output import console, json_option, print_json, say, working


@click.command()
@network_argument
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Verilog file to write; what it is (ports, lanes, widths) goes beside it as .json.",
)
@hardware_options
@click.option(
    "--debug", is_flag=True, help="Add taps that show every spike, potential and sent value."
)
@click.option(
    "--counters", is_flag=True, help="Add counters of cycles, events and waits to every layer."
)
@click.option(
    "--axi",
    is_flag=True,
    help="Give it the ports of AXI4-Stream and AXI4-Lite; the .json then has the register map.",
)
@json_option
def command(
    network: contract.Network,
    out: Path,
    hardware: HardwareOptions,
    debug: bool,
    counters: bool,
    axi: bool,
    as_json: bool,
) -> None:
    """Write the accelerator of NETWORK as Verilog.

    NETWORK is {network}.

    The Verilog is one module with a stream of pixels in and a stream of logits out, both with
    valid and ready; with --axi, as buses of AXI, and with registers. The same network and options
    give the same bytes. It belongs to you.

    \b
        spikeloom generate net.safetensors --out build/net.v
        spikeloom generate net.safetensors --out build/net.v --lanes 4 --events 2
        spikeloom generate net.safetensors --out build/net.v --lanes conv1=8,fc=4 --counters
        spikeloom generate net.safetensors --out build/net.v --axi --counters
    """
    config = hardware.config(network, debug=debug, counters=counters)

    from spikeloom.hw import axi as wrapped
    from spikeloom.hw import verilog

    with working("generating Verilog"):
        generated = (wrapped if axi else verilog).generate(network, config)
    beside = generated.save(out)
    if as_json:
        top = generated.sidecar["top"]
        print_json({"top": top, "verilog": str(out), "sidecar": str(beside)})
    console().print(hardware_table(generated.sidecar))
    say(f"wrote {out}: Verilog of the module {generated.sidecar['top']}")
    say(f"wrote {beside}: what its ports mean")
