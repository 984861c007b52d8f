"""The recipes that come with Spikeloom: TOML files in this folder, found by name.

This module only finds the files, so that a list of them does not need torch;
:mod:`spikeloom.sw.training.recipe` reads them.
"""

from __future__ import annotations

from pathlib import Path

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.names import meant

FOLDER = Path(__file__).parent
SUFFIX = ".toml"


def find(name: str) -> Path:
    """Return the file of a recipe: the user's, or else Spikeloom's recipe of that name.

    Parameters
    ----------
    name : str
        A path that ends in ``.toml``, or the name of a recipe that comes with Spikeloom.

    Raises
    ------
    FileFormatError
        If there is no such file and no such recipe.
    """
    ours = FOLDER / (name if name.endswith(SUFFIX) else name + SUFFIX)
    for path in (Path(name), ours):
        if path.suffix == SUFFIX and path.is_file():
            return path
    rest = f"check the path, or choose one of ours: {', '.join(committed())}"
    near = meant(name.removesuffix(SUFFIX), committed(), rest)
    raise FileFormatError(f"recipe {name} does not exist: {near}")


def committed() -> list[str]:
    """Return the names of the recipes that come with Spikeloom."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))
