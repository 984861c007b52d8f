"""``spikeloom inspect``: print a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import data_options, shape_text, span_text, table
from spikeloom.sw.cli.device import clock_option
from spikeloom.sw.cli.hardware import HardwareOptions, hardware_options
from spikeloom.sw.cli.networks import network_argument
from spikeloom.sw.cli.output import console, json_option, print_json, working
from spikeloom.sw.cli.prediction import predict_cycles, show_prediction
from spikeloom.sw.cli.settings import was_given
from spikeloom.sw.cli.work import show_work
from spikeloom.sw.errors import ConfigError


@click.command()
@network_argument
@data_options(default=None)
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="The first N test images only; a hundredth of a second each, and more in large networks.",
)
@hardware_options
@clock_option("Also say how many images that is per second at this clock, which is not promised.")
@json_option
def command(
    network: contract.Network,
    data: str | None,
    data_root: Path | None,
    limit: int | None,
    hardware: HardwareOptions,
    clock: float | None,
    as_json: bool,
) -> None:
    """Print the contents of NETWORK.

    NETWORK is {network}.

    Per layer: the shape of its feature map, its timesteps T, neuron and incoming connections;
    the bits of its weights; the range of its thresholds and other parameters; the range of its
    spikes, and the widths of its accumulator and membrane potential in hardware, which are
    proven, not measured.

    With --data, also the clock cycles that the hardware of `spikeloom generate` with the same
    options will need for these images, layer by layer. They are computed from the values that the
    layers send, which takes far less time than a simulation. The additions, reads of weights and
    spikes are counted, and energy is estimated from them (docs/energy.md).

    \b
        spikeloom inspect net.safetensors
        spikeloom inspect net.safetensors --json | jq '.layers[].timesteps'
        spikeloom inspect net.safetensors --data digits --limit 100 --clock 50
        spikeloom inspect net.safetensors --data digits --lanes conv1=8,fc=4
    """
    given = hardware != HardwareOptions() or any(x is not None for x in (limit, clock))
    if data is None and (given or was_given("data_root")):
        raise ConfigError(
            "cycles depend on the images: give --data, or leave out --data-root, --limit, --plan, "
            "--lanes, --events, --slots, --units, --time, --planes, --copies, --compact and --clock"
        )
    summary = summarize(network)
    if data is not None:
        config = hardware.config(network)
        with working("predicting clock cycles"):
            summary |= predict_cycles(network, data, data_root, limit, config, clock)
    if as_json:
        print_json(summary)
    else:
        _print(summary)
        if data is not None:
            show_prediction(summary["prediction"])
            show_work(summary)


def summarize(network: contract.Network) -> dict[str, Any]:
    """Return the facts that ``inspect`` prints, as JSON values.

    Widths are in bits. ``synapses`` is the number of pairs of a source value (after pooling) and a
    target neuron that a weight connects, without padding; ``parameters`` the number of stored
    integers.
    """
    layers = [_summarize_layer(network, layer) for layer in network.layers]
    return {
        "name": network.name,
        "digest": network.digest,
        "about": dict(network.about),
        "input": network.input.header(),
        "classes": network.classes,
        "layers": layers,
        "synapses": sum(layer["synapses"] for layer in layers),
        "parameters": sum(layer["parameters"] for layer in layers),
    }


def _summarize_layer(network: contract.Network, layer: contract.Layer) -> dict[str, Any]:
    connections = []
    for connection in layer.connections:
        source = connection.pooled_shape(network.shapes[connection.source])
        weight = connection.synapses.weight
        pool = connection.pool
        connections.append(
            {
                "source": connection.source,
                "transport": connection.transport,
                "pool": pool.header() if pool else None,
                "synapses": connection.synapses.header(),
                "weight_shape": list(weight.shape),
                "weight_range": [int(weight.min()), int(weight.max())],
                "weight_bits": contract.Range(int(weight.min()), int(weight.max())).width,
                "zero_weights": int((weight == 0).sum()),
                "synapse_count": connection.synapses.pairs(source),
            }
        )
    tensors = layer.neuron.tensors()
    ranges = network.ranges[layer.name]
    return {
        "name": layer.name,
        "shape": list(network.shapes[layer.name]),
        "timesteps": layer.timesteps,
        "neuron": layer.neuron.header(),
        "ranges": {name: [int(v.min()), int(v.max())] for name, v in tensors.items()},
        "connections": connections,
        "spike_range": [ranges.spike.low, ranges.spike.high],
        "count_range": [ranges.count.low, ranges.count.high],
        "accumulator_width": ranges.accumulator.width,
        "potential_width": ranges.potential.width,
        "synapses": sum(c["synapse_count"] for c in connections),
        "parameters": sum(v.size for v in tensors.values())
        + sum(c.synapses.weight.size for c in layer.connections),
    }


def _print(summary: dict[str, Any]) -> None:
    out = console()
    entry = summary["input"]
    out.print(
        f"{summary['name']}: {_header_text(entry, 'input')}, {len(summary['layers'])} layers, "
        f"{summary['classes']} classes, "
        f"{summary['synapses']:,} synapses, {summary['parameters']:,} parameters",
        markup=False,
    )
    out.print(f"digest {summary['digest']}", markup=False)
    layers = table(
        "layer", "shape", "#T", "neuron", "parameters", "#spikes", "#A bits", "#v bits", "#synapses"
    )
    ways = table("into", "source", "transport", "pool", "synapses", "weights", "#bits", "#zero")
    for layer in summary["layers"]:
        neuron = {k: v for k, v in layer["neuron"].items() if k != "kind"}
        layers.add_row(
            layer["name"],
            shape_text(layer["shape"]),
            str(layer["timesteps"]),
            layer["neuron"]["kind"],
            "\n".join(
                [f"{name} {span_text(*span)}" for name, span in layer["ranges"].items()]
                + [f"{name} {value}" for name, value in neuron.items() if value is not None]
            ),
            span_text(*layer["spike_range"]),
            str(layer["accumulator_width"]),
            str(layer["potential_width"]),
            f"{layer['synapses']:,}",
        )
        for way in layer["connections"]:
            ways.add_row(
                layer["name"],
                way["source"],
                way["transport"],
                _header_text(way["pool"]) if way["pool"] else "-",
                f"{_header_text(way['synapses'])} {shape_text(way['weight_shape'])}",
                span_text(*way["weight_range"]),
                str(way["weight_bits"]),
                f"{way['zero_weights'] / int(np.prod(way['weight_shape'])):.1%}",
            )
    out.print(layers)
    out.print(ways)
    for key, value in summary["about"].items():
        out.print(f"{key}: {_about_text(value)}", markup=False)


def _about_text(value: Any) -> str:
    """Return a value that a network says of itself, such as ``float 0.9811, quantized 0.9838``."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_about_text(part)}" for key, part in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _header_text(header: dict[str, Any], *nouns: str) -> str:
    """Return a record's JSON part in a few words, such as ``conv2d stride 2x2``."""
    words = [header["kind"], *nouns]
    for key, value in header.items():
        if key != "kind":
            words.append(
                f"{key} {shape_text(value) if isinstance(value, (list, tuple)) else value}"
            )
    return " ".join(words)
