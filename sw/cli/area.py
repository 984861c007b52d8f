"""``spikeloom area``: the area of an accelerator by component, measured by Yosys."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import table
from spikeloom.sw.cli.hardware import HardwareOptions, hardware_options
from spikeloom.sw.cli.networks import network_argument
from spikeloom.sw.cli.output import console, json_option, print_json, say, working

if TYPE_CHECKING:
    from spikeloom.hw.boards import Resources
    from spikeloom.hw.build.area import Area
    from spikeloom.hw.planning import Plan
    from spikeloom.hw.search import Amounts

FAMILIES = ("ecp5", "ice40", "nexus", "gowin")
_COLUMNS = ("#LUTs", "#flip-flops", "#block RAMs")


@click.command()
@network_argument
@click.option(
    "--family",
    type=click.Choice(FAMILIES),
    default="ecp5",
    show_default=True,
    help="Family of FPGAs to synthesise for.",
)
@hardware_options
@click.option("--counters", is_flag=True, help="Include the counters of every layer.")
@json_option
def command(
    network: contract.Network,
    family: str,
    hardware: HardwareOptions,
    counters: bool,
    as_json: bool,
) -> None:
    """Measure the area of NETWORK's accelerator, component by component.

    NETWORK is {network}.

    Yosys synthesises the accelerator that `spikeloom generate` writes with the same options: once
    with its components apart, whose look-up tables, flip-flops and block RAMs are listed, and once
    as a whole, which takes somewhat less. Beside them stand the estimates by which `plan` and
    `build` choose lanes. Link and board are left out, and nothing is placed or routed. It takes
    half a minute for a small network, and minutes for a large one.

    \b
        spikeloom area digits-conv
        spikeloom area digits-conv --family ice40 --lanes 2
        spikeloom area net.safetensors --plan plan.json --json
    """
    from spikeloom.hw.build.area import area
    from spikeloom.hw.build.family import Family
    from spikeloom.hw.planning import plan
    from spikeloom.hw.search import Budget

    planned = plan(network, hardware.config(network, counters=counters))
    with working("synthesising"):
        measured = area(planned, Family.find(family))
    budget = Budget(family=family)
    foreseen = {layer.layer.name: budget.engine(layer) for layer in planned.layers}
    content = _content(planned, family, measured, foreseen)
    if as_json:
        print_json(content)
    show(content)


def _content(
    planned: Plan, family: str, measured: Area, foreseen: dict[str, Amounts]
) -> dict[str, Any]:
    """Return measured and estimated resources as JSON values."""
    total = sum(foreseen.values(), start=next(iter(foreseen.values())).__class__())
    return {
        "family": family,
        "tools": dict(measured.versions),
        "layers": [
            {
                "name": layer.layer.name,
                "lanes": layer.lanes,
                "components": _parts(measured, layer.layer.name),
                "estimate": _amounts(foreseen[layer.layer.name]),
            }
            for layer in planned.layers
        ],
        "between": _parts(measured, ""),
        "whole": _resources(measured.whole),
        "estimate": _amounts(total),
    }


def _parts(measured: Area, layer: str) -> list[dict[str, Any]]:
    return [
        {"name": part.name, **_resources(part.resources), "cells": dict(part.cells)}
        for part in measured.components
        if part.layer == layer
    ]


def _resources(found: Resources) -> dict[str, int]:
    return {name: number for name, number in asdict(found).items() if name != "dsp"}


def _amounts(found: Amounts) -> dict[str, int]:
    return {
        "luts": round(found.luts),
        "flipflops": round(found.flipflops),
        "block_ram": found.block_ram,
    }


def show(content: dict[str, Any]) -> None:
    """Print the components, layer by layer, and the whole."""

    def cells(found: dict[str, Any]) -> list[str]:
        return [f"{found[key]:,}" for key in ("luts", "flipflops", "block_ram")]

    rows = table("layer", "component", *_COLUMNS, "#share of LUTs")
    apart = [*content["layers"], {"name": "between layers", "components": content["between"]}]
    parts = [part for layer in apart for part in layer["components"]]
    every = max(1, sum(part["luts"] for part in parts))
    for layer in apart:
        for number, part in enumerate(layer["components"]):
            name = "" if number else layer["name"]
            rows.add_row(name, part["name"], *cells(part), f"{part['luts'] / every:.0%}")
        if "estimate" in layer:
            rows.add_row("", "estimated, all of them", *cells(layer["estimate"]), "")
    console().print(rows)
    whole = table("accelerator", *_COLUMNS)
    sums = {key: sum(part[key] for part in parts) for key in ("luts", "flipflops", "block_ram")}
    whole.add_row("components apart", *cells(sums))
    whole.add_row("as a whole", *cells(content["whole"]))
    whole.add_row("estimated", *cells(content["estimate"]))
    console().print(whole)
    (version,) = content["tools"].values()
    say(f"{version}, {content['family']}; without link and board")
