"""Families of classes whose members are found by name."""

from __future__ import annotations

import doctest
import subprocess
import sys
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import pytest
from amaranth.lib import wiring
from torch import nn

from spikeloom.sw import registry
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.registry import Registered


class Animal(Registered):
    kinds: ClassVar[dict[str, type[Any]]] = {}


class Pet(Animal):
    pass


class Cat(Pet, kind="cat"):
    pass


class Ant(Animal):
    kind = "ant"


def test_members_join_by_option_or_attribute() -> None:
    assert Animal.kinds == {"cat": Cat, "ant": Ant}
    assert vars(Cat)["kind"] == "cat"
    assert not hasattr(Pet, "kind")


def test_the_example() -> None:
    result = doctest.testmod(registry)
    assert result.attempted > 0
    assert result.failed == 0


def test_members_of_members_do_not_join_by_inheritance() -> None:
    class Kitten(Cat):
        pass

    assert Kitten not in Animal.kinds.values()


def test_a_name_is_taken_once() -> None:
    with pytest.raises(
        TypeError, match=r"Lion cannot have the kind 'cat', which .*\.Cat has already"
    ):

        class Lion(Animal, kind="cat"):
            pass

    assert Animal.kinds["cat"] is Cat


def test_a_class_that_is_defined_again_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Animal, "kinds", {})

    def define() -> type[Animal]:
        class Dog(Animal, kind="dog"):
            pass

        return Dog

    first, second = define(), define()
    assert first is not second
    assert Animal.kinds == {"dog": second}


def test_a_family_chooses_the_name_of_the_option() -> None:
    class Colour(Registered):
        kinds: ClassVar[dict[str, type[Any]]] = {}
        name_attribute = "name"
        name = ""

    class Red(Colour, name="red"):
        pass

    class Blue(Colour):
        name = "blue"

    assert Colour.kinds == {"red": Red, "blue": Blue}
    with pytest.raises(TypeError, match="takes no keyword arguments"):

        class Green(Colour, kind="green"):
            pass


def test_a_family_within_a_family() -> None:
    class Young(Animal):
        kinds: ClassVar[dict[str, type[Any]]] = {}

    class Calf(Young, kind="calf"):
        pass

    assert Young.kinds == {"calf": Calf}
    assert "calf" not in Animal.kinds


@pytest.mark.parametrize("base", [ABC, nn.Module, wiring.Component])
def test_other_bases(base: type[Any]) -> None:
    class Part(Registered, base):  # type: ignore[misc]
        kinds: ClassVar[dict[str, type[Any]]] = {}

        @abstractmethod
        def work(self) -> int: ...

    class Worker(Part, kind="worker"):
        def work(self) -> int:
            return 3

    assert Part.kinds == {"worker": Worker}
    assert issubclass(Worker, base)


def test_names_that_there_are_not() -> None:
    assert Animal.member("cat", ConfigError, "no animal 'cat'; there are") is Cat
    with pytest.raises(ConfigError, match=r"^no animal 'cow'; there are cat, ant$"):
        Animal.member("cow", ConfigError, "no animal 'cow'; there are")
    with pytest.raises(ConfigError, match=r"^no animal 'cow'; there are ant, cat$"):
        Animal.member("cow", ConfigError, "no animal 'cow'; there are", alphabetical=True)


def test_registries_need_neither_torch_nor_amaranth() -> None:
    code = (
        "import sys, spikeloom.sw.registry; "
        "sys.exit(bool({'torch', 'amaranth', 'numpy'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
