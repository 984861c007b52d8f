"""Names of a package that are imported when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def deferred(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return a module's ``__getattr__`` that imports names when they are first asked for.

    For packages some of whose modules take seconds to import, as torch and Amaranth do, and others
    are wanted without that. No module of the package may be called like one of the names, since it
    would take the name's place once it is imported. Type checkers find the names by ordinary
    imports under ``TYPE_CHECKING``.

    Parameters
    ----------
    package : str
        Name of the package, its ``__name__``.
    modules : mapping of str to sequence of str
        The names that each module defines; modules by their full names.
    """
    places = {name: module for module, names in modules.items() for name in names}

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(places[name]), name)

    return find
