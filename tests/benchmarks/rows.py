"""The rows of docs/results.md: recipes to run, and figures to compare them with."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spikeloom.sw.recipes import find

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Row:
    """A committed recipe, or a variation of one.

    Parameters
    ----------
    name : str
        Name of the row, of its records and of its network.
    group : str
        The table on the page that it belongs to.
    recipe : str
        Name of the committed recipe; by default the row's name.
    changes : mapping
        Changed values of the recipe, by dotted key: ``{"levels.weight_bits": 2}``. Phases are
        counted from 1: ``"phase.1.epochs"``. A whole phase, ``"phase.3"``, is put in at its place.
    seeds : tuple of int
    reference : str
        A figure of the literature to compare with.
    network : bool
        Whether the network of the first seed is committed.
    """

    name: str
    group: str
    recipe: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = SEEDS
    reference: str = ""
    network: bool = False

    def table(self, seed: int) -> dict[str, Any]:
        """Return the recipe with the changes and this seed, as nested tables."""
        recipe = tomllib.loads(find(self.recipe or self.name).read_text(encoding="utf-8"))
        for key, value in {**self.changes, "seed": seed}.items():
            *path, last = key.split(".")
            place: Any = recipe
            for part in path:
                place = place[int(part) - 1] if part.isdigit() else place.setdefault(part, {})
            if last.isdigit():
                place.insert(int(last) - 1, copy.deepcopy(value))
            else:
                place[last] = copy.deepcopy(value)
        return recipe


#: Groups, in the order of the page.
IMAGES, EVENTS, BITS, METHODS, LARGE = "images", "events", "bits", "methods", "large"

_QAC = "QAC, table 1"


def _spiking(neuron: str) -> dict[str, Any]:
    """Return changes by which layers exchange spikes at T = 2, with weights of 8 bits."""
    conversion = {"transport": "spikes", "neuron": neuron, "timesteps": 2}
    return {"levels.weight_bits": 8, **{f"conversion.{k}": v for k, v in conversion.items()}}


ROWS = (
    Row("digits-conv", IMAGES, network=True),
    Row("digits-residual", IMAGES),
    Row("mnist-mlp", IMAGES, network=True),
    Row("mnist-small", IMAGES, network=True),
    Row("mnist-small-4bit", IMAGES, seeds=(0,), network=True),
    Row("fashion-small", IMAGES, network=True),
    Row("mnist-lenet5", IMAGES, reference="Spiker+: 93.85 %", network=True),
    Row("mnist-lenet5-4bit", IMAGES, seeds=(0,), network=True),
    Row("mnist-lenet5-qac", IMAGES, reference="Spiker+: 93.85 %"),
    Row("fashion-net4", IMAGES, network=True),
    Row(
        "fashion-net4-leaky",
        IMAGES,
        reference="negative spikes, table 1: ANN 92.72 %, SNN 92.62 % at T = 10",
    ),
    Row("mnist-training-free", IMAGES, reference="SpikingJelly at T = 4: 59.9 %"),
    Row("nmnist-conv", EVENTS),
    Row("nmnist-spikes", EVENTS),
    *(
        Row(
            f"digits-conv-{bits}bit",
            BITS,
            "digits-conv",
            {"levels.weight_bits": bits},
            # The 2-bit network is built for the smallest FPGA.
            network=bits == 2,
        )
        for bits in (6, 4, 3, 2)
    ),
    Row("digits-qac", METHODS),
    Row("digits-cycles", METHODS),
    Row("digits-if", METHODS, "digits-ecl", {"conversion.neuron": "if"}),
    Row("digits-ecl", METHODS),
    Row("digits-calibrated", METHODS),
    Row("digits-negative", METHODS),
    Row("digits-qblif", METHODS),
    Row("digits-bernoulli", METHODS),
    Row("fashion-if", METHODS, "fashion-small", _spiking("if"), seeds=(0,)),
    Row("fashion-ecl", METHODS, "fashion-small", _spiking("dual"), seeds=(0,)),
    Row(
        "fashion-qblif",
        METHODS,
        "digits-qblif",
        {
            "model.name": "mnist-small",
            "data.name": "fashion-mnist",
            "engine.channels_last": True,
            "phase.1.epochs": 16,
            "phase.1.batch_size": 128,
            "phase.1.flip": True,
        },
        seeds=(0,),
    ),
    Row(
        "cifar10-resnet20-cpu",
        LARGE,
        seeds=(0,),
        reference=f"{_QAC}: 91.13 % at T = 3.74",
        network=True,
    ),
    Row(
        "cifar10-resnet20-public",
        LARGE,
        seeds=(0,),
        reference=f"{_QAC}: 91.13 % at T = 3.74",
        network=True,
    ),
    Row("cifar10-resnet20-public-4bit", LARGE, seeds=(0,), network=True),
    Row(
        "cifar10-resnet20-public-t15",
        LARGE,
        "cifar10-resnet20-public",
        {"conversion.timesteps": 15},
        seeds=(0,),
        network=True,
    ),
    Row("cifar10-if", LARGE, "cifar10-resnet20-public", _spiking("if"), seeds=(0,)),
    Row("cifar10-ecl", LARGE, "cifar10-resnet20-public", _spiking("dual"), seeds=(0,)),
    Row(
        "cifar10-calibrated",
        LARGE,
        "cifar10-resnet20-public",
        {**_spiking("dual"), "phase.3": {"kind": "calibrate"}},
        seeds=(0,),
    ),
    Row("cifar10-burst", LARGE, "cifar10-resnet20-public", _spiking("burst"), seeds=(0,)),
    Row("cifar10-resnet20", LARGE, seeds=(0,), reference=f"{_QAC}: 91.13 % at T = 3.74"),
    Row("cifar10-vgg16", LARGE, seeds=(0,), reference=f"{_QAC}: 94.78 % at T = 2.33"),
    Row(
        "cifar10-resnet18",
        LARGE,
        seeds=(0,),
        reference=f"{_QAC}: 95.29 % at T = 2.76; ECL: 94.75 % at T = 2",
    ),
)
