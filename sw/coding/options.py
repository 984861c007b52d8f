"""Options of a coding, and the network's input that follows from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypedDict, cast

import numpy as np

from spikeloom.sw.datasets.pixels import Pixels, seen_message
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.graph import map_shape
from spikeloom.sw.network import (
    BernoulliInput,
    CountInput,
    DirectInput,
    Input,
    PixelInput,
    SpikeInput,
)
from spikeloom.sw.quantized.choices import LayerChoice

#: One kind of neuron for all layers, or one per layer name; None for the default.
NeuronChoice = str | Mapping[str, str] | None


class Options(TypedDict, total=False):
    """Options of ``convert`` and ``spiking``; all can be left out.

    transport : {"count", "spikes"}
        Whether connections between layers carry the sum of a layer's spikes, which the next one
        sees as a constant current (temporal averaging), or its spikes, step by step. Counts are
        the default, and lose nothing at the timesteps of the training.
    alignment : {"repl+aver", "repl+trunc", "aver+trunc", "aver+aver"}, optional
        How spikes reach a layer that has another number of timesteps: the first part is for more
        timesteps, the second for fewer. "repl" repeats the nearest earlier step, "trunc" keeps the
        first steps, and "aver" carries the count. "aver+aver" carries it between layers of equal
        timesteps, too, as count transport does.
    neuron : str or mapping of layer name to str, optional
        Kind of the neurons: "ladder" (counts only), "if", "dual" or "burst" for QCFS, "signed" for
        SignedQCFS. In mappings, "first", "last" and "default" are understood.
    timesteps : int or mapping of layer name to int, optional
        T; by default the T of the training, divided by ``largest`` for burst neurons.
        The output layer follows its sources, unless an alignment allows for a T of its own.
    largest : int or mapping of layer name to int
        Most spikes of a burst neuron in one timestep, 4 by default. ``λ / largest`` is one spike.
    tau : float or mapping of layer name to float, optional
        Leak of burst neurons: the potential loses ``1/tau`` in every timestep. A power of two from
        2 to 2^31, since the leak is a shift.
    input : {"direct", "count", "spikes", "bernoulli"}
        Kind of the input: pixels, counts, spikes with a time axis, or pixels that become random
        spikes, as many on average as they are bright (Bernoulli coding).
    input_shape : tuple of int, optional
        Shape of one image, without the time axis; by default that of the prepared model.
    input_bits : int, optional
        Bits of a pixel; by default those of the data that :func:`~spikeloom.sw.training.train`
        saw.
    input_scale : float, optional
        Real value of one pixel step, count or spike, as the model saw it: 1/255 for 8-bit pixels
        scaled to [0, 1]. The model saw the sum over the time axis. Default as for ``input_bits``.
    input_signed : bool
        Whether pixels can be negative. Default as for ``input_bits``.
    input_zero : int or sequence of int, shape (channels,)
        Zero point: the pixel that stands for 0, of all channels or of each. Default as for
        ``input_bits``. A model is prepared for it by
        ``prepare(..., pixels=Pixels(...))``, which chooses it.
    input_timesteps : int
        Length of the time axis of spikes, or number of timesteps over which pixels become spikes.
    input_highest : int, optional
        Largest count, by default 2^input_bits - 1; largest spike, by default 1.
    input_seed : int, optional
        Chooses the random numbers of Bernoulli coding; 0 by default.
    """

    transport: str
    alignment: str | None
    neuron: NeuronChoice
    timesteps: LayerChoice | None
    largest: LayerChoice | None
    tau: float | Mapping[str, float] | None
    input: str
    input_shape: tuple[int, ...] | None
    input_bits: int | None
    input_scale: float | None
    input_signed: bool | None
    input_zero: int | Sequence[int] | None
    input_timesteps: int | None
    input_highest: int | None
    input_seed: int | None


#: Options of the input that only some kinds have, and the kinds that have them.
_OWN = {
    "input_timesteps": ("spikes", "bernoulli"),
    "input_highest": ("count", "spikes"),
    "input_seed": ("bernoulli",),
}


def coded_input(meta: Mapping[str, Any], options: Options) -> tuple[Input, Fraction]:
    """Return a network's input, and the real value of one count of it.

    Parameters
    ----------
    meta : mapping
        Facts about the input that the prepared model keeps.
    options : Options

    Raises
    ------
    ConfigError
        If an option is missing, unknown or out of range, or if two contradict each other.
    DataError
        If the images that set the thresholds were others than the network takes.
    """
    kind = one_of("input", options.get("input", "direct"), tuple(_INPUTS))
    for what, kinds in _OWN.items():
        if kind not in kinds and options.get(what) is not None:
            raise ConfigError(
                f"{what} is for inputs of kind {' or '.join(kinds)}, not {kind}: leave it out, or "
                f"choose another input"
            )
    pixels = meta.get("pixels")
    if pixels is not None:
        options = _as_prepared(kind, pixels, options)
    shape = options.get("input_shape")
    # Signals, (C, L), are feature maps of one row.
    shape = map_shape(tuple(meta["input_shape"] if shape is None else shape))
    source = _INPUTS[kind](shape, meta, options)
    scale = real_scale(_given(meta, options, "input_scale"))
    if pixels is None and isinstance(source, PixelInput):
        _require_seen(meta, source, float(scale))
    return source, scale * source.unit


def _as_prepared(kind: str, pixels: Pixels, options: Options) -> Options:
    """Return the options without those of the pixels, which a prepared model knows itself.

    Raises
    ------
    ConfigError
        If they contradict the pixels that the model was prepared for.
    """
    if kind != "direct":
        raise ConfigError(
            f"the model was prepared for pixels, which enter as they are: use input='direct' in "
            f"place of {kind!r}, or prepare it without pixels"
        )
    known: dict[str, Any] = {
        "input_bits": pixels.bits,
        "input_scale": pixels.scales[0] if len(set(pixels.scales)) == 1 else pixels.scales,
        "input_signed": pixels.signed,
    }
    for name, value in known.items():
        given = options.get(name)
        if given is not None and given != value:
            raise ConfigError(
                f"{name} is {given}, but the model was prepared for {value}: give the pixels to "
                f"prepare(..., pixels=Pixels(...)), and leave {name} out here"
            )
    return cast(Options, {name: v for name, v in options.items() if name not in known})


def _require_seen(meta: Mapping[str, Any], source: Input, scale: float) -> None:
    """Require that the images that set the thresholds were those that the network takes.

    Raises
    ------
    DataError
        If they hold other values.
    """
    if "seen" not in meta:
        return
    pixels = source.pixels()
    zeros = source.zeros
    low, high = (pixels.low - max(zeros)) * scale, (pixels.high - min(zeros)) * scale
    smallest, largest = meta["seen"]
    if smallest < low - scale / 4 or largest > high + scale / 4:
        raise DataError(seen_message(smallest, largest, low, high))


def _direct_input(shape: tuple[int, ...], meta: Mapping[str, Any], options: Options) -> Input:
    signed: Any = options.get("input_signed")
    signed = meta.get("input_signed") if signed is None else signed
    zero: Any = options.get("input_zero")
    zero = meta.get("input_zero") if zero is None else zero
    bits = _given(meta, options, "input_bits")
    return DirectInput(shape, bits, bool(signed), 0 if zero is None else zero)


def _count_input(shape: tuple[int, ...], meta: Mapping[str, Any], options: Options) -> Input:
    highest = options.get("input_highest")
    if highest is None:
        highest = (1 << _given(meta, options, "input_bits")) - 1
    return CountInput(shape, highest)


def _spike_input(shape: tuple[int, ...], meta: Mapping[str, Any], options: Options) -> Input:
    steps = options.get("input_timesteps")
    if steps is None:
        raise ConfigError("an input of spikes has a time axis: give input_timesteps, its length")
    highest = options.get("input_highest")
    return SpikeInput(shape, steps, 1 if highest is None else highest)


def _bernoulli_input(shape: tuple[int, ...], meta: Mapping[str, Any], options: Options) -> Input:
    steps = options.get("input_timesteps")
    if steps is None:
        raise ConfigError("pixels become spikes over some timesteps: give input_timesteps")
    zero: Any = options.get("input_zero")
    if options.get("input_signed") or (zero is not None and np.any(zero)):
        raise ConfigError(
            "pixels become random spikes only if the pixel 0 stands for 0 and none is below it: "
            "leave input_signed and input_zero out, or use input='direct'"
        )
    seed = options.get("input_seed")
    return BernoulliInput(shape, _given(meta, options, "input_bits"), steps, seed or 0)


_INPUTS: dict[str, Callable[[tuple[int, ...], Mapping[str, Any], Options], Input]] = {
    "direct": _direct_input,
    "count": _count_input,
    "spikes": _spike_input,
    "bernoulli": _bernoulli_input,
}
#: Kinds of input that a user can choose.
INPUT_CHOICES = tuple(_INPUTS)


def _given(meta: Mapping[str, Any], options: Options, what: str) -> Any:
    value = options.get(what)
    if value is None:
        value = meta.get(what)
    if value is None:
        raise ConfigError(
            f"{what} is not known, since the model was not trained by spikeloom's train(): give "
            f"{what}"
        )
    return value


def real_scale(scale: float) -> Fraction:
    """Return ``input_scale`` exactly, or raise `ConfigError` unless it is positive and finite."""
    if not 0 < scale < math.inf:
        raise ConfigError(f"input_scale must be positive and finite, not {scale}")
    return Fraction(scale)


def one_of(what: str, value: str, known: tuple[str, ...]) -> str:
    """Return ``value``, or raise `ConfigError` unless it is one of ``known``."""
    if value not in known:
        raise ConfigError(f"{what} must be {' or '.join(known)}, not {value!r}")
    return value
