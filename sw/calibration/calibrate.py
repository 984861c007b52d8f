"""Calibration of a spiking network: its outputs are fitted to those of its quantized model."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from spikeloom.sw.calibration.losses import Loss
from spikeloom.sw.calibration.weightings import Weighting
from spikeloom.sw.datasets import DataLike, inputs_of
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.progress import Choice, shown
from spikeloom.sw.quantized import Activation, activations_of
from spikeloom.sw.quantized.prepared import device_of
from spikeloom.sw.spiking import SpikingNetwork
from spikeloom.sw.spiking.neurons import FREEDOMS
from spikeloom.sw.spiking.surrogates import DEFAULT, Surrogate

#: Names of the parameters that a calibration can learn.
LEARNABLE = (*FREEDOMS, "weights")
#: Learning rate of weights, relative to that of initial potentials and thresholds.
WEIGHTS_LR_FACTOR = 0.01


def calibrate(
    network: SpikingNetwork,
    images: Tensor | DataLike,
    *,
    teacher: nn.Module | None = None,
    epochs: int = 15,
    lr: float = 0.01,
    batch_size: int = 32,
    loss: str | Loss = "mse",
    weighting: str | Weighting = "output",
    learn: Sequence[str] = ("start", "threshold"),
    per: str = "channel",
    surrogate: Surrogate = DEFAULT,
    seed: int = 0,
    progress: Choice = None,
    title: str = "calibrating",
) -> list[float]:
    """Train initial potentials and thresholds so that the network's outputs match its teacher's.

    No labels are needed. Batch-norm statistics and the value of a spike stay as they are, and so do
    the weights unless they are learned, too. With one seed and one number of threads, the result is
    the same each time.

    Parameters
    ----------
    network : SpikingNetwork
        Changed in place: parameters that are learned are freed. Left in eval mode.
    images : tensor, shape (N, *image_shape), or data
        Some hundreds of training images, as the network takes them. Of data, as
        :func:`~spikeloom.sw.datasets.as_dataset` takes them, 512 images are taken.
    teacher : nn.Module, optional
        By default, a copy of the quantized model before calibration. Any other must be prepared
        and have the same layers, unless the weighting is "output". Left as it is.
    epochs : int
        Passes over the images.
    lr : float
        Initial learning rate of Adam, which falls along a cosine: of v0 as a share of the
        threshold, and of ln Θ. The rate of weights is a hundredth of it.
    batch_size : int
    loss : str or Loss
        A key of :attr:`Loss.kinds`.
    weighting : str or Weighting
        Weights of the layers in the loss: a key of :attr:`Weighting.kinds`. With "layerwise", each
        layer learns alone, in its turn, at a learning rate that falls anew.
    learn : sequence of {"start", "threshold", "negative", "weights"}
        "negative" is the negative threshold of signed neurons, apart from the positive one.
    per : {"channel", "layer"}
        Whether each channel or each layer has its own initial potential and threshold.
    surrogate : Surrogate
        Derivative that stands in for that of a spike; see :mod:`spikeloom.sw.spiking.surrogates`.
    seed : int
        Seed of the order of the images.
    progress : rich.progress.Progress or bool, optional
        Shows a bar called ``title``: in a display of the caller's, or by default in one of its own
        on stderr; False for none.
    title : str

    Returns
    -------
    list of float
        Mean loss of each epoch. With a weighting that moves, they cannot be compared.

    Raises
    ------
    ConfigError
        If an option is unknown or out of range, or a teacher has other layers.
    UnsupportedError
        If a teacher whose layers are to be compared is not prepared.
    DataError
        If there are no images.

    References
    ----------
    QAC (mixed-timestep spiking neural networks), section 4.4, eq. 14 to 17; Wang et al., "A fast
    and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI 2025, section 4.2.
    """
    for name, number in (("epochs", epochs), ("batch_size", batch_size)):
        if number < 1:
            raise ConfigError(f"{name} must be at least 1, not {number}")
    if not lr > 0:
        raise ConfigError(f"the learning rate must be positive, not {lr}")
    for name in learn:
        if name not in LEARNABLE:
            raise ConfigError(f"calibration can learn {', '.join(LEARNABLE)}, not {name!r}")
    if not learn:
        raise ConfigError(f"there is nothing to learn: give some of {', '.join(LEARNABLE)}")
    images = inputs_of(images, device_of(network), network.coding.input)
    if len(images) == 0:
        raise DataError("no images to calibrate with: give at least one")
    chosen_loss = _named(loss, Loss, "loss")
    chosen_weighting = _named(weighting, Weighting, "weighting")
    hidden_layers_count = chosen_weighting.weights(2, 0.0)[0] != 0
    alone = chosen_weighting.alone
    # The output layer has nothing but weights to learn.
    turns = len(network.neurons) + ("weights" in learn or not alone)
    part = turns / (len(network.neurons) + 1)
    frozen_teacher = _Teacher(network, teacher, layers=hidden_layers_count)
    batches = -(-len(images) // batch_size)
    steps = epochs * batches
    generator = torch.Generator().manual_seed(seed)
    history = []
    with _calibrating(network, learn, per) as groups, shown(progress) as bars:
        task = bars.add_task(title, total=epochs) if bars else None
        optimizer = torch.optim.Adam([{**g, "lr": lr * g["factor"]} for g in groups], lr=lr)
        schedule = _schedule(optimizer, steps, turns if alone else 1)
        own = _own_parameters(network) if alone else []
        for epoch in range(epochs):
            network.use(surrogate.at(epoch))
            order = torch.randperm(len(images), generator=generator)
            total = 0.0
            for index, batch in enumerate(order.split(batch_size)):  # type: ignore[no-untyped-call]
                done = (epoch * batches + index) / max(steps - 1, 1)
                if alone:
                    done = (epoch * batches + index) / steps * part
                    _only(own, int(chosen_weighting.weights(len(own), done).index(1)), groups)
                value = _loss(
                    network, frozen_teacher, images[batch], chosen_loss, chosen_weighting, done
                )
                optimizer.zero_grad()
                if value.requires_grad:  # a layer can have nothing to learn in its turn
                    value.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                total += value.item() * len(batch)
            history.append(total / len(images))
            if bars and task is not None:
                bars.advance(task)
    return history


def _schedule(
    optimizer: torch.optim.Optimizer, steps: int, turns: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return a schedule along half a cosine, once in each of some turns of equal length."""
    if turns == 1:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def factor(step: int) -> float:
        return 0.5 + 0.5 * math.cos(math.pi * (step * turns / steps % 1))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _own_parameters(network: SpikingNetwork) -> list[set[int]]:
    """Return the identities of each layer's own parameters, the output layer's last."""
    own = []
    for spec in network.specs:
        modules: list[nn.Module] = []
        if spec.name in network.neurons:
            modules.append(network.neurons[spec.name])
        for synapse in spec.synapses:
            for path in (synapse.target, synapse.norm):
                if path is not None:
                    modules.append(network.prepared.get_submodule(path))
        own.append({id(p) for module in modules for p in module.parameters()})
    return own


def _only(own: Sequence[set[int]], turn: int, groups: Sequence[dict[str, Any]]) -> None:
    """Let only the parameters of one layer learn, of those that are learned at all."""
    for group in groups:
        for parameter in group["params"]:
            parameter.requires_grad_(id(parameter) in own[turn])
            parameter.grad = None


class _Teacher:
    """A frozen copy of a model, which records the activations of its layers."""

    def __init__(self, network: SpikingNetwork, model: nn.Module | None, layers: bool) -> None:
        self.model = copy.deepcopy(network.prepared if model is None else model)
        self.model.eval().requires_grad_(False)
        self.network = network
        self.seen: dict[str, Tensor] = {}
        if not layers:
            return
        firing, own = activations_of(self.model), list(network.neurons)
        if list(firing) != own:
            raise ConfigError(
                f"the teacher fires in the layers {', '.join(firing)}, and the network in "
                f"{', '.join(own)}: give a teacher with the same layers, or weighting 'output'"
            )
        for name, activation in firing.items():
            activation.register_forward_hook(self._hook(name))

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits, shape (N, classes), and record the activations in units of λ."""
        with torch.no_grad():
            return cast(Tensor, self.model(self.network.summed(images)))

    def _hook(self, name: str) -> Any:
        def note(activation: nn.Module, _: Any, output: Tensor) -> None:
            assert isinstance(activation, Activation)
            self.seen[name] = output / activation.threshold

        return note


def _loss(
    network: SpikingNetwork,
    teacher: _Teacher,
    images: Tensor,
    loss: Loss,
    weighting: Weighting,
    progress: float,
) -> Tensor:
    """Return the weighted loss of some images."""
    targets = teacher(images)
    logits, spikes = network.run(images)
    *hidden, last = weighting.weights(len(spikes) + 1, progress)
    total = last * loss.logits(logits, targets)
    for (name, fired), weight in zip(spikes.items(), hidden, strict=True):
        if weight:
            rates = fired.mean(0) / network.coding.layers[name].units
            total = total + weight * loss.rates(rates, teacher.seen[name])
    return total


@contextmanager
def _calibrating(
    network: SpikingNetwork, learn: Sequence[str], per: str
) -> Iterator[list[dict[str, Any]]]:
    """Free the parameters to learn, freeze all others, and yield parameter groups."""
    free = [name for name in learn if name in FREEDOMS]
    groups = [{"params": network.free(*free, per=per), "factor": 1.0}] if free else []
    if "weights" in learn:
        known = {id(p) for a in activations_of(network.prepared).values() for p in a.parameters()}
        weights = [p for p in network.prepared.parameters() if id(p) not in known]
        groups.append({"params": weights, "factor": WEIGHTS_LR_FACTOR})
    learned = {id(p) for group in groups for p in cast(list[nn.Parameter], group["params"])}
    before = {p: p.requires_grad for p in network.parameters()}
    for parameter in before:
        parameter.requires_grad_(id(parameter) in learned)
    # Gradients through time, but batch-norm as it is.
    network.train().prepared.eval()
    try:
        yield groups
    finally:
        network.eval()
        network.use(DEFAULT)
        for parameter, needed in before.items():
            parameter.requires_grad_(needed)
            parameter.grad = None


def _named(choice: Any, kind: Any, what: str) -> Any:
    """Return the loss or weighting of a name; an object of the kind is returned as it is."""
    if isinstance(choice, kind):
        return choice
    return kind.member(choice, ConfigError, f"no {what} is called {choice!r}; there are")()
