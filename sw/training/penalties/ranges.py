"""Penalties on the range of activations: on their limits, and on the spread of their inputs."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.hooks import RemovableHandle

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.graph import analyse, trace
from spikeloom.sw.quantized.prepared import META
from spikeloom.sw.training.penalties.penalty import Penalty


class ClippingPenalty(Penalty):
    """``weight · Σ λ² + N²`` over the layers that fire: an L2 penalty on their clipping limits.

    Neurons with a smaller range fire more, and have finer levels. N is the negative input at which
    the activation of a signed layer saturates, βλ/slope; it moves with λ.

    Parameters
    ----------
    model : fx.GraphModule or SpikingNetwork
        Prepared, with ``learn="clip"`` or levels of any kind.
    weight : float

    References
    ----------
    Wang et al., "A fast and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI
    2025, eq. 24, after Ho and Chang, DAC 2021.
    """

    name = "clipping"
    phases = ("quantized", "spiking")

    def __init__(self, model: nn.Module, *, weight: float = 1e-4) -> None:
        super().__init__(model, weight=weight)
        self._activations = list(self._firing().values())

    def _term(self, loss: Tensor) -> Tensor:
        squares = [
            activation.scale()[0].square().sum() * (1 + activation.negative_reach**2)
            for activation in self._activations
        ]
        return self.weight * torch.stack(squares).sum()


class VariancePenalty(Penalty):
    """``λ1 · η``, where η is the mean over layers of ``s³ / (|m| + ε)³``: against long tails.

    s and m are the standard deviation and the mean of all values that enter a layer's activation.
    The penalty takes their ratio because s alone could fall by scaling (eq. 22). Where a batch-norm
    feeds the activation, they come from its parameters: a channel with the scale g and the shift b
    has the mean b and the deviation ``|g|``, and a layer, which has one λ for all of its channels,
    has ``m = mean(b)`` and ``s² = mean(g²) + var(b)``. Elsewhere, they are those of the batch; of a
    spiking network, those of the currents, averaged over time.

    Parameters
    ----------
    model : nn.Module
        A float model, a prepared one, or a spiking network.
    share : float
        Share of the loss that the term has. It sets ``λ1 = share · |loss| / η``, without gradients
        (eq. 31: 0.1, since η can change by orders of magnitude).
    weight : float, optional
        λ1 itself, in place of ``share``.
    epsilon : float
        ε, positive. Close to m = 0 the gradient is some 3/ε times the loss, so ε should not be
        too small.

    Raises
    ------
    ConfigError
        If a parameter is out of range, or the inputs of an activation cannot be seen.
    UnsupportedError
        If the model cannot be traced.

    References
    ----------
    Wang et al., "A fast and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI
    2025, eq. 21 to 23 and 31.
    """

    name = "variance"
    phases = ("float", "quantized", "spiking")

    def __init__(
        self,
        model: nn.Module,
        *,
        share: float = 0.1,
        weight: float | None = None,
        epsilon: float = 1e-2,
    ) -> None:
        super().__init__(model, weight=1.0 if weight is None else weight)
        self.share = self._require("share", share, 0.0) if weight is None else None
        self.epsilon = self._require("epsilon", epsilon, 1e-12)
        self._norms: list[str] = []
        self._seen_at: list[tuple[str, bool]] = []
        self._neurons: list[str] = []
        self._find(self.model)
        self._hooks: list[RemovableHandle] = []
        self._seen: list[Tensor] = []

    def __enter__(self) -> Self:
        """Start watching the activations that no batch-norm feeds."""
        for path, at_input in self._seen_at:
            module = self.model.get_submodule(path)
            self._hooks.append(
                module.register_forward_pre_hook(self._see_input)
                if at_input
                else module.register_forward_hook(self._see_output)
            )
        for name in self._neurons:
            assert self.network is not None, "it has the neurons"
            neuron = self.network.neurons[name]
            self._hooks.append(neuron.register_forward_pre_hook(self._see_currents))
        return self

    def __exit__(self, *error: object) -> None:
        """Stop watching."""
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._seen = [], []

    def _term(self, loss: Tensor) -> Tensor:
        eta = torch.stack([self._of_norm(path) for path in self._norms] + self._seen).mean()
        self._seen = []
        if self.share is None:
            return self.weight * eta
        return self.share * loss.abs() * eta / eta.detach().clamp(min=torch.finfo(eta.dtype).tiny)

    def _find(self, model: nn.Module) -> None:
        """Find the module that reveals the inputs of each activation."""
        module = model if isinstance(model, fx.GraphModule) else trace(model)
        nodes = {node.name: node for node in module.graph.nodes}
        shape = getattr(module, "meta", {}).get(META, {}).get("input_shape")
        for layer in analyse(module, shape).layers:
            if layer.activation is None or layer.implied:
                continue
            node = nodes[layer.activation]
            source = node.all_input_nodes[0]
            if source.op == "call_module":
                fed = module.get_submodule(str(source.target))
                if isinstance(fed, _NormBase) and fed.affine:
                    self._norms.append(str(source.target))
                elif self.network is not None:
                    self._neurons.append(layer.name)
                else:
                    self._seen_at.append((str(source.target), False))
            elif self.network is not None:
                self._neurons.append(layer.name)
            elif node.op == "call_module":
                self._seen_at.append((str(node.target), True))
            else:
                raise ConfigError(
                    f"the penalty {self.name!r} cannot see what enters {node.name}, the activation "
                    f"of layer {layer.name}: make it a module, such as nn.ReLU()"
                )
        if not self._norms and not self._seen_at and not self._neurons:
            raise ConfigError(f"the penalty {self.name!r} needs a layer with an activation")

    def _see_input(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._see(module, inputs[0])

    def _see_currents(self, neuron: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._see(neuron, inputs[0].mean(0))

    def _see_output(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self._see(module, output)

    def _see(self, module: nn.Module, values: Tensor) -> None:
        # Forward passes in eval mode, such as those of a validation, do not count.
        if module.training:
            values = values.float()
            self._seen.append(self._ratio(values.mean(), values.var(correction=0)))

    def _of_norm(self, path: str) -> Tensor:
        norm = self.model.get_submodule(path)
        gamma, beta = (p.float() for p in (norm.weight, norm.bias) if isinstance(p, Tensor))
        return self._ratio(beta.mean(), gamma.square().mean() + beta.var(correction=0))

    def _ratio(self, mean: Tensor, variance: Tensor) -> Tensor:
        return variance.pow(1.5) / (mean.abs() + self.epsilon).pow(3)
