"""A prepared model as a spiking network that can be trained through time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Unpack, cast

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from spikeloom.sw.coding import Coding, Options, coding, fold
from spikeloom.sw.coding.folding import pooled, read
from spikeloom.sw.coding.units import shared_units, thresholds_of
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.graph import LayerSpec, SynapseSpec
from spikeloom.sw.names import shortened
from spikeloom.sw.network import INPUT, Logits, Transport, source_steps
from spikeloom.sw.quantized.activations.timesteps import Learned
from spikeloom.sw.quantized.input_grid import input_grid_of
from spikeloom.sw.quantized.prepared import META, activation_of, layers_of
from spikeloom.sw.quantized.weights import weights_of
from spikeloom.sw.spiking.inputs import InputInTime
from spikeloom.sw.spiking.neurons import SpikingNeuron
from spikeloom.sw.spiking.population import Population, leak_grid
from spikeloom.sw.spiking.surrogates import Surrogate


def spiking(prepared: fx.GraphModule, **options: Unpack[Options]) -> SpikingNetwork:
    """Return a prepared model as a spiking network through time, to be trained.

    Converting it yields the network that the prepared model and the same options yield.

    Parameters
    ----------
    prepared : fx.GraphModule
        From :func:`~spikeloom.sw.quantized.prepare`, trained or not. It is not copied: both have
        the same parameters, thresholds included.
    **options
        The coding: :class:`~spikeloom.sw.coding.Options`.

    Raises
    ------
    UnsupportedError, ConfigError
        As :func:`~spikeloom.sw.conversion.convert` does; and if timesteps are still being learned:
        :func:`~spikeloom.sw.quantized.settle` makes them fixed.
    """
    layers = fold(prepared)
    for layer in layers:
        if layer.activation is None:
            continue
        timesteps = isinstance(layer.activation.timesteps, Learned)
        if timesteps or getattr(layer.activation, "log_negative", None) is not None:
            what = "timesteps" if timesteps else "negative threshold"
            raise UnsupportedError(
                f"layer {layer.name!r} is still learning its {what}, and neurons need fixed "
                f"ones: settle(prepared) first"
            )
    return SpikingNetwork(prepared, coding(layers, prepared.meta[META], options), options)


class SpikingNetwork(nn.Module):
    """The layers of a prepared model, with neurons that fire over time.

    In training mode it computes in real numbers, with the prepared model's own modules (quantized
    weights, batch-norm), and gradients flow through time. In eval mode it computes in float64 with
    the integer weights of the converted network, and fires exactly as that network, unless
    ``fraction_bits`` are chosen for it: spike by spike, or, in layers with a constant current of
    which only counts are read, with the same counts. (Integers that are exact at every timestep
    exist for T up to about 32, see :class:`~spikeloom.sw.conversion.absorption.FittedAbsorber`;
    beyond, single spikes can differ.) No gradients reach the weights in eval mode.

    Parameters
    ----------
    prepared : fx.GraphModule
    coding : Coding
    options : mapping
        Options that :func:`spiking` was called with.

    Attributes
    ----------
    options : dict
        The same as JSON values: ``spiking(prepared, **options)`` and ``load_state_dict`` rebuild
        the network, with its freed parameters.
    """

    prepared: fx.GraphModule

    def __init__(self, prepared: fx.GraphModule, coding: Coding, options: Options) -> None:
        super().__init__()
        self.prepared = prepared
        self.coding = coding
        self.options: dict[str, Any] = {
            name: _plain(value) for name, value in options.items() if value is not None
        }
        self.specs = layers_of(prepared)
        self.neurons = nn.ModuleDict()
        channels = {layer.name: len(layer.bias) for layer in fold(prepared)}
        for spec in self.specs:
            if spec.activation is not None:
                layer = coding.layers[spec.name]
                message = f"there are no trainable neurons of kind {layer.neuron!r}; there are"
                kind = SpikingNeuron.member(layer.neuron, UnsupportedError, message)
                self.neurons[spec.name] = kind(
                    activation_of(prepared, spec),
                    layer.largest,
                    layer.leak,
                    channels[spec.name],
                )
        self.train(prepared.training)

    def __repr__(self) -> str:
        layers = [
            f"{name} ({layer.neuron}, T={layer.timesteps})"
            for name, layer in self.coding.layers.items()
        ]
        return f"<SpikingNetwork of {len(layers)} layers: {shortened(layers)}>"

    def free(self, *what: str, per: str = "channel") -> list[nn.Parameter]:
        """Make parameters of the neurons' initial potentials and thresholds.

        They start from the values that the neurons have, so that the spikes stay the same. (In
        integers, a v0 that is free need not be half of an odd threshold rounded down.)

        Parameters
        ----------
        *what : {"start", "threshold", "negative"}
            v0, kept in [0, Θ), and Θ; signed neurons start from 0 and have only thresholds, the
            negative one of which can be freed apart.
        per : {"channel", "layer"}

        Returns
        -------
        list of Parameter
            The parameters that are free now, for an optimizer.

        Raises
        ------
        ConfigError
            If a choice is unknown, or no neuron of the network has anything to free.
        """
        freed = [
            p for n in self.neurons.values() for p in cast(SpikingNeuron, n).free(*what, per=per)
        ]
        if not freed:
            kinds = {layer.neuron for layer in self.coding.layers.values()} - {Logits.kind}
            raise ConfigError(
                f"{' and '.join(sorted(kinds))} neurons have no {' or '.join(what)} to free: leave "
                f"it out, or choose other neurons"
            )
        return freed

    def use(self, surrogate: Surrogate) -> None:
        """Give all neurons a surrogate derivative of their spikes."""
        for neuron in self.neurons.values():
            cast(SpikingNeuron, neuron).surrogate = surrogate

    def summed(self, images: Tensor) -> Tensor:
        """Return images as the prepared model sees them: summed over their time axis, if any.

        Parameters
        ----------
        images : tensor, shape (N, *image_shape)
            As in :meth:`forward`.
        """
        return images if self.coding.input.image_steps is None else images.sum(1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape (N, classes): mean over time of the output layer's currents.

        Parameters
        ----------
        images : tensor, shape (N, *image_shape)
            Real values, as the prepared model sees them; of spikes, each timestep's, whose sum
            the prepared model sees.
        """
        return self.run(images)[0]

    def run(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits, and the spikes of every layer that fires.

        Parameters
        ----------
        images : tensor, shape (N, *image_shape)
            As in :meth:`forward`.

        Returns
        -------
        logits : tensor, shape (N, classes)
        spikes : dict of layer name to tensor, shape (T, N, *shape)
            Whole numbers: the spike values of the contract.
        """
        forward = _TrainingPass(self, images) if self.training else _EvaluationPass(self, images)
        spikes: dict[str, Tensor] = {}
        for spec in self.specs:
            total = forward.currents(spec, spikes)
            if spec.activation is None:
                return total.mean(0).flatten(1), spikes
            steps = self.coding.layers[spec.name].timesteps
            neuron = self.neurons[spec.name]
            spikes[spec.name] = neuron(
                total.expand(steps, *total.shape[1:]), forward.grid(spec, total)
            )
        raise AssertionError("the last layer has an activation")


class _Pass:
    """One pass through the layers."""

    def __init__(self, network: SpikingNetwork, images: Tensor) -> None:
        self.network = network
        self.coding = network.coding
        grid = input_grid_of(network.prepared)
        if grid is not None:
            images = grid(images)
        self.images = InputInTime.of(self.coding).values(images)

    def currents(self, spec: LayerSpec, spikes: Mapping[str, Tensor]) -> Tensor:
        """Return a layer's real currents, shape (T, N, *shape), or (1, N, *shape) if constant."""
        raise NotImplementedError

    def grid(self, spec: LayerSpec, total: Tensor) -> Tensor | None:
        """Return the real value of one unit of a layer's potentials, if its neurons need it."""
        return None

    def carried(self, name: str, index: int, spikes: Tensor) -> Tensor:
        """Return the values that a connection carries, shape (1 or T, N, *shape)."""
        layer = self.coding.layers[name]
        transport = layer.transports[index]
        if transport == Transport.COUNT:
            return spikes.sum(0, keepdim=True)
        return spikes[list(source_steps(transport, len(spikes), layer.timesteps))]


class _TrainingPass(_Pass):
    """Real values, through the modules of the prepared model."""

    def currents(self, spec: LayerSpec, spikes: Mapping[str, Tensor]) -> Tensor:
        prepared, parts = self.network.prepared, []
        normed: dict[str | None, Tensor] = {}
        for index, synapse in enumerate(spec.synapses):
            source = synapse.tap.source
            fired = self.images if source == INPUT else spikes[source]
            values = self.carried(spec.name, index, fired)
            values = values * self._worth(source, self.coding.layers[spec.name].transports[index])
            steps, batch = values.shape[:2]
            sums = _synapse(prepared, synapse, values.flatten(0, 1))
            sums = sums.reshape(steps, batch, *sums.shape[1:])
            if synapse.norm is None:
                parts.append(sums)
            else:
                before = normed.get(synapse.norm)
                normed[synapse.norm] = sums if before is None else before + sums
        for norm, sums in normed.items():
            module = prepared.get_submodule(str(norm))
            given = sums.flatten(0, 1)
            if isinstance(module, nn.BatchNorm1d) and given.ndim == 4:
                given = given.squeeze(2)
            parts.append(module(given).reshape(sums.shape))
        return sum(parts[1:], parts[0])

    def _worth(self, source: str, transport: str) -> Tensor | float:
        """Return the factor that turns a spike or count into a real value.

        Values of the input are real already; spikes of the input are scaled to their sum.
        """
        count = transport == Transport.COUNT
        if source == INPUT:
            return 1.0 if count else float(self.coding.input.steps or 1)
        layer = self.coding.layers[source]
        neuron = self.network.neurons[source]
        threshold = cast(Tensor, neuron.log_threshold).exp()
        return threshold / (layer.units * (layer.timesteps if count else 1))


def _synapse(prepared: fx.GraphModule, synapse: SynapseSpec, values: Tensor) -> Tensor:
    """Return the real sums of a connection, from the source's values."""
    shown = read(synapse.tap, values)
    module = weights_of(prepared, synapse)
    if module is None:
        return shown
    if isinstance(module, nn.Linear):
        return cast(Tensor, module(shown.flatten(1)))
    if isinstance(module, nn.Conv1d):
        sums = cast(Tensor, module(shown.squeeze(2)))[:, :, None]
    else:
        sums = cast(Tensor, module(shown))
    if synapse.average is None:
        return sums
    return functional.avg_pool2d(sums, synapse.average.size)


class _EvaluationPass(_Pass):
    """Whole numbers in float64, with the weights of the integer network."""

    def __init__(self, network: SpikingNetwork, images: Tensor) -> None:
        super().__init__(network, images.double())
        self.images = (self.images / float(self.coding.input_scale)).round()
        layers = fold(network.prepared)
        thresholds = thresholds_of(layers)
        self.folded = {layer.name: layer for layer in layers}
        self.shared = {x.name: shared_units(x, self.coding, thresholds) for x in layers}

    def currents(self, spec: LayerSpec, spikes: Mapping[str, Tensor]) -> Tensor:
        folded, shared = self.folded[spec.name], self.shared[spec.name]
        parts = []
        for index, synapses in enumerate(folded.synapses):
            source = synapses.tap.source
            fired = self.images if source == INPUT else spikes[source]
            values = self.carried(spec.name, index, fired)
            steps, batch = values.shape[:2]
            # Sums, not averages: whole numbers.
            whole = pooled(synapses.tap.pool, values.flatten(0, 1)) * synapses.tap.area
            weight = torch.from_numpy(shared.weights[index]).to(whole)
            # Rounding undoes what a convolution that computes with fractions would add.
            sums = synapses.currents(whole.round(), weight).round()
            parts.append(sums.reshape(steps, batch, *sums.shape[1:]))
        total = sum(parts[1:], parts[0])
        return total * _per_channel(shared.units, total) + _per_channel(folded.bias, total)

    def grid(self, spec: LayerSpec, total: Tensor) -> Tensor | None:
        layer, shared = self.coding.layers[spec.name], self.shared[spec.name]
        if layer.leak is None:
            return None
        live = [any(rows.any() for rows in row) for row in zip(*shared.weights, strict=True)]
        neuron = cast(SpikingNeuron, self.network.neurons[spec.name])
        population = Population.of(self.folded[spec.name], layer, shared.units, (), neuron)
        return _per_channel(leak_grid(population, live)[1], total)


def _plain(value: Any) -> Any:
    """Return an option in the form in which it comes back from JSON."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _per_channel(values: Iterable[Any], total: Tensor) -> Tensor:
    """Return values per channel in a shape that broadcasts against (T, N, *shape)."""
    floats = [float(value) for value in values]
    tensor = torch.tensor(floats, dtype=torch.float64, device=total.device)
    return tensor.reshape(-1, *[1] * (total.ndim - 3))
