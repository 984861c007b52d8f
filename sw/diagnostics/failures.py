"""Known failures in the training of a quantized network, in plain words.

Each failure is a class that is found by its ``name``, and judges the history of all layers, epoch
by epoch. The limits are constants of this module, wide enough that healthy trainings stay well
inside. The ratio of gradients, |∇W|/|∇λ|, is no criterion: in trainings that go well it differs by
orders of magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from spikeloom.sw.diagnostics.health import LayerHealth
from spikeloom.sw.registry import Registered

#: λ is far off if it differs from the λ that fits the inputs by more than this factor.
FAR = 3.0
#: λ has not moved if it has changed by less than this share.
STILL = 0.02
#: λ of another layer has moved, by comparison, if it has changed by more than this share.
MOVED = 0.1
#: Training steps before which no λ is expected to have moved.
LEAST_STEPS = 20
#: λ is far too small if a larger share of the driving inputs is beyond it. A good λ clips 0.003.
CLIPPED = 0.5
#: λ is far too large if a larger share of the driving inputs comes out as 0. For normally
#: distributed inputs this share is 0.3 with 4 levels, and 0.87 with 1 level.
BELOW = 0.97
#: Too many channels are dead if their share is larger: trained networks have a few.
DEAD = 0.5
#: A layer is silent if it has fewer spikes over T.
SILENT = 0.002
#: λ has diverged if it has moved by more than this factor, and is as far off its inputs.
DIVERGED = 10.0
#: Names of the failures that a training has when it diverges.
DIVERGENCES = ("lost-threshold", "diverged-threshold", "diverged-scale")
#: Bursts are saturated if a larger share of timesteps has the largest burst.
SATURATED = 0.25


@dataclass(frozen=True)
class Finding:
    """A failure that was recognised.

    Parameters
    ----------
    name : str
        Name of the failure: a key of :attr:`Failure.kinds`.
    layers : tuple of str
        Names of the layers that have it.
    what : str
        Description of the failure, with the figures of these layers.
    advice : str
        A remedy.
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


#: Health of all layers in one epoch, in the order of the layers.
EpochHealth = Sequence[LayerHealth]


class Failure(Registered):
    """A known failure. A subclass is found by its ``name``."""

    kinds: ClassVar[dict[str, type[Failure]]] = {}
    name_attribute = "name"
    name: ClassVar[str]
    #: Description and remedy, for a :class:`Finding`.
    what: ClassVar[str]
    advice: ClassVar[str]

    def affected(self, history: Sequence[EpochHealth]) -> list[LayerHealth]:
        """Return the layers that have the failure; ``history`` has at least one epoch."""
        raise NotImplementedError

    def figures(self, layer: LayerHealth) -> str:
        """Return the figures of a layer that show the failure."""
        raise NotImplementedError

    def since(self, history: Sequence[EpochHealth], layer: LayerHealth) -> int | None:
        """Return the epoch, from 1, from which on a layer has had the failure without a break.

        None for failures that are no event, or in a history of a single epoch.
        """
        return None


class NoGradient(Failure):
    """The gradient by λ or by the layer's weights is exactly 0, though inputs are within range.

    No gradient reaches the layers before such a layer either, so the last of them is the cause.
    """

    name = "no-gradient"
    what = "no gradient arrives, so that λ or the weights cannot learn"
    advice = (
        "The last layer named is the cause: an activation needs a straight-through estimator, "
        "the derivative of QCFS, for its floor; use our activations, or give yours that derivative"
    )

    def affected(self, history: Sequence[EpochHealth]) -> list[LayerHealth]:
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
    """λ is far off and does not move despite a gradient; λ of later layers does not move either."""

    name = "frozen-threshold"
    what = "λ has a gradient but stays where it started, far from the inputs' range"
    advice = (
        "Its learning rate is too small for the way that it has to go: initialise λ from images "
        "(initialise), and give it a higher rate than the weights (lambda_lr_factor)"
    )

    def affected(self, history: Sequence[EpochHealth]) -> list[LayerHealth]:
        stuck = _stuck(history)
        return stuck if stuck and not _others_move(history, stuck) else []

    def figures(self, layer: LayerHealth) -> str:
        return (
            f"λ {_text(layer.start)} -> {_text(layer.threshold)}, inputs want {_text(layer.wanted)}"
        )


class StuckEarlyLayers(FrozenThreshold):
    """λ of early layers is far off and does not move, while λ of later layers does."""

    name = "stuck-early-layers"
    what = "λ of early layers stays where it started, while later layers learn theirs"
    advice = (
        "Warm up layer by layer before training all of them together: "
        "staged(prepared, teacher, images)"
    )

    def affected(self, history: Sequence[EpochHealth]) -> list[LayerHealth]:
        stuck = _stuck(history)
        return stuck if stuck and _others_move(history, stuck) else []


class FarThreshold(Failure):
    """λ is far from the range of the layer's inputs in the first epoch."""

    name = "far-threshold"
    what = "λ is far from the range of the layer's inputs"
    advice = (
        "Set it from some hundreds of training images before training: initialise(prepared, images)"
    )

    def affected(self, history: Sequence[EpochHealth]) -> list[LayerHealth]:
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


class _Event(Failure):
    """A failure that happens in some epoch; the last epoch decides whether a layer has it."""

    def has(self, layer: LayerHealth) -> bool:
        """Return whether a layer has the failure in an epoch."""
        raise NotImplementedError

    def affected(self, history: Sequence[EpochHealth]) -> list[LayerHealth]:
        return [layer for layer in history[-1] if self.has(layer)]

    def since(self, history: Sequence[EpochHealth], layer: LayerHealth) -> int | None:
        if len(history) == 1:
            return None
        epoch = len(history)
        while epoch > 1 and any(x.name == layer.name and self.has(x) for x in history[epoch - 2]):
            epoch -= 1
        return epoch


class LostThreshold(_Event):
    """λ has become 0, or is no number any more."""

    name = "lost-threshold"
    what = "λ is 0 or not finite, so that the layer cannot be converted"
    advice = (
        "Its training has diverged: set it anew by initialise(prepared, images), and train with a "
        "lower learning rate, or a lower one for λ (lambda_lr_factor)"
    )

    def has(self, layer: LayerHealth) -> bool:
        return layer.largest == 1 and _lost(layer)

    def figures(self, layer: LayerHealth) -> str:
        now = math.nan if layer.threshold is None else layer.threshold
        return f"λ {_text(layer.start)} -> {_text(now)}"


class DivergedThreshold(_Event):
    """λ has run away from where it started, and from the range of the inputs."""

    name = "diverged-threshold"
    what = "λ has run far away from the range of the layer's inputs during training"
    advice = (
        "Set it anew by initialise(prepared, images), and train with a lower learning rate for λ "
        "(lambda_lr_factor), a limit of the gradient (clip_gradient), or the penalty 'clipping'"
    )

    def has(self, layer: LayerHealth) -> bool:
        return layer.largest == 1 and _ran_away(layer)

    def figures(self, layer: LayerHealth) -> str:
        return (
            f"λ {_text(layer.start)} -> {_text(layer.threshold)}, inputs want {_text(layer.wanted)}"
        )


class DivergedScale(_Event):
    """The scale Δ = λ/largest of burst neurons is lost, or has run away from its inputs' range."""

    name = "diverged-scale"
    what = "the scale Δ of burst neurons, the potential that one spike takes, has diverged"
    advice = (
        "Set λ = largest·Δ anew by initialise(prepared, images), and train with a lower learning "
        "rate for it (lambda_lr_factor), a limit of the gradient (clip_gradient), or the penalty "
        "'clipping', which spiking phases can have, too"
    )

    def has(self, layer: LayerHealth) -> bool:
        return layer.largest > 1 and (_lost(layer) or _ran_away(layer))

    def figures(self, layer: LayerHealth) -> str:
        start, now, wanted = (
            None if value is None else value / layer.largest
            for value in (layer.start, layer.threshold, layer.wanted)
        )
        now = math.nan if now is None else now
        return (
            f"Δ {_text(start)} -> {_text(now)}, inputs want {_text(wanted)}, "
            f"{layer.largest} spikes in {layer.saturation:.0%} of the timesteps"
        )


class DeadLayer(Failure):
    """Many channels of the layer never fire."""

    name = "dead-layer"
    what = "many channels never fire, whatever the image"
    advice = (
        "They cost hardware and give nothing: lower the learning rate, check the scale of the "
        "inputs and the initialisation of weights and biases, or take fewer channels"
    )

    def affected(self, history: Sequence[EpochHealth]) -> list[LayerHealth]:
        return [layer for layer in history[-1] if layer.dead > DEAD]

    def figures(self, layer: LayerHealth) -> str:
        return f"{layer.dead:.0%} dead"


class SilentLayer(Failure):
    """The layer's channels are not dead, but hardly ever fire."""

    name = "silent-layer"
    what = "there are hardly any spikes"
    advice = (
        "λ may be too large, or T too small for the range of the inputs: initialise λ, or raise T"
    )

    def affected(self, history: Sequence[EpochHealth]) -> list[LayerHealth]:
        return [layer for layer in history[-1] if layer.dead <= DEAD and layer.rate < SILENT]

    def figures(self, layer: LayerHealth) -> str:
        return f"{layer.rate:.2%} of the possible spikes"


class SaturatedBursts(Failure):
    """Burst neurons fire ``largest`` spikes in many of their timesteps."""

    name = "saturated-bursts"
    what = "burst neurons fire the most spikes they can in many timesteps"
    advice = "What they leave out is lost: raise `largest`, or λ"

    def affected(self, history: Sequence[EpochHealth]) -> list[LayerHealth]:
        return [
            layer for layer in history[-1] if layer.largest > 1 and layer.saturation > SATURATED
        ]

    def figures(self, layer: LayerHealth) -> str:
        return f"{layer.largest} spikes in {layer.saturation:.0%} of the timesteps"


def findings(history: Sequence[EpochHealth]) -> list[Finding]:
    """Return the known failures in a training, or in a part of it.

    Parameters
    ----------
    history : sequence of sequences of LayerHealth
        Results of :meth:`~spikeloom.sw.diagnostics.Monitor.epoch`, epoch by epoch.

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
            shown = "; ".join(
                f"{layer.name}: {failure.figures(layer)}{_from(failure.since(seen, layer))}"
                for layer in layers
            )
            names = tuple(layer.name for layer in layers)
            found.append(Finding(kind.name, names, f"{kind.what} ({shown})", kind.advice))
    return found


def _inside(layer: LayerHealth) -> bool:
    """Return whether some driving inputs are neither clipped nor below the first level."""
    return layer.clipped is not None and layer.below is not None and layer.clipped + layer.below < 1


def _lost(layer: LayerHealth) -> bool:
    """Return whether λ is 0 or not finite."""
    if layer.threshold is None:
        return layer.steps > 0  # a layer that is trained has a λ, and JSON has no such numbers
    return not 0 < layer.threshold < math.inf


def _ran_away(layer: LayerHealth) -> bool:
    """Return whether λ has moved far, to where the inputs are not."""
    if layer.moved is None or layer.start is None or not layer.threshold or _lost(layer):
        return False
    moved = abs(math.log(layer.threshold) - math.log(layer.start))
    return moved > math.log(DIVERGED) and _distance(layer) > DIVERGED


def _from(epoch: int | None) -> str:
    return "" if epoch is None else f", from epoch {epoch} on"


def _distance(layer: LayerHealth) -> float:
    """Return the factor, at least 1, between λ and the λ that fits the inputs."""
    if not layer.wanted or not 0 < layer.wanted < math.inf or _lost(layer) or not layer.threshold:
        return 1.0
    logarithm = abs(math.log(layer.threshold) - math.log(layer.wanted))
    return math.exp(logarithm) if logarithm < 700 else math.inf


def _stuck(history: Sequence[EpochHealth]) -> list[LayerHealth]:
    """Return layers whose λ has a gradient, is far off, and has not moved."""
    if 0 < sum(epoch[0].steps for epoch in history) < LEAST_STEPS:
        return []
    return [
        layer
        for layer in history[-1]
        if layer.gradient
        and layer.moved is not None
        and abs(layer.moved) < STILL
        and _distance(layer) > FAR
    ]


def _others_move(history: Sequence[EpochHealth], stuck: Sequence[LayerHealth]) -> bool:
    """Return whether λ of a layer after the last stuck one has moved."""
    layers = list(history[-1])
    return any(abs(layer.moved or 0) > MOVED for layer in layers[layers.index(stuck[-1]) + 1 :])


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
