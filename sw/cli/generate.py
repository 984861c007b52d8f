"""``spikeloom generate``: write Verilog."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from spikeloom.hw.options import MemoryMode
from spikeloom.sw import network as contract
from spikeloom.sw.cli.hardware import HardwareOptions, hardware_options, hardware_table
from spikeloom.sw.cli.networks import network_argument
from spikeloom.sw.cli.output import console, json_option, print_json, say, working
from spikeloom.sw.cli.outputs import Output


@click.command()
@network_argument
@click.option(
    "--out",
    required=True,
    type=Output(),
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
@click.option(
    "--memories",
    type=click.Choice([mode.value for mode in MemoryMode]),
    default=MemoryMode.AUTO.value,
    show_default=True,
    help="Where the weights go: into files beside the Verilog, inline into the Verilog, or, if one "
    "memory has more than 64 KiB, into files.",
)
@json_option
def command(
    network: contract.Network,
    out: Path,
    hardware: HardwareOptions,
    debug: bool,
    counters: bool,
    axi: bool,
    memories: str,
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
    config = dataclasses.replace(config, memories=memories)

    from spikeloom.hw import axi as wrapped
    from spikeloom.hw import verilog

    with working("generating Verilog"):
        generated = (wrapped if axi else verilog).generate(network, config)
    beside = generated.save(out)
    if as_json:
        top = generated.sidecar["top"]
        files = [str(out.parent / name) for name in generated.memories]
        print_json({"top": top, "verilog": str(out), "sidecar": str(beside), "memories": files})
    console().print(hardware_table(generated.sidecar))
    say(f"wrote {out}: Verilog of the module {generated.sidecar['top']}")
    for name in generated.memories:
        say(f"wrote {out.parent / name}: contents of a memory, which the Verilog reads")
    say(f"wrote {beside}: what its ports mean")
