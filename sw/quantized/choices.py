"""Choices of a user for each layer: one value for all, or values by the layers' names."""

from __future__ import annotations

from collections.abc import Mapping

from spikeloom.sw.errors import ConfigError

#: One value for all layers, or one per layer name.
LayerChoice = int | Mapping[str, int]


def per_layer(
    choice: LayerChoice, names: list[str], what: str, defaults: Mapping[str, int]
) -> dict[str, int]:
    """Return one value per layer from a user's choice.

    Parameters
    ----------
    choice : int or mapping
        One value for all, or values by layer name, ``"first"``, ``"last"`` and ``"default"``.
    names : list of str
        Layers, in order.
    what : str
        Name of the choice in messages.
    defaults : mapping
        Values of the layers that are left out.

    Raises
    ------
    ConfigError
        If a layer is named that does not exist.
    """
    if not isinstance(choice, Mapping):
        return dict.fromkeys(names, choice)
    given: dict[str, int] = dict(choice)
    default = given.pop("default", None)
    values = {name: defaults[name] if default is None else default for name in names}
    for alias, position in (("first", 0), ("last", -1)):
        if alias in given and alias not in names and names:
            values[names[position]] = given.pop(alias)
    unknown = sorted(given.keys() - values.keys())
    if unknown:
        raise ConfigError(
            f"{what} names {', '.join(map(repr, unknown))}, but the layers are {', '.join(names)}"
        )
    return values | given
