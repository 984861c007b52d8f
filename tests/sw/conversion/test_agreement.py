from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikeloom.sw.conversion import Agreement, agreement, convert
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError, ConversionError, DataError
from spikeloom.sw.quantized import initialise, prepare

PIXELS = Pixels.normalised(0.4, 0.25)
SHAPE = (1, 6, 6)


def model() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.ReLU(), nn.Linear(20, 4))


def raw(number: int = 30) -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).integers(0, 256, (number, *SHAPE))


def prepared(original: nn.Module, **options: Any) -> Any:
    made = prepare(original, input_shape=SHAPE, pixels=PIXELS, **options)
    initialise(made, PIXELS.real(torch.from_numpy(raw())))
    return made.eval()


def test_all_three_are_compared() -> None:
    original = model()
    made = prepared(original, weight_bits=16, timesteps=64)
    network = convert(made, check=raw())
    assert network.about["agreement"] == {
        "images": 30,
        "network_as_prepared": 30,
        "counts_compared": 30 * 20,
        "counts_differing": 0,
        "prepared_as_float": 30,
    }
    assert "agreement" not in convert(made).about
    assert network.digest == convert(made).digest


def test_images_may_be_those_of_the_model() -> None:
    made = prepared(model())
    network = convert(made)
    real = PIXELS.real(torch.from_numpy(raw()), torch.float64)
    assert agreement(network, made, real) == agreement(network, made, raw())
    assert agreement(network, made, real.numpy().astype(np.float32)).images == 30


def test_the_float_model_is_that_of_prepare_or_another() -> None:
    made = prepared(model())
    other = model()
    with torch.no_grad():
        for parameter in other[3].parameters():
            parameter.neg_()
    theirs = convert(made, check=raw()).about["agreement"]["prepared_as_float"]
    others = convert(made, check=raw(), original=other).about["agreement"]["prepared_as_float"]
    assert theirs > 20
    assert others < 10


def test_it_is_told_in_words() -> None:
    found = Agreement(30, 29, 600, 3, 28)
    assert str(found) == (
        "the integer network agrees with the prepared model on 29 of 30 images; 3 of 600 "
        "counts of spikes differ; the prepared model agrees with the float model on 28 of 30 "
        "images"
    )
    assert "float" not in str(Agreement(30, 29, 0, 0, None))


def test_a_hook_that_conversion_cannot_see_is_an_error() -> None:
    made = prepared(model())
    first = next(m for m in made.modules() if isinstance(m, nn.Linear))
    first.register_forward_hook(lambda module, given, out: -out)
    with pytest.raises(
        ConversionError, match=r"differ in the labels of \d+ of 30 images and in 0 of 600"
    ):
        convert(made, check=raw())


def test_images_that_do_not_fit_are_refused() -> None:
    made = prepared(model())
    with pytest.raises(DataError, match=r"holds 256 .* takes 0 to 255"):
        convert(made, check=np.full((1, *SHAPE), 256))
    with pytest.raises(
        DataError, match=r"from 5 to 5, but the network's pixels stand for -1\.6 to 2\.4"
    ):
        convert(made, check=torch.full((1, *SHAPE), 5.0))


def test_spikes_are_no_pixels() -> None:
    made = prepare(model(), input_shape=SHAPE)
    initialise(made, torch.rand(20, *SHAPE))
    with pytest.raises(
        ConfigError, match="only networks of pixels can be checked by images, not an"
    ):
        convert(made, check=raw(), input="count", input_highest=9, input_scale=1 / 9)


def test_codings_that_differ_by_nature_are_only_reported() -> None:
    found = convert(prepared(model()), check=raw(), transport="spikes").about["agreement"]
    assert (found["counts_compared"], found["counts_differing"]) == (0, 0)
    assert 15 < found["network_as_prepared"] <= 30
