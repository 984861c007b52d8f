"""Choices for nextpnr: seeds, and arguments of the user's own."""

from __future__ import annotations

import pytest

from spikeloom.hw.build import Options
from spikeloom.hw.build.family import Family
from spikeloom.hw.build.placing import Placing
from spikeloom.sw.errors import ConfigError


def test_nextpnr_s_own_choices_are_told_it_no_more_than_the_manifest() -> None:
    placing = Placing.of(Options())
    assert placing == Placing()
    assert (placing.all_arguments(None), placing.content(None)) == ([], {})


def test_seeds_and_arguments() -> None:
    given = ("--placer", "static", "--router", "router2")
    placing = Placing.of(Options(seed=3, placements=2, nextpnr=given))
    assert placing.seeds == (3, 4)
    assert placing.all_arguments(4) == [*given, "--seed", "4"]
    assert placing.content(4) == {"seed": 4, "nextpnr": list(given)}
    assert Placing.of(Options(placements=3)).seeds == (None, 1, 2)


def test_large_designs_get_another_placer_and_router() -> None:
    ecp5 = Family.find("ecp5")
    given = ("--placer", "static", "--router", "router2")
    assert Placing().of_size(ecp5, 20_000) == Placing()
    assert Placing().of_size(ecp5, 20_001) == Placing(arguments=given)
    own = Placing((1,), ("--router", "router1"))
    assert own.of_size(ecp5, 60_000) == own
    assert Placing().of_size(Family.find("ice40"), 60_000) == Placing()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(placements=0), "placements must be at least 1, not 0"),
        (Options(seed=-1), "seeds must be from 0 to 2147483647, not -1"),
        (Options(seed=2**31), f"seeds must be from 0 to 2147483647, not {2**31}"),
        (
            Options(nextpnr=("--router", "router2", "--freq=3")),
            "nextpnr's --freq is set by the build: leave it out of '--router router2 --freq=3'",
        ),
        (
            Options(nextpnr=("-r",)),
            "nextpnr's -r is set by the build: leave it out of '-r'",
        ),
    ],
)
def test_choices_that_are_refused(options: Options, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Placing.of(options)
    assert str(caught.value) == message
