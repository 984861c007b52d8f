"""Models of signals and of features, which take images of one row, and of one pixel."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from spikeloom.sw.graph import analyse, taking_rows, trace
from spikeloom.sw.graph.rows import Reshaped, smaller_shapes


def signal_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.BatchNorm1d(3), nn.Conv1d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2)
    ).eval()


def feature_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)).eval()


class Squeezing(nn.Module):
    """A model that takes the row out of its images by itself."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.net = signal_net()
        self.after = nn.Conv2d(4, 2, (1, 6))

    def forward(self, x: Tensor) -> Tensor:
        if self.way == "flatten":
            return self.net(x.flatten(2))
        if self.way == "unsqueeze":
            maps = self.net[2](self.net[1](self.net[0](torch.squeeze(x, 2))))
            return self.after(torch.unsqueeze(maps, 2)).flatten(1)
        return self.net(x.squeeze(2) if self.way == "squeeze" else x.reshape(-1, 3, 8))


def test_shapes_that_an_image_of_one_row_stands_for() -> None:
    assert smaller_shapes((3, 1, 8)) == [(3, 8)]
    assert smaller_shapes((5, 1, 1)) == [(5,), (5, 1)]
    assert smaller_shapes((3, 8, 8)) == smaller_shapes((3, 8)) == []


@pytest.mark.parametrize(
    ("model", "shape"), [(signal_net(), (3, 1, 8)), (feature_net(), (5, 1, 1))]
)
def test_a_model_takes_images_of_one_row(model: nn.Module, shape: tuple[int, ...]) -> None:
    images = torch.randn(6, *shape)
    small = images.reshape(6, *smaller_shapes(shape)[0])
    taking = taking_rows(model, shape)
    assert isinstance(taking, Reshaped)
    assert torch.equal(taking(images), model(small))
    analysis = analyse(trace(model), shape).require()
    assert torch.equal(analysis.module(images), model(small))
    named = analyse(trace(model), smaller_shapes(shape)[0]).require()
    assert [x.name for x in analysis.layers] == [x.name for x in named.layers]
    assert analysis.affine() == named.affine()


def test_wrapping_leaves_the_mode_of_every_module() -> None:
    model = signal_net().train()
    model[0].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    taking = taking_rows(model, (3, 1, 8))
    assert taking.training
    assert [part.training for part in model] == [False, True, True, True, True]
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 1, 8), (3, 1, 9)])
def test_other_models_stay_as_they_are(shape: tuple[int, ...]) -> None:
    # One takes images of any height; the other takes no such image, and torch says why.
    model = signal_net() if shape == (3, 1, 9) else nn.Sequential(nn.Conv2d(shape[0], 2, 1))
    assert taking_rows(model, shape) is model


def test_a_length_that_does_not_fit_is_told() -> None:
    analysis = analyse(trace(signal_net()), (3, 1, 9))
    reasons = [report.reason for report in analysis.reports if not report.supported]
    assert "fails for an input of shape (3, 1, 9)" in reasons[0]


@pytest.mark.parametrize("way", ["squeeze", "flatten", "reshape", "unsqueeze"])
def test_a_row_can_be_taken_out_and_put_back(way: str) -> None:
    analysis = analyse(trace(Squeezing(way).eval()), (3, 1, 8)).require()
    assert len(analysis.layers) == 2
    notes = [report.reason for report in analysis.reports]
    assert "left out: a signal is a map of one row" in notes
