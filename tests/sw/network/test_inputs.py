from __future__ import annotations

from typing import Any

import pytest

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import CountInput, DirectInput, Input, Range, SpikeInput


def test_values_and_time_axes() -> None:
    shape = (2, 3, 4)
    for made, steps, image_shape, high in [
        (DirectInput(shape, 5), None, shape, 31),
        (CountInput(shape, 9), None, shape, 9),
        (SpikeInput(shape, 7, 3), 7, (7, *shape), 3),
        (SpikeInput((6,), 7), 7, (7, 6), 1),
    ]:
        assert (made.steps, made.image_shape) == (steps, image_shape)
        assert made.values() == Range(0, high)


def test_headers_build_the_same() -> None:
    for made in (DirectInput((2,), 5), CountInput((2,), 9), SpikeInput((2,), 7, 3)):
        assert Input.build(made.header(), {}, "it") == made
    left_out = {"kind": "spikes", "shape": [2], "timesteps": 7}
    assert Input.build(left_out, {}, "it") == SpikeInput((2,), 7, 1)


@pytest.mark.parametrize("highest", [0, -1, 65536, 1.5, None, True])
def test_highest_values_that_are_refused(highest: Any) -> None:
    for build in (lambda: CountInput((1,), highest), lambda: SpikeInput((1,), 2, highest)):
        with pytest.raises(ContractError, match="the input's highest value must be "):
            build()


@pytest.mark.parametrize("timesteps", [0, 4097, 2.0, None])
def test_timesteps_that_are_refused(timesteps: Any) -> None:
    with pytest.raises(ContractError, match="input timesteps must be "):
        SpikeInput((1,), timesteps)


def test_shapes_have_no_time_axis() -> None:
    for build in (
        lambda: SpikeInput((7, 2, 3, 4), 7),
        lambda: CountInput((2, 3), 7),
        lambda: SpikeInput("2", 7),  # type: ignore[arg-type]
    ):
        with pytest.raises(ContractError, match=r"input shape must be .channels, height, width. o"):
            build()
