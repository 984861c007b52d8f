"""The engines that clock simulated hardware, by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from spikeloom.sim.design import Design
from spikeloom.sim.part import Simulator
from spikeloom.sw.errors import ConfigError

#: Module and class of each engine. Only the one that is used is imported.
ENGINES = {
    "native": ("native", "NativeSimulator"),
    "cocotb": ("runner", "CocotbSimulator"),
}

Builder = Callable[[Design, str | Path, Callable[[], object] | None], Simulator]


def builder(name: str | Builder) -> Builder:
    """Return the function that builds an engine's simulator.

    Parameters
    ----------
    name : str or callable
        A function in place of a name is returned as it is.

    Raises
    ------
    ConfigError
        If there is no engine of that name.
    """
    if callable(name):
        return name
    if name not in ENGINES:
        raise ConfigError(f"there is no engine {name!r}: the engines are {', '.join(ENGINES)}")
    module, kind = ENGINES[name]
    found: Any = getattr(import_module(f"spikeloom.sim.{module}"), kind)
    build: Builder = found.build
    return build
