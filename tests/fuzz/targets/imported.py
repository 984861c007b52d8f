"""Readers of other toolkits' files."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from fuzz.formats.graphs import Hdf5, Onnx
from fuzz.targets.base import Target
from spikeloom.sw.importing import from_nir, hdf5
from spikeloom.sw.importing.onnx import from_onnx


class Nir(Target, name="nir"):
    """A graph of NIR, as far as the integer network, without another process for each."""

    format = Hdf5("nir")
    longest = 1 << 16
    file = "input.nir"
    guarded = True
    guides = ("spikeloom.sw.importing", "spikeloom.sw.network")

    def read(self, path: Path) -> object:
        with mock.patch.object(hdf5, "guarded", lambda reader, path: reader(path)):
            return from_nir(path, origin="nir", timesteps=4, dt=1e-4, reset="subtract")


class OnnxModel(Target, name="onnx"):
    """An ONNX file, as far as the torch model."""

    format = Onnx()
    file = "input.onnx"
    guides = ("spikeloom.sw.importing.onnx", "spikeloom.sw.graph")

    def read(self, path: Path) -> object:
        return from_onnx(path)
