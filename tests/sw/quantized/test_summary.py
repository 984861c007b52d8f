"""A prepared model, and what is made of it, in three lines at a prompt."""

from __future__ import annotations

import copy

import pytest
from torch import nn

from spikeloom.sw.models.spec import build_model
from spikeloom.sw.quantized import prepare
from spikeloom.sw.quantized.summary import summary
from spikeloom.sw.spiking import spiking
from spikeloom.sw.training import Trained


def test_a_prepared_model_and_its_copy_show_levels_and_bits() -> None:
    prepared = prepare(
        build_model("digits-mlp"), input_shape=(1, 8, 8), input_scale=1 / 16, timesteps=2
    )
    text = repr(prepared)
    assert text == summary(prepared) == repr(copy.deepcopy(prepared))
    assert text.startswith("<prepared model: weights of 8 bits\n")
    assert "(T=2)" in text


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_trained_and_spiking_models_take_three_lines_at_most() -> None:
    hidden = [module for _ in range(6) for module in (nn.Linear(4, 4), nn.ReLU())]
    model = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(4, 2))
    prepared = prepare(model, input_shape=(1, 2, 2), input_scale=1.0)
    in_time = spiking(prepared, transport="spikes", neuron="dual", timesteps=2, input_bits=4)
    assert repr(in_time).startswith("<SpikingNetwork of 7 layers: ")
    assert "(dual, T=2)" in repr(in_time)
    trained = Trained.of(prepared, spec="net.py:Net", dataset="mine", float_accuracy=0.975)
    lines = repr(trained).splitlines()
    assert lines[0] == "<Trained 'net.py:Net' on mine; accuracy: float 97.50 %"
    for shown in (prepared, trained, in_time):
        assert len(repr(shown).splitlines()) <= 3
        assert max(map(len, repr(shown).splitlines())) <= 120
