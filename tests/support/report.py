"""Folders of figures, as commands write them, for reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import Network, save

#: A text that would end a script, and run another, if a page took it for HTML.
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>&\u2028'\""
Json = dict[str, Any]


def simulation(names: list[str], stalls: float = 0.0) -> Json:
    """Return the report of a cosimulation of some layers; the second one is the slowest."""
    tally = {"compared": 40, "differing": 0}
    return {
        "images": 4,
        "equal": True,
        "due": 120,
        "compared": 120,
        "differing": 0,
        "divergence": None,
        "stuck": None,
        "broken": 0,
        "accuracy": 0.75,
        "cycles": 4321,
        "cycles_per_image": 1080.25,
        "latency": 1200,
        "interval": 1040.5,
        "stalls": [stalls, stalls],
        "seed": 0,
        "layers": [
            {
                "name": name,
                **tally,
                "quantities": {"spikes": tally},
                "cycles": 1000 + (k == 1) * 777,
                "events": 900 + k,
                "starved": 10 * k,
                "blocked": 5,
                "utilisation": 0.9,
            }
            for k, name in enumerate(names)
        ],
        "output": {"logits": tally},
    }


def demo(network: Network) -> Json:
    """Return the figures of ``spikeloom demo``, of a data set that does not come with Spikeloom."""
    names = [layer.name for layer in network.layers]
    accuracy = {"float": 0.99, "quantized": 0.98, "golden": 0.97, "hardware": 0.97}
    return {
        **simulation(names),
        "accuracy": accuracy,
        "stalled": simulation(names, 0.3),
        "network": {"name": network.name, "digest": network.digest},
        "data": "somewhere",
        "seed": 0,
    }


def area(names: list[str]) -> Json:
    """Return what ``spikeloom area --json`` prints."""
    cells = {"luts": 100, "flipflops": 50, "block_ram": 1}
    parts = [{"name": "pes", **cells, "cells": {"LUT4": 100}}, {"name": "neurons", **cells}]
    layers = [{"name": x, "lanes": 2, "components": parts, "estimate": cells} for x in names]
    return {
        "family": "ecp5",
        "tools": {"yosys": "0.1"},
        "layers": layers,
        "between": parts,
        "whole": {"luts": 777, "flipflops": 333, "block_ram": 4},
        "estimate": cells,
    }


def result(network: Network) -> Json:
    """Return the result of a training by recipe."""
    return {
        "model": "some",
        "data": "somewhere",
        "images": 50,
        "float_accuracy": 0.96,
        "quantized_accuracy": 0.95,
        "spiking_accuracy": None,
        "integer_accuracy": 0.95,
        "differing_labels": 0,
        "differing_spiking_labels": None,
        "timesteps": {layer.name: layer.timesteps for layer in network.layers},
        "average_timesteps": 2.5,
        "network": network.digest,
    }


def sweep() -> Json:
    """Return the figures of a sweep: four complete trials, two of them the front, and a failed one.

    Trial 3 has the values of trial 0, and trial 4 is not better than trial 1 in anything.
    """

    def trial(number: int, values: Json, figures: Json, **more: Any) -> Json:
        about = {"state": "complete", "reason": "", "same_as": None, "test_accuracy": None}
        return {"number": number, "values": values, "figures": figures, **about, **more}

    def values(timesteps: int, bits: int, neuron: str) -> Json:
        return {
            "levels.timesteps": timesteps,
            "levels.weight_bits": bits,
            "conversion.neuron": neuron,
        }

    def figures(accuracy: float, cycles: float, luts: float) -> Json:
        return {"accuracy": accuracy, "cycles": cycles, "luts": luts, "timesteps": 2.5}

    larger = {"title": "accuracy", "better": "larger"}
    smaller = {"cycles": "cycles/image", "luts": "LUTs", "timesteps": "mean T"}
    wrong = "weight bits must be from 2 to 16, not 20"
    return {
        "format": "spikeloom-sweep",
        "version": 1,
        "recipe": "digits-conv",
        "objectives": ["accuracy", "cycles", "luts"],
        "measures": {
            "accuracy": larger,
            **{key: {"title": title, "better": "smaller"} for key, title in smaller.items()},
        },
        "trials": [
            trial(0, values(2, 4, "if"), figures(0.75, 120.5, 900.0), test_accuracy=0.6875),
            trial(1, values(4, 8, "ladder"), figures(0.9375, 2400.25, 1500.0), test_accuracy=0.875),
            trial(2, values(4, 20, "if"), {}, state="failed", reason=wrong),
            trial(3, values(2, 4, "if"), figures(0.75, 120.5, 900.0), same_as=0),
            trial(4, values(3, 8, "if"), figures(0.5, 2500.0, 1600.0)),
        ],
        "complete": 4,
        "failed": 1,
        "lost_workers": 1,
        "front": [
            {"number": 1, "network": "runs/sweep/front/0001/network.safetensors"},
            {"number": 0, "network": "runs/sweep/front/0000/network.safetensors"},
        ],
    }


def manifest(network: Network, path: Path, **more: Any) -> Json:
    """Write the manifest of a build, and return its content."""
    names = [layer.name for layer in network.layers]
    content = {
        "format": "spikeloom-bitstream",
        "version": 1,
        "board": "some-board",
        "device": "some-device",
        "network": {"name": network.name, "digest": network.digest, "accuracy": {"float": 0.9}},
        "config": {"lanes": dict.fromkeys(names, 1), "events": dict.fromkeys(names, 1)},
        "hardware": {"layers": [{"name": x, "lanes": 1, "events": 1} for x in names]},
        "resources": {"luts": {"used": 30, "available": 120}},
        "oscillator_mhz": 12.0,
        "clock_mhz": 25.0,
        "fmax_mhz": 31.25,
        "prediction": None,
        "self_test": {"images": 2, "source": "pixels"},
        "tools": {"yosys": "0.1"},
        "bitstream": None,
        **more,
    }
    Manifest(content, path).save()
    return content


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def folder(path: Path, network: Network) -> Path:
    """Write a folder with a network, figures of the demo, area, and a build; return it."""
    path.mkdir()
    save(network, path / "network.safetensors")
    write(path / "report.json", demo(network))
    write(path / "area.json", area([layer.name for layer in network.layers]))
    manifest(network, path / "board.json")
    return path


def images(network: Network, path: Path, count: int = 3) -> np.ndarray[Any, Any]:
    """Write random images that fit a network's input, and return them."""
    pixels = network.input.pixels()
    shape = (count, *network.input.image_shape)
    drawn = np.random.default_rng(0).integers(pixels.low, pixels.high + 1, shape)
    np.savez(path, images=drawn, labels=np.zeros(count, np.int64))
    return drawn


def embedded(page: str, name: str = "report") -> Any:
    """Return JSON that a page holds, as a browser finds it: to the first end of a script."""
    text = page.split(f'id="{name}">', 1)[1].split("</script>", 1)[0]
    return json.loads(text)
