"""Running a Python file of the user's, for a model or a board that it defines."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from spikeloom.sw.errors import UnsupportedError


def run(path: Path, prefix: str) -> ModuleType:
    """Run a file as a module, and return the module.

    Parameters
    ----------
    path : Path
        Of a file that exists, whose name ends in ``.py``.
    prefix : str
        Begin of the module's name.

    Raises
    ------
    UnsupportedError
        If the file raises an error.
    """
    # Under a name of ours: a file called random.py must not replace the standard one.
    loaded = importlib.util.spec_from_file_location(f"{prefix}_{path.stem}", path)
    assert loaded is not None, "a name that ends in .py always has a loader"
    assert loaded.loader is not None
    module = importlib.util.module_from_spec(loaded)
    sys.modules[loaded.name] = module  # dataclasses and others look their module up
    here = str(path.resolve().parent)
    sys.path.insert(0, here)  # its neighbours can be imported, as with `python FILE.py`
    try:
        loaded.loader.exec_module(module)
    except Exception as error:
        raise UnsupportedError(f"{path} fails: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(here)
    return module
