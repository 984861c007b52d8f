"""Training on real values of any size: targets of mean 0 and variance 1, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.graph import LayerSpec, analyse, trace
from spikeloom.sw.quantized import QuantConv1d, QuantConv2d, QuantLinear
from spikeloom.sw.tasks import VALUES
from spikeloom.sw.training.measure import evaluate

#: Smallest standard deviation that targets are divided by.
_LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and spread of real values to learn, which training leaves to the output layer at last.

    An optimizer moves each weight by about its learning rate in a step, whatever the loss is. So
    values of hundreds would be out of reach of the output layer, and of thousandths too coarse.

    Parameters
    ----------
    mean : tensor of float64, shape (biases,)
        Mean of the values that each bias of the output layer is added to; 0 without biases.
    spread : float
        Standard deviation of all values around these means: one number, since a network has one
        factor from its logits to real values.
    modules : tuple of str
        The modules of the output layer; the first has the bias.
    """

    mean: Tensor
    spread: float
    modules: tuple[str, ...]

    @classmethod
    def of(cls, model: nn.Module, data: Dataset, loss: Any = None) -> Standard | None:
        """Return the standard of a training; None if it is trained as it is.

        Parameters
        ----------
        model : nn.Module
            Float model that can be converted.
        data : Dataset
            Training split.
        loss : str or callable, optional
            As for :func:`.train`. A loss other than the mean square may need the values themselves.
        """
        if data.task != VALUES or loss not in (None, "mse"):
            return None
        layer = analyse(trace(model), data.shape, data.task).require().layers[-1]
        modules = _modules(model, layer)
        if not modules:
            return None
        targets, bias = data.targets().double(), modules[0][1].bias
        means = torch.zeros(1, dtype=torch.float64)
        if isinstance(bias, Tensor):
            means = targets.mean(0).reshape(len(bias), -1).mean(1)
        spread = float((targets - _spaced(means, targets.shape[1])).square().mean().sqrt())
        return cls(means, max(spread, _LEAST), tuple(name for name, _ in modules))

    def applied(self, data: Dataset) -> Dataset:
        """Return data with standardised targets."""
        targets = data.targets().double()
        labels = (targets - _spaced(self.mean, targets.shape[1])) / self.spread
        return replace(data, labels=labels.float().numpy(), layout="NCHW")

    def enter(self, model: nn.Module, data: Dataset, pretrained: bool) -> None:
        """Bring a float model to standardised values, if it computes the real ones already.

        Parameters
        ----------
        model : nn.Module
        data : Dataset
            Training split.
        pretrained : bool
            Whether the model will not be trained; else it is one that explains the values better
            than their mean does.
        """
        if pretrained or evaluate(model, data) > 0:
            self._scale(model, 1 / self.spread, -self.mean / self.spread)

    def leave(self, model: nn.Module) -> None:
        """Let a float model or a prepared one compute the real values."""
        self._scale(model, self.spread, self.mean)

    def _scale(self, model: nn.Module, factor: float, shift: Tensor) -> None:
        with torch.no_grad():
            for name in self.modules:
                module: Any = model.get_submodule(name)
                module.weight.mul_(factor)
                if isinstance(module, QuantLinear | QuantConv1d | QuantConv2d):
                    module.scale.mul_(factor)
                if module.bias is not None:
                    module.bias.mul_(factor)
            bias = model.get_submodule(self.modules[0]).bias
            if isinstance(bias, Tensor):
                bias.add_(shift.to(bias))


def _spaced(means: Tensor, count: int) -> Tensor:
    """Return the mean of each of ``count`` values; a bias's values follow each other."""
    return means.repeat_interleave(count // len(means))


def _modules(model: nn.Module, layer: LayerSpec) -> list[tuple[str, nn.Module]]:
    """Return the modules of the output layer, one with a bias first; none if unknown."""
    found: dict[str, nn.Module] = {}
    for synapse in layer.synapses:
        assert synapse.target is not None  # the rules refuse a shortcut into the output layer
        try:
            module = model.get_submodule(synapse.target)
        except AttributeError:  # a model that is a single layer has another name in a trace
            return []
        if not isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
            return []
        found[synapse.target] = module
    return sorted(found.items(), key=lambda item: item[1].bias is None)
