"""Measures of each layer while a model trains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils.hooks import RemovableHandle

from spikeloom.sw.diagnostics.health import LayerHealth
from spikeloom.sw.diagnostics.tally import Tally, activity
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.quantized import Activation
from spikeloom.sw.quantized.initialisation import PERCENTILE
from spikeloom.sw.quantized.prepared import META, activation_of, layers_of
from spikeloom.sw.spiking import SpikingNetwork, SpikingNeuron

#: One batch in this many is measured, beginning with the first of an epoch.
EVERY = 16
#: Number of inputs of a layer that are kept per batch, to find the λ that fits them.
KEPT = 4096


class Monitor:
    """Watches the layers of a model while it trains, without any influence on the training.

    Only some batches are measured, and hooks exist only during these, so the monitor takes a few
    per cent of the training's time. Its random numbers come from a stream of its own.

    Parameters
    ----------
    model : nn.Module
        A prepared model or a :class:`~spikeloom.sw.spiking.SpikingNetwork`, or a module that wraps
        one for mixed precision or several devices.
    start : mapping of layer name to float, optional
        λ before training, if the training began elsewhere; by default the present λ.
    every : int
        One batch in this many is measured.

    Raises
    ------
    UnsupportedError
        If there is no prepared model in ``model``.

    Examples
    --------
    >>> monitor = Monitor(model)                    # doctest: +SKIP
    >>> for images, labels in batches:              # doctest: +SKIP
    ...     monitor.start_batch()
    ...     loss(model(images), labels).backward()
    ...     monitor.after_backward()
    ...     optimizer.step()
    >>> history.append(monitor.epoch())             # doctest: +SKIP
    """

    def __init__(
        self, model: nn.Module, *, start: Mapping[str, float] | None = None, every: int = EVERY
    ) -> None:
        self.every = every
        self._probes = _probes(model)
        now = {probe.name: probe.activation.threshold for probe in self._probes}
        #: λ at the start, by layer.
        self.start: dict[str, float] = now | {k: v for k, v in (start or {}).items() if k in now}
        self._steps = 0
        self._watching = False

    def start_batch(self) -> None:
        """Announce a batch; call it before the forward pass."""
        self._stop()
        if self._steps % self.every == 0:
            for probe in self._probes:
                probe.attach()
            self._watching = True
        self._steps += 1

    def after_backward(self) -> None:
        """Measure the gradients; call it before the optimizer's step.

        Unscale gradients that are scaled for float16 first; only their ratio holds in any case.
        """
        if self._watching:
            for probe in self._probes:
                probe.read_gradients()
        self._stop()

    def epoch(self) -> list[LayerHealth]:
        """Return the health of the layers since the last call, in their order, and start anew.

        Layers that saw no batch are left out.
        """
        self._stop()
        steps, self._steps = self._steps, 0
        measured = [probe.health(self.start[probe.name], steps) for probe in self._probes]
        return [health for health in measured if health is not None]

    def _stop(self) -> None:
        for probe in self._probes:
            probe.detach()
        self._watching = False


class _Probe:
    """Measures one layer, by a hook of its activation or of its spiking neurons."""

    def __init__(
        self,
        name: str,
        activation: Activation,
        neuron: SpikingNeuron | None,
        weights: list[nn.Parameter],
    ) -> None:
        self.name = name
        self.activation = activation
        self.neuron = neuron
        self.weights = weights
        self._hook: RemovableHandle | None = None
        self._drawn = torch.Generator().manual_seed(0)
        self._reset()

    def _reset(self) -> None:
        self._tally = Tally()
        self._kept: list[Tensor] = []
        self._gradients: list[float] = []
        self._weight_gradients: list[float] = []
        self._timesteps = self.activation.levels

    def attach(self) -> None:
        if self.neuron is None:
            self._hook = self.activation.register_forward_hook(self._see_values)
        else:
            self._hook = self.neuron.register_forward_hook(self._see_spikes)

    def detach(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    @torch.no_grad()
    def _see_values(self, _: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        """Measure inputs and outputs of an activation, of shape (N, C, ...)."""
        self._timesteps = self.activation.levels
        values, result = args[0].detach().float(), output.detach().float()
        ratio = float(getattr(self.activation, "ratio", 1.0))
        # Negative spikes count like positive ones.
        share = torch.where(result < 0, -result / ratio, result) / self.activation.threshold
        self._add(values, result != 0, share, share > 1 - 0.5 / self._timesteps)

    @torch.no_grad()
    def _see_spikes(self, _: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        """Measure currents and spikes of neurons, of shape (T, N, C, ...)."""
        assert self.neuron is not None
        self._timesteps = len(output)
        fired, share, full = activity(
            output.detach(), self.neuron.largest, self.activation.amplitudes
        )
        self._add(args[0].detach().float().mean(0), fired, share, full)

    def _add(self, values: Tensor, fired: Tensor, share: Tensor, full: Tensor) -> None:
        """Add one batch, whose inputs are ``values`` (averaged over time), to the tally."""
        threshold, low = self.activation.threshold, self.activation.negative_threshold
        driving = values > 0 if low is None else values != 0
        clipped = values > threshold
        if low is not None:
            clipped |= values < -low
        self._tally.add(fired, share, full, driving, clipped, driving & ~fired)
        flat = values.flatten()
        if len(flat) > KEPT:
            flat = flat[torch.randint(len(flat), (KEPT,), generator=self._drawn).to(flat.device)]
        self._kept.append(flat.cpu())

    def read_gradients(self) -> None:
        log_threshold = self.activation.log_threshold
        if log_threshold.requires_grad:
            # The logarithm is learned: the gradient by λ is the gradient by ln λ, over λ.
            gradient = abs(self.activation.timesteps.by_threshold(log_threshold))
            threshold = self.activation.threshold
            if threshold > 0:
                self._gradients.append(gradient / threshold)
        learned = [weight for weight in self.weights if weight.requires_grad]
        if learned:
            self._weight_gradients.append(_norm(learned))

    def health(self, start: float, steps: int) -> LayerHealth | None:
        """Return the health of the layer, and start anew; None if no batch was measured."""
        if self._tally.empty:
            return None
        shares, (driving, clipped, below) = self._tally.result()
        health = LayerHealth(
            name=self.name,
            timesteps=self._timesteps,
            largest=self.neuron.largest if self.neuron else 1,
            steps=steps,
            start=start,
            threshold=self.activation.threshold,
            wanted=_wanted(self.activation, torch.cat(self._kept)) if driving else None,
            gradient=_mean(self._gradients),
            weight_gradient=_mean(self._weight_gradients),
            clipped=clipped / driving if driving else None,
            below=below / driving if driving else None,
            **shares,
        )
        self._reset()
        return health


def _probes(model: nn.Module) -> list[_Probe]:
    """Return a probe for each layer that fires; the prepared model may be anywhere in ``model``."""
    prepared = next(
        (m for m in model.modules() if isinstance(m, fx.GraphModule) and META in m.meta), None
    )
    if prepared is None:
        raise UnsupportedError(
            f"{type(model).__name__} has no prepared model in it, whose layers could be measured: "
            f"call prepare(model, ...) first"
        )
    network = next((m for m in model.modules() if isinstance(m, SpikingNetwork)), None)
    probes = []
    for layer in layers_of(prepared):
        if layer.activation is None:
            continue
        neuron = network.neurons[layer.name] if network is not None else None
        assert neuron is None or isinstance(neuron, SpikingNeuron)
        weights = [
            weight
            for synapse in layer.synapses
            if synapse.target is not None
            for weight in [prepared.get_submodule(synapse.target).weight]
            if isinstance(weight, nn.Parameter)
        ]
        probes.append(_Probe(layer.name, activation_of(prepared, layer), neuron, weights))
    return probes


def _wanted(activation: Activation, values: Tensor) -> float:
    """Return the λ that ``activation`` would be initialised with, and leave it as it is."""
    before = {key: value.clone() for key, value in activation.state_dict().items()}
    activation.initialise_from(values, PERCENTILE)
    wanted = activation.threshold
    activation.load_state_dict(before)
    return wanted


def _norm(parameters: list[nn.Parameter]) -> float:
    """Return the norm of all gradients together; a missing gradient counts as 0."""
    squares = [
        p.grad.detach().double().square().sum().item() for p in parameters if p.grad is not None
    ]
    return math.sqrt(sum(squares))


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
