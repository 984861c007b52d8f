"""The family of targets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from fuzz.formats.base import Format
from spikeloom.sw.registry import Registered

#: Folder of the inputs that damage begins with: a folder for each target.
CORPUS = Path(__file__).parents[1] / "corpus"


class Target(Registered, ABC):
    """A reader of what others may have written.

    Parameters
    ----------
    folder : Path
        An empty folder for the target's input, and for what it needs beside it.

    Attributes
    ----------
    runs : int
        Executions of a whole run.
    longest : int
        Bytes of an input, at most.
    format : Format
        How inputs are damaged.
    file : str
        Name of the input's file.
    guides : tuple of str
        Modules and packages whose code guides the choice of inputs.
    guarded : bool
        Whether commands read such a file in a process of its own: then it is a refusal if the
        process crashes or does not return.
    """

    kinds: ClassVar[dict[str, type[Target]]] = {}
    name_attribute = "name"
    name: ClassVar[str]
    runs: ClassVar[int] = 100_000
    longest: ClassVar[int] = 1 << 14
    format: ClassVar[Format] = Format()
    file: ClassVar[str] = "input"
    guides: ClassVar[tuple[str, ...]] = ()
    guarded: ClassVar[bool] = False

    def __init__(self, folder: Path) -> None:
        self.path = folder / self.file
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def take(self, data: bytes) -> None:
        """Read an input; whatever the reader raises is left to the caller."""
        self.path.write_bytes(data)
        self.read(self.path)

    @abstractmethod
    def read(self, path: Path) -> object:
        """Read the input in a file as a command does."""

    @classmethod
    def seeds(cls) -> list[bytes]:
        """Return the inputs of the corpus, in the order of their names."""
        files = sorted((CORPUS / cls.name).iterdir())
        assert files, f"{CORPUS / cls.name} is empty: python -m fuzz.seeds"
        return [file.read_bytes() for file in files]
