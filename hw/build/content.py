"""The content of a manifest, as far as it does not depend on the tools."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeloom.hw.axi import AxiPlan
from spikeloom.hw.build.choices import Choices, DeviceChoices, Images, OverlayChoices
from spikeloom.hw.build.energy import FpgaEnergy
from spikeloom.hw.build.family import Family
from spikeloom.hw.device import Device
from spikeloom.hw.planning.plan import Plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.hw.verilog import describe
from spikeloom.sw.golden import Meter
from spikeloom.sw.golden.figures import FIGURES, figures
from spikeloom.sw.link import VERSION
from spikeloom.sw.link import VERSION as PROTOCOL
from spikeloom.sw.link.manifest import FORMAT
from spikeloom.sw.sealed import digest


def manifest_of(device: Device, choices: DeviceChoices) -> dict[str, Any]:
    """Return the content of a manifest, with the entries that tools find out left empty.

    Parameters
    ----------
    device : Device
        Made by these choices.
    choices : DeviceChoices
    """
    content = _common(device.plan, choices)
    # The host needs the number of bits that a value takes on the line.
    content["hardware"]["input"]["value_bits"] = device.link.value_bits
    return content | {
        "self_test": _self_test(choices),
        "link": {"protocol": PROTOCOL, **device.link.description()},
    }


def overlay_manifest_of(planned: Plan, choices: OverlayChoices) -> dict[str, Any]:
    """Return the content of an overlay's manifest: registers in ``"hardware"``, and no link.

    Parameters
    ----------
    planned : Plan
    choices : OverlayChoices
    """
    content = _common(planned, choices)
    content["hardware"]["axi"] = AxiPlan(planned).description()
    return content


def _common(planned: Plan, choices: Choices) -> dict[str, Any]:
    network, board = choices.network, choices.board
    slots, units = planned.config.slots, planned.config.units
    return {
        "format": FORMAT,
        "version": VERSION,
        "board": board.name,
        "device": board.device,
        "network": {
            "name": network.name,
            "digest": network.digest,
            "accuracy": network.about.get("accuracy"),
            "dataset": network.about.get("dataset"),
            # The host decides by it; without one, the largest logit is the label.
            **({"task": network.about["task"]} if "task" in network.about else {}),
        },
        "config": {
            "lanes": {layer.layer.name: layer.lanes for layer in planned.layers},
            "events": {layer.layer.name: layer.events for layer in planned.layers},
            "slots": slots if isinstance(slots, int) else dict(slots),
            "time": planned.config.time,
            "planes": dict(planned.config.planes or {}),
            # Left out of other designs, whose manifests are older than the fields.
            **({"copies": dict(planned.config.copies)} if planned.config.copies else {}),
            **({"compact": True} if planned.config.compact else {}),
            **({"units": units if isinstance(units, int) else dict(units)} if units else {}),
        },
        "hardware": describe(planned),
        "tools": {},
        "resources": None,
        "routed": False,
        "oscillator_mhz": board.clock,
        "clock_mhz": choices.mhz,
        "fmax_mhz": None,
        "prediction": None,
        **dict.fromkeys(FIGURES),
        "self_test": None,
        "link": None,
        "bitstream": None,
    }


def _self_test(choices: DeviceChoices) -> dict[str, Any] | None:
    logits = choices.logits
    if logits is None:
        return None
    return {
        "images": len(logits),
        "labels": logits.argmax(1).tolist(),
        "logits_sha256": digest(np.ascontiguousarray(logits, "<i8").tobytes()),
    }


def measured(
    planned: Plan, clock: int, images: Images | None, family: Family, luts: int
) -> dict[str, Any]:
    """Return a manifest's prediction of the pace, and the work and energy for the same images.

    All are None if the images are not from a data set.

    Parameters
    ----------
    planned : Plan
    clock : int
        Hz.
    images : Images, optional
    family : Family
    luts : int
        Look-up tables of the whole design.
    """
    if images is None or not images.real:
        return {"prediction": None, **figures(planned.network, None)}
    meter = Meter(planned.network)
    found = predict(planned, activity(planned.network, images.pixels, meter))
    pace = found.interval or float(found.latency)
    energy = FpgaEnergy.of(family, luts, pace, meter.work).as_dict()
    prediction = {
        "images": len(images.pixels),
        "source": images.source,
        "cycles_per_image": round(pace, 1),
        "latency_cycles": found.latency,
        "images_per_second": round(clock / pace, 1),
        "slowest": found.slowest.name,
    }
    return {"prediction": prediction, **figures(planned.network, meter.work, energy)}
