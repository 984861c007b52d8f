"""Readers of files of hardware and boards."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from support.cosim.tiny import tiny_network

from fuzz.formats.base import Format
from fuzz.formats.sealed import Manifest as ManifestFormat
from fuzz.formats.texts import Json, Toml
from fuzz.targets.base import CORPUS, Target
from spikeloom.hw.boards import Board
from spikeloom.hw.planning.file import PlanFile
from spikeloom.sim.design import Design
from spikeloom.sim.inert import powers
from spikeloom.sw.inference import Contents
from spikeloom.sw.link.manifest import Manifest


class ManifestFile(Target, name="manifest"):
    """A manifest."""

    format = ManifestFormat()
    file = "input.json"
    guides = ("spikeloom.sw.link.manifest",)

    def read(self, path: Path) -> object:
        return Manifest.load(path)


class BoardContents(Target, name="contents"):
    """The contents of a board, from a manifest without a digest."""

    format = Json()
    file = "input.json"
    guides = ("spikeloom.sw.link.manifest", "spikeloom.sw.inference.contents")

    def read(self, path: Path) -> object:
        return Contents.of(Manifest.load(path))


class _Hardware(Target):
    """Something of generated hardware, beside the rest of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.network = tiny_network()
        for path in (CORPUS.parent / "beside").iterdir():
            (folder / path.name).write_bytes(path.read_bytes())

    def read(self, path: Path) -> object:
        return Design.load(path.with_name("net.v"), self.network)


class Sidecar(_Hardware, name="sidecar"):
    """The sidecar of generated hardware."""

    format = Json()
    file = "net.json"
    guides = (
        "spikeloom.sim.sidecar",
        "spikeloom.sim.design",
        "spikeloom.hw.planning",
        "spikeloom.hw.verilog",
    )


class MemoryFile(_Hardware, name="memories"):
    """The content of a memory, which the sidecar names by its digest."""

    file = "net.json"
    guides = ("spikeloom.sim.design",)

    def take(self, data: bytes) -> None:
        sidecar = json.loads((CORPUS.parent / "beside" / "net.json").read_text())
        entry = sidecar["memories"][0]
        entry["sha256"] = hashlib.sha256(data).hexdigest()
        (self.path.parent / entry["file"]).write_bytes(data)
        super().take(json.dumps(sidecar).encode())


class Verilog(Target, name="verilog"):
    """The search for what Verilog could do besides computing."""

    format = Format()
    guides = ("spikeloom.sim.inert",)

    def take(self, data: bytes) -> None:
        powers(data.decode("utf-8", "replace"))

    def read(self, path: Path) -> object:
        return powers(path.read_text())


class BoardTable(Target, name="board"):
    """A board's table."""

    format = Toml()
    file = "input.toml"
    guides = ("spikeloom.hw.boards", "spikeloom.sw.tables")

    def read(self, path: Path) -> object:
        return Board.load(path)


class PlanTable(Target, name="plan"):
    """A plan file, and its use for a network."""

    format = Json()
    file = "input.json"
    guides = ("spikeloom.hw.planning",)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.network = tiny_network()

    def read(self, path: Path) -> object:
        return PlanFile.load(path).for_network(self.network)
