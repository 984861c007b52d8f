"""The golden model: every value of a network, bit for bit, in PyTorch.

It computes what ``docs/contract.md`` specifies; hardware and simulation are compared with it by
equality.

**Why it is exact on every device.** Two kinds of arithmetic occur here, and neither can round:

- Sums of weight times value run in ``float64``, as an explicit im2col (`unfold`) and one matrix
  product. Every product, every partial sum and every total is an integer whose range the contract
  has proven to fit :data:`~spikeloom.sw.network.MAX_WIDTH` = 48 bits, and ``float64`` holds all
  integers up to 53 bits. So any order of summation, any blocking and any fused multiply-add gives
  the same integers. `conv2d` is never called: no Winograd or FFT algorithm, which compute with
  fractions, can be chosen. TF32 and autocast do not apply to ``float64``.
- Everything else (pools, potentials, counts, logits) runs in ``int64``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy.typing as npt
import torch
from torch import Tensor

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden.dynamics import Dynamics, on_device
from spikeloom.sw.golden.images import check_images
from spikeloom.sw.golden.synapses import GoldenSynapses, pooled
from spikeloom.sw.golden.work import Meter
from spikeloom.sw.network import INPUT, Layer, Network, source_steps

#: Bytes that the largest intermediate of a batch may take, where no batch size is given.
_BATCH_BYTES = 1 << 27
_MOST_PER_BATCH = 1024


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """Every value of one layer at every timestep, as ``int64`` on the CPU.

    Parameters
    ----------
    currents : Tensor, shape (T, N, *shape)
        Accumulators A: sums of weight times source value, before shift and bias.
    spikes : Tensor, shape (T, N, *shape)
        Spike values; all 0 where the layer does not fire.
    potentials : Tensor, shape (T, N, *shape)
        Membrane potentials at the end of the timestep, after the soft reset.
    """

    currents: Tensor
    spikes: Tensor
    potentials: Tensor

    def cpu(self) -> LayerTrace:
        """Return the same on the CPU."""
        return LayerTrace(self.currents.cpu(), self.spikes.cpu(), self.potentials.cpu())

    @staticmethod
    def cat(batches: Sequence[LayerTrace]) -> LayerTrace:
        """Join traces of several batches along the axis of images."""
        return LayerTrace(
            torch.cat([b.currents for b in batches], 1),
            torch.cat([b.spikes for b in batches], 1),
            torch.cat([b.potentials for b in batches], 1),
        )


@dataclass(frozen=True, eq=False)
class Result:
    """The values that a network computed for N images, as ``int64`` on the CPU.

    Parameters
    ----------
    logits : Tensor, shape (N, K)
    labels : Tensor, shape (N,)
        Index of the largest logit; of several, the lowest.
    counts : dict of str to Tensor of shape (N, *shape)
        Spikes summed over the timesteps, by the name of each firing layer.
    trace : dict of str to LayerTrace, or None
        By the name of every layer, the output layer included, if asked for.
    """

    logits: Tensor
    labels: Tensor
    counts: dict[str, Tensor]
    trace: dict[str, LayerTrace] | None


class Golden:
    """The golden model of one network.

    Parameters
    ----------
    network : Network
    device : str or torch.device
        ``"cpu"`` or ``"cuda"`` (or ``"cuda:1"``, ...); the results are the same.

    Raises
    ------
    ConfigError
        If there is no such device.
    UnsupportedError
        If the golden model has no class for a kind of neuron or synapses.
    """

    def __init__(self, network: Network, device: str | torch.device = "cpu") -> None:
        self.network = network
        self.device = _usable(device)
        self._dynamics = {
            layer.name: Dynamics.of(layer, len(network.shapes[layer.name]), self.device)
            for layer in network.layers
        }
        self._synapses = {
            (layer.name, index): GoldenSynapses.of(connection.synapses, self.device)
            for layer in network.layers
            for index, connection in enumerate(layer.connections)
        }

    def run(
        self,
        images: npt.ArrayLike | Tensor,
        trace: bool = False,
        batch_size: int | None = None,
        progress: Callable[[int, int], object] | None = None,
        counts: Collection[str] | None = None,
        meter: Meter | None = None,
    ) -> Result:
        """Compute logits, labels and counts of all images.

        Parameters
        ----------
        images : array or tensor of integers, shape (N, *network.input.image_shape)
        trace : bool
            Whether to keep every timestep of every layer; this takes memory.
        batch_size : int, optional
            Images computed at a time; the results do not depend on it. By default as many as keep
            the largest intermediate under 128 MiB.
        progress : callable, optional
            Called after each batch with the number of images done and the number of all.
        counts : collection of str, optional
            Layers that fire whose counts are kept; all, if left out, which takes 8 bytes for each
            neuron and image: for a deep network, gigabytes for a test split.
        meter : Meter, optional
            Counts the work for these images.

        Returns
        -------
        Result

        Raises
        ------
        DataError
            If the images do not fit the network's input; the message names the image.
        ConfigError
            If the batch size is not positive.
        """
        checked = check_images(self.network, images)
        size = self._default_batch_size() if batch_size is None else batch_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ConfigError(f"batch_size must be an integer of at least 1, not {batch_size!r}")
        layers = self.network.layers
        output = self.network.output.name
        logits: list[Tensor] = []
        sent: dict[str, list[Tensor]] = {
            x.name: [] for x in layers if x.neuron.fires and (counts is None or x.name in counts)
        }
        traces: dict[str, list[LayerTrace]] = {x.name: [] for x in layers}
        with torch.inference_mode():
            for start in range(0, len(checked), size):
                batch = checked[start : start + size]
                pixels = on_device(self.network.input.carried(batch), self.device)
                done = self._run_batch(self._in_time(pixels), trace, meter)
                logits.append(done[output].potentials[-1].flatten(1).cpu())
                for name, kept in sent.items():
                    kept.append(done[name].spikes.sum(0).cpu())
                if trace:
                    for name, activity in done.items():
                        traces[name].append(activity.cpu())
                if progress is not None:
                    progress(start + len(batch), len(checked))
        joined = torch.cat(logits)
        return Result(
            logits=joined,
            labels=lowest_argmax(joined),
            counts={name: torch.cat(kept) for name, kept in sent.items()},
            trace={k: LayerTrace.cat(v) for k, v in traces.items()} if trace else None,
        )

    def _in_time(self, images: Tensor) -> Tensor:
        """Return (N, *carried_shape) values with the time axis first, of length 1 if constant."""
        return images[None] if self.network.input.steps is None else images.transpose(0, 1)

    def _run_batch(self, images: Tensor, trace: bool, meter: Meter | None) -> dict[str, LayerTrace]:
        """Return all layers' values; without ``trace``, potentials of the last timestep only."""
        done: dict[str, LayerTrace] = {}
        if meter is not None:
            meter.begin(images.shape[1])
        for layer in self.network.layers:
            currents = self._currents(layer, images, done, meter)
            currents = currents.expand(layer.timesteps, *currents.shape[1:])
            dynamics = self._dynamics[layer.name]
            state = dynamics.start(currents[0])
            spikes: list[Tensor] = []
            potentials: list[Tensor] = []
            sums: list[Tensor] = []
            for t, given in enumerate(currents):
                current = given
                # Without spikes before the first timestep nothing is added, which is counted, too.
                if layer.recurrent and (t or meter is not None):
                    before = spikes[-1] if t else torch.zeros_like(given)
                    current = given + self._recurrent(layer, before, meter)
                fired, state = dynamics.step(t, current, state)
                sums.append(current)
                spikes.append(fired)
                potentials.append(state[0])
            if meter is not None:
                meter.fired(layer.name, torch.stack(spikes))
            kept = potentials if trace else potentials[-1:]
            if layer.recurrent:
                currents = torch.stack(sums)
            done[layer.name] = LayerTrace(currents, torch.stack(spikes), torch.stack(kept))
        return done

    def _recurrent(self, layer: Layer, spikes: Tensor, meter: Meter | None) -> Tensor:
        """Return the sums that a layer's spikes of the timestep before add to its accumulators."""
        (index,) = (k for k, x in enumerate(layer.connections) if layer.recurs(x))
        if meter is not None:
            meter.read(layer.name, index, spikes)
        return self._synapses[layer.name, index].sums(spikes.double()).to(torch.int64)

    def _currents(
        self, layer: Layer, images: Tensor, done: dict[str, LayerTrace], meter: Meter | None
    ) -> Tensor:
        """Return the layer's accumulators, (T, N, *shape), or (1, N, *shape) if constant.

        They are without its own spikes.
        """
        total: Tensor | None = None
        for index, connection in enumerate(layer.connections):
            if layer.recurs(connection):
                continue
            values = images if connection.source == INPUT else done[connection.source].spikes
            if connection.constant:
                values = values.sum(0, keepdim=True)
            else:
                paired = source_steps(connection.transport, len(values), layer.timesteps)
                values = values[list(paired)]
            # Synapses have no memory, so all timesteps go through them as one batch.
            steps, batch = values.shape[:2]
            values = values.flatten(0, 1)
            if connection.pool is not None:
                values = pooled(connection.pool, values)
            if meter is not None:
                meter.read(layer.name, index, values)
            sums = self._synapses[layer.name, index].sums(values.double()).to(torch.int64)
            current = sums.reshape(steps, batch, *self.network.shapes[layer.name])
            total = current if total is None else total + current
        assert total is not None, "the contract gives every layer a connection"
        return total

    def _default_batch_size(self) -> int:
        shapes = self.network.shapes
        largest = math.prod(self.network.input.carried_shape)
        for layer in self.network.layers:
            outputs = math.prod(shapes[layer.name])
            largest = max(largest, outputs * layer.timesteps)
            for connection in layer.connections:
                patch = math.prod(connection.synapses.weight.shape[1:])
                steps = 1 if connection.constant else layer.timesteps
                largest = max(largest, patch * outputs // shapes[layer.name][0] * steps)
        return max(1, min(_MOST_PER_BATCH, _BATCH_BYTES // (8 * largest)))


def lowest_argmax(logits: Tensor) -> Tensor:
    """Return, for (N, K) logits, the index of each row's maximum: of several, the lowest.

    `torch.argmax` leaves open which of several it returns.
    """
    index = torch.arange(logits.shape[1], device=logits.device)
    largest = logits == logits.amax(1, keepdim=True)
    return torch.where(largest, index, logits.shape[1]).amin(1)


def _usable(device: str | torch.device) -> torch.device:
    try:
        usable = torch.device(device)
        if usable.type not in ("cpu", "cuda"):
            raise ConfigError(f"device must be cpu or cuda, not {device}: others lack float64")
        torch.empty(0, device=usable)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {device!r} cannot be used ({reason}): use 'cpu'") from None
    return usable
