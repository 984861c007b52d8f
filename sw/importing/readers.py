"""Readers of files of other toolkits, found by the ending of a file's name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.registry import Registered

if TYPE_CHECKING:
    from spikeloom.sw.importing.importer import Imported


@dataclass(frozen=True)
class Options:
    """What a user says about a file; each is described at :func:`.from_nir`.

    Parameters
    ----------
    images, compared : Dataset or array, optional
        Images that weights are fitted to, and those that the network is compared on.
    labels : array, optional
    """

    origin: str | None = None
    dt: float | None = None
    reset: str | None = None
    timesteps: int | None = None
    bits: int = 8
    fraction_bits: int | None = None
    largest: int | None = None
    input_shape: tuple[int, ...] | None = None
    input_bits: int | None = None
    input_scale: float | None = None
    name: str | None = None
    images: Any = None
    compared: Any = None
    labels: Any = None
    progress: Any = None


class Reader(Registered, ABC):
    """Reads files whose names end in :attr:`suffix`, and makes networks of them."""

    kinds: ClassVar[dict[str, type[Reader]]] = {}
    name_attribute = "suffix"
    suffix: ClassVar[str]

    @abstractmethod
    def network(self, path: Path, options: Options) -> Imported:
        """Return the network in a file, and the report on its import."""


class NirReader(Reader, suffix=".nir"):
    """NIR, as snnTorch, SpikingJelly, sinabs, norse and others write it."""

    def network(self, path: Path, options: Options) -> Imported:
        from spikeloom.sw.importing.importer import from_nir

        return from_nir(path, **vars(options))


class OnnxReader(Reader, suffix=".onnx"):
    """ONNX: a network of rectifiers, which become neurons with thresholds from images."""

    def network(self, path: Path, options: Options) -> Imported:
        from spikeloom.sw.importing.onnx_network import network_from_onnx

        return network_from_onnx(path, **vars(options))


def reader_for(path: str | Path) -> Reader:
    """Return the reader of a file.

    Raises
    ------
    ConfigError
        If there is none for the ending of its name.
    """
    message = f"{path} cannot be imported: its name ends in none of"
    return Reader.member(Path(path).suffix.lower(), ConfigError, message)()
