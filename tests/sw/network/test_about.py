"""What a network may hold about its origin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.networks.examples import every_kind, ints, logits_layer

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import DirectInput, Network


def test_about_is_copied_as_json() -> None:
    inner = [1, (2, 3)]
    network = Network(DirectInput((1,), 2), (logits_layer("input", ints([1])),), about={"a": inner})
    inner.append(4)
    assert network.about == {"a": [1, [2, 3]]}


def circular() -> dict[str, Any]:
    around: dict[str, Any] = {}
    around["x"] = around
    return around


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ([("a", 1)], "about must be a mapping from strings to JSON values, not "),
        (None, "about must be a mapping"),
        ({1: 2}, "about must be a mapping from strings"),
        ({"a": float("nan")}, "about must hold JSON values only"),
        ({"a": {"b": float("inf")}}, "about must hold JSON values only"),
        ({"a": np.ones(2)}, "not JSON serializable"),
        ({"a": {1: 2, "b": 3}}, "about must hold JSON values only"),
        ({"a": 10**5000}, "about must hold JSON values only"),
        (circular(), "Circular reference"),
    ],
)
def test_about_that_no_file_could_hold(about: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Network(DirectInput((1,), 2), (logits_layer("input", ints([1])),), about=about)


def _nested(levels: int) -> Any:
    """Return a list in a list, and so on."""
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("about", ["x" * (1 << 20), [[]] * (1 << 19), _nested(101)])
def test_about_has_limits(about: Any) -> None:
    network = every_kind()
    with pytest.raises(ContractError, match="about must have at most 1,048,576 characters as JSON"):
        Network(network.input, network.layers, about={"it": about})
