from __future__ import annotations

from typing import Any, cast

import pytest
from support.networks.examples import everything

from spikeloom.hw.planning import HardwareConfig
from spikeloom.sw.errors import ConfigError

NOT_POSITIVE = [0, -1, True, False, 1.0, 2.5, "4", (1 << 16) + 1]


@pytest.mark.parametrize("field", ["lanes", "events", "budget"])
@pytest.mark.parametrize("number", NOT_POSITIVE)
def test_refuses_what_is_no_positive_number(field: str, number: Any) -> None:
    expected = f"^{field} must be a whole number from 1 to 65536, not {number!r}$"
    with pytest.raises(ConfigError, match=expected):
        HardwareConfig(**{field: number})


@pytest.mark.parametrize("field", ["lanes", "events"])
@pytest.mark.parametrize("number", [*NOT_POSITIVE, None])
def test_refuses_bad_numbers_in_a_mapping(field: str, number: Any) -> None:
    with pytest.raises(ConfigError, match=f"{field} must be a whole number .* not {number!r}$"):
        HardwareConfig(**{field: cast(Any, {"conv": 2, "out": number})})


@pytest.mark.parametrize("number", [0, 65, 1.0, None])
def test_refuses_slots(number: Any) -> None:
    with pytest.raises(
        ConfigError, match=f"^slots must be a whole number from 1 to 64, not {number!r}$"
    ):
        HardwareConfig(slots=number)


@pytest.mark.parametrize("number", [*NOT_POSITIVE, 49, None])
def test_refuses_planes(number: Any) -> None:
    with pytest.raises(
        ConfigError, match=f"^planes must be a whole number from 1 to 48, not {number!r}$"
    ):
        HardwareConfig(planes={"conv": number})


def test_refuses_planes_for_all_layers() -> None:
    with pytest.raises(ConfigError, match=r"^planes must be given by layer, as in conv1=2, not 2 "):
        HardwareConfig(planes=2)  # type: ignore[arg-type]


def test_refuses_copies() -> None:
    with pytest.raises(ConfigError, match=r"^copies must be a whole number from 1 to 65536, not 0"):
        HardwareConfig(copies={"conv": 0})
    with pytest.raises(ConfigError, match=r"^copies must be given by layer, as in conv2=5, not 2 "):
        HardwareConfig(copies=2)  # type: ignore[arg-type]


def test_a_number_for_all_is_not_for_unrolled_layers() -> None:
    network = everything()
    first, *others = (layer.name for layer in network.layers)
    config = HardwareConfig(lanes=2, events=3, planes={first: 1})
    assert config.chosen("lanes", network) == dict.fromkeys(others, 2)
    assert config.chosen("events", network) == dict.fromkeys(others, 3)
    assert config.chosen("planes", network) == {first: 1}


def test_refuses_a_missing_budget() -> None:
    with pytest.raises(ConfigError, match=r"^budget must be a whole number .* not None$"):
        HardwareConfig(budget=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [1, 1 << 16])
def test_takes_the_ends_of_the_range(number: int) -> None:
    config = HardwareConfig(lanes=number, events={"conv": number}, budget=number)
    assert (config.lanes, config.events, config.budget) == (number, {"conv": number}, number)


@pytest.mark.parametrize("top", ["", "2fast", "with space", "a-b", "ünder", "x" * 129, "a\n", 5])
def test_refuses_what_is_no_module_name(top: Any) -> None:
    with pytest.raises(ConfigError, match=r"^top must be a Verilog module name, not "):
        HardwareConfig(top=top)


@pytest.mark.parametrize("top", ["a", "_", "Top_2", "x" * 128])
def test_takes_module_names(top: str) -> None:
    assert HardwareConfig(top=top).top == top


@pytest.mark.parametrize("what", ["lanes", "events"])
class TestChosen:
    def test_nothing(self, what: str) -> None:
        assert HardwareConfig().chosen(what, everything()) == {}

    def test_one_number_is_for_every_layer(self, what: str) -> None:
        expected = {"conv": 3, "again": 3, "steps": 3, "out": 3}
        assert HardwareConfig(**{what: cast(Any, 3)}).chosen(what, everything()) == expected

    def test_a_mapping_is_for_its_layers(self, what: str) -> None:
        given = {"again": 2, "out": 1}
        chosen = HardwareConfig(**{what: cast(Any, given)}).chosen(what, everything())
        assert chosen == given
        assert chosen is not given, "the planner adds to what it is given"

    def test_layers_that_do_not_exist_are_named(self, what: str) -> None:
        config = HardwareConfig(**{what: cast(Any, {"out": 1, "pool": 2, 7: 2})})
        expected = (
            f"^{what} are given for 7, pool, but the network's layers are conv, again, steps, out$"
        )
        with pytest.raises(ConfigError, match=expected):
            config.chosen(what, everything())


def test_memories_have_one_of_three_places() -> None:
    with pytest.raises(ConfigError, match=r"^memories must be auto, inline, files, not 'none'$"):
        HardwareConfig(memories="none")
