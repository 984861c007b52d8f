"""Predicted clock cycles, for ``inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import table
from spikeloom.sw.cli.output import console, say
from spikeloom.sw.cli.work import fpga_energy

if TYPE_CHECKING:
    from spikeloom.hw.planning import HardwareConfig


def predict_cycles(
    network: contract.Network,
    data: str,
    root: Path | None,
    limit: int | None,
    config: HardwareConfig,
    clock: float | None,
) -> dict[str, Any]:
    """Return what the test images of a data set take, as JSON values.

    These are the predicted clock cycles, as ``prediction``, and the network's work and energy, by
    :data:`~spikeloom.sw.golden.figures.FIGURES`.

    Parameters
    ----------
    network : Network
    data : str
        Name of the data set, or a path to data of the user's own.
    root : path, optional
        Folder with its files.
    limit : int, optional
        Number of images, the first ones; by default all.
    config : HardwareConfig
        The user's choices about the hardware.
    clock : float, optional
        Clock frequency in MHz, for the images per second.
    """
    from spikeloom.hw.planning import plan
    from spikeloom.hw.prediction import activity, predict
    from spikeloom.sw import datasets
    from spikeloom.sw.golden import Meter
    from spikeloom.sw.golden.figures import figures
    from spikeloom.sw.tasks import name_of_network

    planned = plan(network, config)
    task = name_of_network(network.about)
    images = datasets.images_to_run(data, network.input, root, task)[0][:limit]
    meter = Meter(network)
    found = predict(planned, activity(network, images, meter))
    pace = found.interval or float(found.latency)
    prediction = {
        "data": data,
        **found.as_dict(),
        "slowest": found.slowest.name,
        "clock_mhz": clock,
        "images_per_second": None if clock is None else clock * 1e6 / pace,
    }
    energy = fpga_energy(planned, pace, meter.work)
    return {"prediction": prediction, **figures(network, meter.work, energy)}


def show_prediction(prediction: dict[str, Any]) -> None:
    """Print a prediction from :func:`predict_cycles`."""
    images = prediction["images"]
    out = console()
    out.print(
        f"predicted clock cycles per image, for {images} of {prediction['data']}:", markup=False
    )
    layers = table(
        *("layer", "#lanes M", "#events E", "#events", "#limit", "#cycles", "#utilisation"),
        *("#starved", "#blocked"),
    )
    for layer in prediction["layers"]:
        layers.add_row(
            layer["name"],
            str(layer["lanes"]),
            str(layer["events_per_cycle"]),
            *(f"{layer[key]:,.1f}" for key in ("events", "limit", "cycles")),
            f"{layer['utilisation']:.3f}",
            *(f"{layer[key]:,.1f}" for key in ("starved", "blocked")),
        )
    out.print(layers)
    text = f"the slowest layer is {prediction['slowest']}"
    if prediction["interval"] is not None:
        text += f"; an image takes {prediction['interval']:,.1f} clock cycles"
    say(f"{text}; the first one takes {prediction['latency']:,}")
    if prediction["images_per_second"] is not None:
        say(
            f"{prediction['images_per_second']:,.0f} images per second, if the clock is "
            f"{prediction['clock_mhz']:g} MHz"
        )
