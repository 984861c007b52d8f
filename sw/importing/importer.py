"""The whole way from a graph to a network, with a report on what was assumed and what is lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.importing.agreement import Agreement, compare
from spikeloom.sw.importing.build import Fit, build
from spikeloom.sw.importing.exported import is_exported, network_of
from spikeloom.sw.importing.graph import Graph
from spikeloom.sw.importing.lowering import lower
from spikeloom.sw.importing.model import Model
from spikeloom.sw.importing.nir_graph import graph_in_memory, read_nir
from spikeloom.sw.importing.origins import rules_of
from spikeloom.sw.importing.simulation import Progress, simulate
from spikeloom.sw.importing.weights import samples
from spikeloom.sw.network import INPUT, CountInput, DirectInput, Input, Network, SpikeInput
from spikeloom.sw.network.record import Shape

if TYPE_CHECKING:
    from spikeloom.sw.datasets import Dataset

#: Images that units are fitted to, and that the network is compared on unless it is told others.
CALIBRATION = 128


@dataclass(frozen=True)
class Report:
    """What was assumed, what was mended, and how near the integers come.

    Parameters
    ----------
    assumed : mapping of str to str
        Origin, dt and reset, each with its reason.
    repairs : tuple of str
        What was mended in the graph.
    layers : mapping of str to Fit
        Of each layer.
    agreement : Agreement or None
        With the float simulation; None without images.
    model : Model or None
        The populations that the network was made of; None of a network that Spikeloom exported.
    """

    assumed: Mapping[str, str]
    repairs: tuple[str, ...] = ()
    layers: Mapping[str, Fit] = field(default_factory=dict)
    agreement: Agreement | None = None
    model: Model | None = None

    def lines(self) -> list[str]:
        """Return the report as sentences."""
        found = [f"{what}: {reason}" for what, reason in self.assumed.items()]
        found += [f"mended: {repair}" for repair in self.repairs]
        for name, fit in self.layers.items():
            line = f"{name} ({fit.kind}): {fit.rule}; weights off by {fit.weight_error:.2%}"
            if fit.shifts or fit.decay != 1:
                shifts = ", ".join(map(str, fit.shifts)) or "none"
                line += f"; decay by shifts {shifts}: off by {fit.residual:+.5f}"
            if fit.current_realised is not None and fit.current_decay is not None:
                line += f"; of the current {fit.current_realised - fit.current_decay:+.5f}"
            found.append(line)
        return found + ([] if self.agreement is None else self.agreement.lines())


class Imported(NamedTuple):
    """A network, and the report on its import."""

    network: Network
    report: Report


def from_nir(
    graph: Any,
    *,
    origin: str | None = None,
    dt: float | None = None,
    reset: str | None = None,
    timesteps: int | None = None,
    images: Any = None,
    labels: Any = None,
    compared: Any = None,
    bits: int = 8,
    fraction_bits: int | None = None,
    largest: int | None = None,
    input: Input | None = None,
    input_shape: Sequence[int] | None = None,
    input_bits: int | None = None,
    input_scale: float | Sequence[float] | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Turn a graph of NIR into an integer network.

    Parameters
    ----------
    graph : path, nir.NIRGraph or Graph
    origin : {"snntorch", "spikingjelly", "sinabs", "norse", "nir"}, optional
        Toolkit whose neurons these are; by default it is recognised.
    dt : float, optional
        Length of a timestep in seconds that the graph was exported with, where it does not say it.
    reset : {"subtract", "hard"}, optional
        How neurons reset, where the toolkit has both.
    timesteps : int
        T of the network. A network that Spikeloom exported has its own.
    images : Dataset, or array of integers of shape (N, *shape) or (N, T, *shape), optional
        The first ones fit the weights' units to the currents; without ``compared``, all of them are
        compared with the float simulation. With a time axis, they are spikes.
    labels : array of int, shape (N,), optional
        Of ``compared``, or of ``images``.
    compared : Dataset or array, optional
        Images to compare the network on, if others.
    bits : int
        Of weights, 2 to 16.
    fraction_bits : int, optional
        F of the layers that fire; by default the fewest with which rounding stays small.
    largest : int, optional
        Most spikes of one timestep, of neurons that can fire several times.
    input : Input, optional
        Of the network. By default as the images: spikes if they have a time axis, else pixels.
    input_shape : sequence of int, optional
        Shape of one image, without batch and time; by default the graph's.
    input_bits : int, optional
        Of pixels; by default those of a data set, or 8.
    input_scale : float or sequence of float, optional
        Real value of one unit of a pixel; by default the largest pixel stands for 1, and a spike
        for 1.
    name : str, optional
    progress : callable, optional
        Called with the number of compared images, and of all.

    Returns
    -------
    Imported
        The network, and a `Report`.

    Raises
    ------
    FileFormatError, UnsupportedError, ConfigError, ContractError, DataError
        If the graph is damaged, ambiguous or has no place in the contract; in one line, which names
        what stands in the way.

    Examples
    --------
    >>> network, report = from_nir("net.nir", reset="subtract", timesteps=10)  # doctest: +SKIP
    """
    if isinstance(graph, (str, Path)):
        read = read_nir(graph)
    else:
        read = graph if isinstance(graph, Graph) else graph_in_memory(graph)
    if is_exported(read):
        network = network_of(read)
        return Imported(network, Report({"origin": "spikeloom: exported by it, digest and all"}))
    if timesteps is None:
        raise ConfigError("a graph has no number of timesteps: give timesteps (--timesteps)")
    if isinstance(bits, bool) or not isinstance(bits, int) or not 2 <= bits <= 16:
        raise ConfigError(f"bits of weights must be from 2 to 16, not {bits!r}")
    rules, assumed = rules_of(read, origin, dt, reset)
    first, labels_found, scale = _images(images, timesteps)
    if input_bits is None:
        input_bits = getattr(images, "bits", 8)
    if input_scale is None:
        input_scale = scale
    source_shape = input_shape if input is None else input.shape
    if input is not None:
        timed = input.steps is not None
    else:
        timed = _is_timed(first, lower(read, rules, source_shape).shape, timesteps)
    if input_scale is None:
        input_scale = 1.0 if timed or isinstance(input, CountInput) else 1 / ((1 << input_bits) - 1)
    model = lower(read, rules, source_shape, input_scale)
    source = input or _input(model.shape, timesteps, timed, first, input_bits)
    first = _fitted(first, source, "images")
    values = None
    if first is not None:
        head = source.carried(np.asarray(first[:CALIBRATION]))
        activity = simulate(model, head, timesteps)
        given = simulate_input(head, source)
        values = samples({INPUT: given, **activity.spikes})
    network, fits = build(
        model,
        source,
        timesteps,
        bits=bits,
        fraction_bits=fraction_bits,
        largest=largest,
        values=values,
        about={"imported": {**assumed, "from": Path(read.name).name}},
        name=name or _name(read.name),
    )
    beside, its_labels, _ = _images(compared, timesteps)
    if beside is None:
        beside, its_labels = first, labels_found
    if labels is not None:
        its_labels = np.asarray(labels)
    beside = _fitted(beside, source, "compared images")
    agreement = None
    if beside is not None:
        if its_labels is not None and len(its_labels) != len(beside):
            raise DataError(f"there are {len(beside)} images but {len(its_labels)} labels")
        agreement = compare(network, model, beside, timesteps, its_labels, progress)
    return Imported(network, Report(assumed, model.repairs, fits, agreement, model))


def simulate_input(images: npt.NDArray[Any], source: Input) -> Any:
    """Return images as the values of a source: (T, N, *shape), with T = 1 where they are constant."""
    import torch

    values = torch.from_numpy(np.ascontiguousarray(images)).double()
    return values[None] if source.steps is None else values.transpose(0, 1)


def _images(given: Any, timesteps: int) -> tuple[Any, Any, Any]:
    """Return images, their labels and the scale of their pixels, as far as they are known."""
    from spikeloom.sw.datasets import Dataset

    if isinstance(given, Dataset):
        return _of_dataset(given, timesteps)
    if given is None:
        return None, None, None
    array = given if hasattr(given, "__array__") else np.asarray(given)
    if hasattr(array, "detach"):
        array = array.detach().cpu().numpy()
    if array.dtype.kind not in "iub":
        raise DataError(
            f"images must be integers, pixels or spikes, not {array.dtype}: scale them, and give the "
            f"real value of one unit as input_scale"
        )
    return array, None, None


def _of_dataset(data: Dataset, timesteps: int) -> tuple[Any, Any, Any]:
    if data.spikes is not None:
        if data.spikes.shape[1] != timesteps:
            raise DataError(
                f"{data.name} has {data.spikes.shape[1]} timesteps, not {timesteps}: bin it anew"
            )
        return data.spikes, data.labels, 1.0
    if np.any(np.asarray(data.offset)):
        raise DataError(f"{data.name} has a pixel other than 0 for 0: give arrays and an input")
    return data.images, data.labels, data.scale


def _is_timed(images: Any, shape: Shape, timesteps: int) -> bool:
    """Return whether images have a time axis of ``timesteps`` in front of the input's shape."""
    if images is None or math.prod(images.shape[1:]) == math.prod(shape):
        return False
    ahead = images.shape[1] if len(images.shape) > 2 else None
    return ahead == timesteps and math.prod(images.shape[2:]) == math.prod(shape)


def _input(shape: Shape, timesteps: int, timed: bool, images: Any, bits: int) -> Input:
    if timed:
        return SpikeInput(shape, timesteps, int(max(1, np.asarray(images[:CALIBRATION]).max())))
    return DirectInput(shape, bits)


def _fitted(images: Any, source: Input, what: str) -> Any:
    """Return images in the shape of a network's input."""
    if images is None:
        return None
    shape = source.image_shape
    if tuple(images.shape[1:]) == shape:
        return images
    if math.prod(images.shape[1:]) != math.prod(shape):
        raise DataError(
            f"{what} have the shape {tuple(images.shape[1:])}, but the network takes {shape}"
        )
    return np.asarray(images).reshape(len(images), *shape)


def _name(text: str) -> str:
    stem = Path(text).stem
    return "imported" if stem == "the graph" else stem
