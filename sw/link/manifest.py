"""Manifests: JSON files beside bitstreams that describe the design of a board."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.sw.documents import parse_json
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.files import read_bytes, require_field, require_version, write_text
from spikeloom.sw.sealed import digest

FORMAT = "spikeloom-bitstream"
VERSION = 1

#: Bytes that a manifest has at most.
_LARGEST = 1 << 24
#: Key of the digest of all else in the file.
SEAL = "sha256"

_CURE = "build again"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Manifest:
    """Description of a board's design: its network, hardware, link and bitstream.

    Parameters
    ----------
    content : mapping
        JSON values: ``board`` and ``device``; ``network`` (name, digest, accuracy, data set);
        ``config`` (lanes, events, ...); ``hardware``, the sidecar of its accelerator; ``tools``
        (versions); ``resources`` (used and available); ``clock_mhz`` and ``fmax_mhz``;
        ``prediction`` (cycles and images per second), ``work``, ``neurobench`` and ``energy``
        (docs/energy.md), or null; ``self_test`` and ``link`` (protocol version and register map),
        or null; ``bitstream`` (file name beside the manifest, SHA-256), or null if a vendor's tool
        makes it.
    path : Path
        Path of the manifest; the bitstream lies beside it.
    """

    content: Mapping[str, Any]
    path: Path

    @property
    def bitstream(self) -> Path | None:
        """Path of the bitstream; None if a vendor's tool makes it."""
        entry = self.content["bitstream"]
        return None if entry is None else self.path.parent / entry["file"]

    @property
    def overlay(self) -> bool:
        """Whether the design is an overlay: an accelerator behind AXI, without a link to a host."""
        hardware = self.content.get("hardware")
        return isinstance(hardware, Mapping) and "axi" in hardware

    @property
    def project(self) -> str:
        """The command by which Vivado makes the bitstream, and the folder to run it in."""
        script = "overlay.tcl" if self.overlay else "top.tcl"
        return f"`vivado -mode batch -source {script}` in {self.path.parent / 'work'}"

    def save(self) -> None:
        """Write the manifest, with a digest of it. The same content gives the same bytes."""
        sealed = {**self.content, SEAL: _seal(self.content)}
        write_text(self.path, json.dumps(sealed, indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Manifest:
        """Read a manifest.

        Raises
        ------
        FileFormatError
            If the file is missing, damaged, of another kind, or of a newer version, or if its
            content is another than the digest in it says. Older ones have no digest.
        """
        raw = read_bytes(path, "manifest", _LARGEST)
        try:
            content = parse_json(raw)
        except ValueError as error:
            raise FileFormatError(f"{path} is no manifest ({error}): build again") from None
        if not isinstance(content, dict):
            raise FileFormatError(f"{path} is no manifest, but {type(content).__name__}")
        require_version(content, path, "manifest", FORMAT, VERSION)
        seal = content.pop(SEAL, None)
        if seal is None:
            _LOG.warning("%s is older than digests of manifests: damage would not be seen", path)
        elif seal != _seal(content):
            raise FileFormatError(
                f"manifest {path} is damaged: its content is another than the digest in it says: "
                f"{_CURE}"
            )
        for key in ("board", "network", "bitstream"):
            if key not in content:
                raise FileFormatError(f"manifest {path} lacks {key!r}: build again")
        where = f"manifest {path}"
        require_field(content, "board", str, where, _CURE)
        require_field(content, "network", dict, where, _CURE)
        if content["bitstream"] is not None:
            entry = require_field(content, "bitstream", dict, where, _CURE)
            require_field(entry, "sha256", str, where, _CURE)
            file = require_field(entry, "file", str, where, _CURE)
            if Path(file).name != file:
                raise FileFormatError(f"{where}: {file!r} is no file beside it: {_CURE}")
        return cls(content, Path(path))

    def require_link(self) -> None:
        """Raise `ConfigError` if the design has no link to a host."""
        if self.overlay:
            raise ConfigError(
                f"manifest {self.path} is of an overlay, which has no link to a host: PYNQ runs it "
                f"on the board itself, as docs/axi.md shows"
            )
        if self.content.get("link") is None:
            raise ConfigError(
                f"manifest {self.path}: its design has no link to a host: build it again"
            )

    def require_bitstream(self) -> Path:
        """Return the path of the bitstream, once its bytes have been compared with the manifest.

        Raises
        ------
        FileFormatError
            If there is no bitstream, or it is not the manifest's.
        """
        path = self.bitstream
        if path is None:
            raise FileFormatError(
                f"{self.content['board']} has no bitstream yet: run Vivado on the project first"
            )
        if digest(read_bytes(path, "bitstream")) != self.content["bitstream"]["sha256"]:
            raise FileFormatError(f"{path} is not the bitstream of its manifest: build it again")
        return path


def _seal(content: Mapping[str, Any]) -> str:
    """Return the digest of a manifest: of its JSON with sorted keys and without blanks."""
    return digest(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())
