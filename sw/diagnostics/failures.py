"""Known ways in which a quantized network fails to train, in plain words.

Each is a class that is found by its ``name``, and judges the history of all layers, epoch by epoch.
The limits are constants of this module, wide enough that healthy runs stay well inside. The ratio
of gradients, |∇W|/|∇λ|, is no criterion: in runs that go well it differs by orders of magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from spikeloom.sw.diagnostics.health import LayerHealth
from spikeloom.sw.registry import Registered

#: λ is far from what the activations want if it is off by more than this factor, ...
FAR = 3.0
#: ... and has not moved if it is within this share of where it started.
STILL = 0.02
#: A layer's λ has moved, beside one that has not, if it is this share away from its start.
MOVED = 0.1
#: Training steps before which no λ is expected to have moved.
PATIENCE = 20
#: Share of the driving inputs beyond λ, with which λ is far too small; a good one clips some 0.003.
CLIPPED = 0.5
#: Share of the driving inputs that come out as 0, with which λ is far too large. Of normally
#: distributed ones it is 0.3 with 4 levels, and 0.87 with 1 level.
BELOW = 0.97
#: Share of dead channels that is too many: trained networks have a few.
DEAD = 0.5
#: Spikes over T that are as good as none.
SILENT = 0.002
#: Share of timesteps with the largest burst: these neurons say no more than "much".
SATURATED = 0.25


@dataclass(frozen=True)
class Finding:
    """A failure that was recognised.

    Parameters
    ----------
    name : str
        Of the failure: a key of :attr:`Failure.kinds`.
    layers : tuple of str
        That it befell.
    what : str
        What is the matter, with the figures.
    advice : str
        What to do.
    """

    name: str
    layers: tuple[str, ...]
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.name}: {self.what}. {self.advice}."

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name as JSON values."""
        return asdict(self) | {"layers": list(self.layers)}


#: The layers of one epoch, in their order.
Epoch = Sequence[LayerHealth]


class Failure(Registered):
    """A known failure. A subclass is found by its ``name``."""

    kinds: ClassVar[dict[str, type[Failure]]] = {}
    name_attribute = "name"
    name: ClassVar[str]
    #: What is the matter, without a subject, and what to do.
    what: ClassVar[str]
    advice: ClassVar[str]

    def affected(self, history: Sequence[Epoch]) -> list[LayerHealth]:
        """Return the layers that have the failure; ``history`` has at least one epoch."""
        raise NotImplementedError

    def figures(self, layer: LayerHealth) -> str:
        """Return what shows it in this layer."""
        raise NotImplementedError


class NoGradient(Failure):
    """The gradient by λ, or by the weights below, is exactly 0 in a layer that fires in its range.

    Layers before one whose gradient is lost have none either, so the last one is the cause.
    """

    name = "no-gradient"
    what = "no gradient arrives, so that λ or the weights cannot learn"
    advice = (
        "The last layer named is the cause: an activation needs a straight-through estimator, "
        "the derivative of QCFS, for its floor; use our activations, or give yours that derivative"
    )

    def affected(self, history: Sequence[Epoch]) -> list[LayerHealth]:
        found: list[LayerHealth] = []
        for layer in reversed(history[-1]):
            if not _inside(layer):
                break  # nothing passes this layer, whatever its derivative
            if layer.gradient == 0 or layer.weight_gradient == 0:
                found.insert(0, layer)
        return found

    def figures(self, layer: LayerHealth) -> str:
        return f"|∇λ| {_text(layer.gradient)}, |∇W| {_text(layer.weight_gradient)}"


class FrozenThreshold(Failure):
    """λ is far from the activations, has a gradient, and stays where it is; so do all others."""

    name = "frozen-threshold"
    what = "λ has a gradient but stays where it started, far from the inputs' range"
    advice = (
        "Its learning rate is too small for the way that it has to go: initialise λ from images "
        "(initialise), and give it a higher rate than the weights (lambda_lr_factor)"
    )

    def affected(self, history: Sequence[Epoch]) -> list[LayerHealth]:
        stuck = _stuck(history)
        return stuck if stuck and not _others_move(history, stuck) else []

    def figures(self, layer: LayerHealth) -> str:
        return (
            f"λ {_text(layer.start)} -> {_text(layer.threshold)}, inputs want {_text(layer.wanted)}"
        )


class StuckEarlyLayers(FrozenThreshold):
    """λ of the first layers stays where it is, far from the activations; λ of later ones moves."""

    name = "stuck-early-layers"
    what = "λ of early layers stays where it started, while later layers learn theirs"
    advice = (
        "Warm up layer by layer before training all of them together: "
        "staged(prepared, teacher, images)"
    )

    def affected(self, history: Sequence[Epoch]) -> list[LayerHealth]:
        stuck = _stuck(history)
        return stuck if stuck and _others_move(history, stuck) else []


class FarThreshold(Failure):
    """λ of the first epoch is far off the range of the activations."""

    name = "far-threshold"
    what = "λ is far from the range of the layer's inputs"
    advice = (
        "Set it from some hundreds of training images before training: initialise(prepared, images)"
    )

    def affected(self, history: Sequence[Epoch]) -> list[LayerHealth]:
        return [
            layer
            for layer in history[0]
            if _distance(layer) > FAR
            and ((layer.clipped or 0) > CLIPPED or (layer.below or 0) > BELOW)
        ]

    def figures(self, layer: LayerHealth) -> str:
        return (
            f"λ {_text(layer.threshold)}, inputs want {_text(layer.wanted)}, "
            f"{layer.clipped or 0:.1%} clipped, {layer.below or 0:.1%} below the first level"
        )


class DeadLayer(Failure):
    """Many channels never fire."""

    name = "dead-layer"
    what = "many channels never fire, whatever the image"
    advice = (
        "They cost hardware and give nothing: lower the learning rate, check the scale of the "
        "inputs and the initialisation of weights and biases, or take fewer channels"
    )

    def affected(self, history: Sequence[Epoch]) -> list[LayerHealth]:
        return [layer for layer in history[-1] if layer.dead > DEAD]

    def figures(self, layer: LayerHealth) -> str:
        return f"{layer.dead:.0%} dead"


class SilentLayer(Failure):
    """The layer's neurons live, but hardly ever fire."""

    name = "silent-layer"
    what = "there are hardly any spikes"
    advice = (
        "λ may be too large, or T too small for the range of the inputs: initialise λ, or raise T"
    )

    def affected(self, history: Sequence[Epoch]) -> list[LayerHealth]:
        return [layer for layer in history[-1] if layer.dead <= DEAD and layer.rate < SILENT]

    def figures(self, layer: LayerHealth) -> str:
        return f"{layer.rate:.2%} of the possible spikes"


class SaturatedBursts(Failure):
    """Burst neurons fire ``largest`` spikes in many of their timesteps."""

    name = "saturated-bursts"
    what = "burst neurons fire the most spikes they can in many timesteps"
    advice = "What they leave out is lost: raise `largest`, or λ"

    def affected(self, history: Sequence[Epoch]) -> list[LayerHealth]:
        return [
            layer for layer in history[-1] if layer.largest > 1 and layer.saturation > SATURATED
        ]

    def figures(self, layer: LayerHealth) -> str:
        return f"{layer.largest} spikes in {layer.saturation:.0%} of the timesteps"


def findings(history: Sequence[Epoch]) -> list[Finding]:
    """Return the known failures that a training, or a part of it, shows.

    Parameters
    ----------
    history : sequence of sequences of LayerHealth
        What :meth:`~spikeloom.sw.diagnostics.Monitor.epoch` returned, epoch by epoch.

    Returns
    -------
    list of Finding
        In the order of :attr:`Failure.kinds`; empty if all is well, or nothing was measured.
    """
    seen = [epoch for epoch in history if epoch]
    found = []
    for kind in Failure.kinds.values() if seen else ():
        failure = kind()
        layers = failure.affected(seen)
        if layers:
            shown = "; ".join(f"{layer.name}: {failure.figures(layer)}" for layer in layers)
            names = tuple(layer.name for layer in layers)
            found.append(Finding(kind.name, names, f"{kind.what} ({shown})", kind.advice))
    return found


def _inside(layer: LayerHealth) -> bool:
    """Return whether some inputs are neither cut off nor clipped, but come out as levels."""
    return layer.clipped is not None and layer.below is not None and layer.clipped + layer.below < 1


def _distance(layer: LayerHealth) -> float:
    """Return the factor, at least 1, by which λ is off what the inputs want."""
    if not layer.threshold or not layer.wanted:
        return 1.0
    return math.exp(abs(math.log(layer.threshold / layer.wanted)))


def _stuck(history: Sequence[Epoch]) -> list[LayerHealth]:
    """Return layers whose λ has a gradient, is far off, and has not moved."""
    if 0 < sum(epoch[0].steps for epoch in history) < PATIENCE:
        return []
    return [
        layer
        for layer in history[-1]
        if layer.gradient
        and layer.moved is not None
        and abs(layer.moved) < STILL
        and _distance(layer) > FAR
    ]


def _others_move(history: Sequence[Epoch], stuck: Sequence[LayerHealth]) -> bool:
    """Return whether a layer after all stuck ones has moved well."""
    layers = list(history[-1])
    return any(abs(layer.moved or 0) > MOVED for layer in layers[layers.index(stuck[-1]) + 1 :])


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
