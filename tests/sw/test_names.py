"""Mistyped names and those that were probably meant, and long lists in short."""

from __future__ import annotations

import pytest

from spikeloom.sw.names import meant, nearest, shortened, unknown_model

KNOWN = ("digits", "mnist", "fashion-mnist", "cifar10", "ULX3S-85F")


@pytest.mark.parametrize(
    ("name", "near"),
    [("digit", "digits"), ("mnits", "mnist"), ("CIFAR-10", "cifar10"), ("ulx3s85f", "ULX3S-85F")],
)
def test_a_near_name_is_found(name: str, near: str) -> None:
    assert nearest(name, KNOWN) == near
    assert meant(name, KNOWN, "there are some") == f"did you mean {near}? There are some"


@pytest.mark.parametrize("name", ["", "speech", "x"])
def test_without_a_near_name_nothing_is_asked(name: str) -> None:
    assert nearest(name, KNOWN) is None
    assert meant(name, KNOWN, "there are some") == "there are some"


def test_an_unknown_model_is_told_the_zoo_and_how_to_name_its_own() -> None:
    assert unknown_model("digits-con", ["digits-conv", "vgg9"]) == (
        "no model is called 'digits-con': did you mean digits-conv? The zoo has digits-conv, vgg9; "
        "name your own as FILE.py:NAME"
    )


def test_a_long_list_shows_its_first_and_last() -> None:
    assert shortened(["a", "b", "c", "d"]) == "a, b, c, d"
    assert shortened(["a", "b", "c", "d", "e"]) == "a, b, c, ..., e"
    assert shortened([]) == ""
