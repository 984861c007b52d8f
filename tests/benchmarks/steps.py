"""Cycles of docs/benchmarks.md against timesteps, and against the widths of weights and pixels.

One model of digits is trained, in real numbers, and prepared for each setting without any training
afterwards: its events are typical, its accuracy is not.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from benchmarks import page, pictures
from benchmarks.accelerators import IMAGES
from spikeloom.hw.planning import plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.hw.search import Budget
from spikeloom.sw import datasets, models
from spikeloom.sw.conversion import convert
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.quantized import initialise, prepare
from spikeloom.sw.training import fit

MODEL = "digits-conv"
EPOCHS = 10
TIMESTEPS = (1, 2, 4, 8, 16)
TRANSPORTS = ("count", "spikes")
WIDTHS = (2, 3, 4, 5, 6, 8)
#: Digits have pixels from 0 to 16.
_LEVELS = 16
_BITS = (1, 2, 3, 4, 5, 6, 8)


@functools.cache
def _model() -> nn.Module:
    """Return the trained model."""
    torch.manual_seed(0)
    model = models.build(MODEL)
    fit(model, datasets.load("digits", "train"), epochs=EPOCHS, shift=1)
    return model


def pixels(images: IntArray, bits: int) -> IntArray:
    """Return images with pixels from 0 to 16 as the nearest ones of some bits."""
    scaled: IntArray = np.round(images * ((1 << bits) - 1) / _LEVELS).astype(np.int64)
    return scaled


@dataclass(frozen=True)
class Setting:
    """Choices that a network of the model is converted with.

    Parameters
    ----------
    timesteps : int
        T of every layer.
    transport : str
    weight_bits, bits : int
        Widths of weights and pixels.
    """

    timesteps: int = 4
    transport: str = "count"
    weight_bits: int = 8
    bits: int = 5

    def network(self) -> Network:
        """Return the network."""
        data = datasets.load("digits", "train")
        prepared = prepare(
            _model(),
            input_shape=data.shape,
            timesteps=self.timesteps,
            weight_bits=self.weight_bits,
        )
        initialise(prepared, data.inputs()[:512])
        return convert(
            prepared.eval(),
            transport=self.transport,
            input_bits=self.bits,
            input_scale=1 / ((1 << self.bits) - 1),
            input_signed=False,
            input_zero=0,
        )

    def images(self) -> IntArray:
        """Return test images for it."""
        return pixels(np.asarray(datasets.load("digits", "test").images[:IMAGES]), self.bits)

    def measured(self) -> tuple[float, float, float]:
        """Return events of all layers and cycles per image, and an estimate of LUT-eq."""
        net = self.network()
        planned = plan(net)
        found = predict(planned, activity(net, self.images()))
        luts = Budget.of_numbers(1 << 20, None).amounts(planned).luts
        events = float(sum(layer.events.mean() for layer in found.layers))
        return events, found.interval or float(found.latency), luts


_HEAD = ("#events/image", "#cycles/image", "#LUT-eq, estimate")


def timesteps(steps: Sequence[int] = TIMESTEPS) -> str:
    """Draw cycles against T in both transports, and return their table."""
    drawn, (axes,) = pictures.figure(("timesteps T of every layer", "clock cycles per image"))
    rows = []
    for transport in TRANSPORTS:
        found = [Setting(t, transport).measured() for t in steps]
        axes.loglog(steps, [cycles for _, cycles, _ in found], "o-", base=2, label=transport)
        rows += [_row([transport, str(t)], one) for t, one in zip(steps, found, strict=True)]
    for axis in (axes.xaxis, axes.yaxis):
        pictures.plain(axis)
    axes.legend(title="transport")
    pictures.save(drawn, "timesteps")
    return page.table(("transport", "#T", *_HEAD), rows)


def widths(weights: Sequence[int] = WIDTHS, inputs: Sequence[int] = _BITS) -> str:
    """Draw cycles and look-up tables against both widths, and return their table."""
    drawn, places = pictures.figure(
        ("bits", "clock cycles per image"), ("bits", "LUT-eq, estimate")
    )
    rows = []
    for name, numbers, settings in (
        ("weights", weights, [Setting(weight_bits=bits) for bits in weights]),
        ("pixels", inputs, [Setting(bits=bits) for bits in inputs]),
    ):
        found = [setting.measured() for setting in settings]
        for axes, column in zip(places, (1, 2), strict=True):
            axes.plot(numbers, [one[column] for one in found], "o-", label=f"of {name}")
        rows += [_row([name, str(b)], one) for b, one in zip(numbers, found, strict=True)]
    for axes in places:
        axes.set_ylim(bottom=0)
        axes.legend()
    pictures.save(drawn, "widths")
    return page.table(("width of", "#bits", *_HEAD), rows)


def _row(cells: list[str], found: tuple[float, float, float]) -> list[str]:
    return [*cells, *(f"{n:,.0f}" for n in found)]
