"""Before training: thresholds λ from sample images, and a warm-up layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from spikeloom.sw.datasets import DataLike, inputs_of
from spikeloom.sw.errors import ConfigError, DataError, UnsupportedError
from spikeloom.sw.graph import analyse, trace
from spikeloom.sw.progress import Choice, shown
from spikeloom.sw.quantized.activations import Activation
from spikeloom.sw.quantized.prepared import (
    META,
    activation_of,
    device_of,
    layers_of,
    require_images,
    task_of,
)
from spikeloom.sw.quantized.weights import weights_of
from spikeloom.sw.registry import Registered

PERCENTILE = 99.7
#: Largest number of a layer's values that the search for the least squared error looks at.
MAX_VALUES = 1 << 17
#: λ relative to the largest value, tried first: 2^1/4, 2^1/8, ... 2^-8.
_COARSE = [2.0 ** (step / 8) for step in range(-64, 3)]
#: ... and then around the best of them.
_FINE = [2.0 ** (step / 64) for step in range(-8, 9)]

#: Learning rate of weights in a staged warm-up, relative to that of λ.
WEIGHTS_LR_FACTOR = 0.1


class Method(Registered):
    """A way to choose λ by the inputs of an activation. A subclass is found by its ``name``.

    Parameters
    ----------
    percentile : float
        Above 0, up to 100.

    Raises
    ------
    ConfigError
        If the percentile is out of range.
    """

    kinds: ClassVar[dict[str, type[Method]]] = {}
    name_attribute = "name"
    name: ClassVar[str]

    def __init__(self, percentile: float = PERCENTILE) -> None:
        if not 0 < percentile <= 100:
            raise ConfigError(f"the percentile must be above 0 and up to 100, not {percentile}")
        self.percentile = percentile

    def set(self, activation: Activation, values: Tensor) -> None:
        """Set λ of ``activation``, whose inputs are ``values``. If it never fires, λ stays."""
        raise NotImplementedError


class Percentile(Method):
    """λ such that a share of the values that are not cut off fits in its range.

    With a share below 100, a few outliers do not stretch the levels.
    """

    name = "percentile"

    def set(self, activation: Activation, values: Tensor) -> None:
        activation.initialise_from(values, self.percentile)


class SquaredError(Method):
    """λ with the least squared error of the activation against the function it approximates.

    With few levels a smaller λ than any percentile's can be best: steps become finer for the many
    small values, and the few large ones are clipped. The percentile's λ is among the candidates.
    """

    name = "mse"

    def set(self, activation: Activation, values: Tensor) -> None:
        values = values.detach().flatten().float()
        values = values[ideal(activation, values) != 0]  # without error, whatever λ is
        if not len(values):
            return
        if len(values) > MAX_VALUES:
            drawn = torch.Generator().manual_seed(0)
            picked = torch.randint(len(values), (MAX_VALUES,), generator=drawn)
            values = values[picked.to(values.device)]
        starts = []
        for percentile in (100, self.percentile):
            activation.initialise_from(values, percentile)
            starts.append(activation.threshold)
        coarse = [*starts, *(starts[0] * ratio for ratio in _COARSE)]
        best = min(coarse, key=lambda tried: error(activation, values, tried))
        fine = [best * ratio for ratio in _FINE]
        activation.set_threshold(min(fine, key=lambda tried: error(activation, values, tried)))


def ideal(activation: Activation, values: Tensor) -> Tensor:
    """Return ``values`` after the function that ``activation`` approximates, such as ReLU."""
    exact = torch.where(values < 0, activation.slope * values, values)
    return exact if activation.limit is None else exact.clamp(-activation.limit, activation.limit)


def error(activation: Activation, values: Tensor, threshold: float) -> float:
    """Set λ of ``activation``, and return the sum of its squared errors against `ideal`."""
    with torch.no_grad():
        activation.set_threshold(threshold)
        difference = activation.forward(values) - ideal(activation, values)
        return float(difference.square().sum(dtype=torch.float64))


def initialise(
    prepared: fx.GraphModule,
    images: Tensor | DataLike,
    method: str = Percentile.name,
    percentile: float = PERCENTILE,
) -> None:
    """Set every threshold λ from the activations that calibration images cause.

    Thresholds are set layer by layer, so that each layer sees the values that earlier layers pass
    on with their new thresholds. Batch-norm normalises with its running statistics, or, if it was
    never trained, with those of the images.

    Parameters
    ----------
    prepared : fx.GraphModule
        From :func:`~spikeloom.sw.quantized.prepare`; changed in place.
    images : tensor, shape (N, *input_shape), or data
        Some hundreds of training images, scaled as for the model. Of data, as
        :func:`~spikeloom.sw.datasets.as_dataset` takes them, 512 images are taken.
    method : str
        ``"percentile"``, or ``"mse"`` for the least squared error: a name of
        :attr:`Method.kinds`.
    percentile : float
        Above 0, up to 100: share of the values that fit below λ. For ``"mse"``, the λ that it gives
        is one of the candidates.

    Raises
    ------
    ConfigError
        If there is no such method, or the percentile is out of range.
    DataError
        If there are no images, or they are beyond the range of the network's pixels.
    """
    message = f"there is no way {method!r} to initialise thresholds: use one of"
    rule = Method.member(method, ConfigError, message)(percentile)
    images = inputs_of(images, device_of(prepared))
    if len(images) == 0:
        raise DataError("no images to set the thresholds from: give at least one")
    require_images(prepared, images)

    def set_threshold(activation: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(activation, Activation)
        if not activation.given:
            rule.set(activation, inputs[0].detach())

    hooks = [
        module.register_forward_pre_hook(set_threshold)
        for module in prepared.modules()
        if isinstance(module, Activation)
    ]
    try:
        with torch.no_grad(), _as_in_training(prepared):
            prepared(images)
    finally:
        for hook in hooks:
            hook.remove()
    prepared.meta[META]["initialised"] = True


@contextmanager
def _as_in_training(model: nn.Module) -> Iterator[None]:
    """Put ``model`` in eval mode for a while, except batch-norm that has seen no data yet.

    The running statistics of such a batch-norm mean nothing, so it normalises by those of the
    batch, as it will in training. Afterwards, modes and statistics are as they were.
    """
    modes = {part: part.training for part in model.modules()}
    fresh = [
        part
        for part in modes
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and not part.num_batches_tracked
    ]
    kept = [(buffer, buffer.clone()) for part in fresh for buffer in part.buffers()]
    model.eval()
    for norm in fresh:
        norm.train()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training
        for buffer, value in kept:
            buffer.copy_(value)


def staged(
    prepared: fx.GraphModule,
    teacher: nn.Module,
    images: Tensor | DataLike,
    *,
    epochs: int = 5,
    lr: float = 1e-2,
    batch_size: int = 64,
    seed: int = 0,
    weights: bool = False,
    progress: Choice = None,
) -> dict[str, tuple[float, float]]:
    """Warm up layer by layer: fit each layer's output to that of the float model.

    Training all layers at once from a poor start can leave the first ones stuck, since their
    gradients come through later layers that are as poor. Here each layer learns from its own
    output, after the layers before it. No labels are needed.

    Parameters
    ----------
    prepared : fx.GraphModule
        From :func:`~spikeloom.sw.quantized.prepare`; changed in place. Its batch-norms stay in eval
        mode.
    teacher : nn.Module
        The trained model from which it was prepared. Left as it is.
    images : tensor, shape (N, *input_shape), or data
        Some hundreds of training images, scaled as for the models, on the models' device; or data,
        as for :func:`initialise`.
    epochs : int
        Passes over the images per layer.
    lr : float
        Learning rate of Adam. Of a threshold, ln λ is learned.
    batch_size : int
    seed : int
        Seed of the images' order.
    weights : bool
        Whether a layer's weights and biases learn, too: in as many further passes, at a tenth of
        the rate. Earlier, they would only learn to make up for the wrong levels of a poor λ.
    progress : rich.progress.Progress or bool, optional
        Gets a bar with a step per layer; by default in a display of its own on stderr, False for
        none.

    Returns
    -------
    dict of layer name to (float, float)
        Mean squared error of each layer's output before and after it has learned. The best epoch is
        kept, so the second is at most the first.

    Raises
    ------
    UnsupportedError
        If ``prepared`` is not prepared, or ``teacher`` has no such layers.
    ConfigError
        If an option is out of range.
    DataError
        If there are no images.
    """
    for what, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value < 1:
            raise ConfigError(f"{what} must be at least 1, not {value}")
    images = inputs_of(images, device_of(prepared))
    if len(images) == 0:
        raise DataError("no images to warm up with: give at least one")
    layers = [layer for layer in layers_of(prepared) if layer.activation is not None]
    analysis = analyse(
        trace(teacher), prepared.meta[META]["input_shape"], task_of(prepared)
    ).require()
    taught = {layer.name: layer.activation for layer in analysis.layers}
    missing = [layer.name for layer in layers if taught.get(layer.name) is None]
    if missing:
        raise UnsupportedError(
            f"the teacher has no layer {', '.join(map(repr, missing))} that fires: it must be the "
            f"model that was prepared"
        )
    analysis.module.eval()
    generator = torch.Generator().manual_seed(seed)
    learning = {parameter: parameter.requires_grad for parameter in prepared.parameters()}
    errors: dict[str, tuple[float, float]] = {}
    with _as_in_training(prepared), shown(progress) as bars:
        task = bars.add_task("layer by layer", total=len(layers)) if bars else None
        for layer in layers:
            prepared.requires_grad_(False)
            stage = _Stage(
                _until(prepared, layer.activation),
                _until(analysis.module, taught[layer.name]),
                images,
                batch_size,
            )
            thresholds = [activation_of(prepared, layer).log_threshold]
            before, after = stage.fit(thresholds, epochs, lr, generator)
            if weights:
                found = (weights_of(prepared, synapse) for synapse in layer.synapses)
                modules = [module for module in found if module is not None]
                others = [parameter for module in modules for parameter in module.parameters()]
                rate = lr * WEIGHTS_LR_FACTOR
                after = stage.fit([*thresholds, *others], epochs, rate, generator)[1]
            errors[layer.name] = before, after
            if bars and task is not None:
                bars.advance(task)
    for parameter, learns in learning.items():
        parameter.requires_grad_(learns)
    return errors


class _Stage:
    """The warm-up of one layer: both models up to the layer's output, and the images."""

    def __init__(
        self, student: fx.GraphModule, teacher: fx.GraphModule, images: Tensor, batch_size: int
    ) -> None:
        self.student = student
        self.teacher = teacher
        self.images = images
        self.batch_size = batch_size

    def fit(
        self, learned: list[nn.Parameter], epochs: int, lr: float, generator: torch.Generator
    ) -> tuple[float, float]:
        """Train the parameters, keep their best values, and return the error before and after."""
        for parameter in learned:
            parameter.requires_grad_(True)
        optimizer = torch.optim.Adam(learned, lr=lr)
        before = best = self._error()
        kept = [parameter.detach().clone() for parameter in learned]
        for _ in range(epochs):
            order = torch.randperm(len(self.images), generator=generator)
            for first in range(0, len(order), self.batch_size):
                batch = order[first : first + self.batch_size].to(self.images.device)
                optimizer.zero_grad()
                self._loss(self.images[batch]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            now = self._error()
            if now < best:
                best, kept = now, [parameter.detach().clone() for parameter in learned]
        with torch.no_grad():
            for parameter, value in zip(learned, kept, strict=True):
                parameter.copy_(value)
                parameter.grad = None
        return before, best

    def _loss(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.teacher(images)
        return functional.mse_loss(self.student(images), target)

    @torch.no_grad()
    def _error(self) -> float:
        parts = [
            self.images[first : first + self.batch_size]
            for first in range(0, len(self.images), self.batch_size)
        ]
        return sum(self._loss(part).item() * len(part) for part in parts) / len(self.images)


def _until(module: fx.GraphModule, name: str | None) -> fx.GraphModule:
    """Return the part of ``module`` up to the node called ``name``, with the same submodules."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in module.graph.nodes:
        copies[node] = graph.node_copy(node, copies.__getitem__)
        if node.name == name:
            graph.output(copies[node])
            break
    return fx.GraphModule(module, graph)
