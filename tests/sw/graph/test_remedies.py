"""Remedies: what is refused converts once the advice of its refusal is followed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from support.models import small
from support.models.written import Written
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad, relu

from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.quantized import prepare

SHAPE = (2, 8, 8)
Forward = Callable[[Written, Tensor], Tensor]


def conv(**options: object) -> nn.Conv2d:
    return nn.Conv2d(2, 4, 3, **{"padding": 1, **options})  # type: ignore[arg-type]


def net(*layers: nn.Module, stem: nn.Module | None = None) -> nn.Module:
    """Return a model with these layers between a convolution and a head."""
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return nn.Sequential(conv() if stem is None else stem, *layers, *head)


def free(forward: Forward, **modules: nn.Module) -> nn.Module:
    return Written(forward, a=conv(), b=nn.Conv2d(4, 4, 3, padding=1), **modules)


def ends(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(128, 4), nn.ReLU(), *layers)


def _mean(m: Written, x: Tensor) -> Tensor:
    return m.fc(x.mean((2, 3)))


FC = nn.Linear(4, 3)
#: By name: a model that is refused, a part of the reason, and the model with its advice.
REMEDIES: dict[str, tuple[nn.Module, str, nn.Module]] = {
    "tanh": (net(nn.Tanh()), "use ReLU or LeakyReLU", net(nn.ReLU())),
    "sigmoid": (net(nn.Sigmoid()), "use ReLU or LeakyReLU", net(nn.LeakyReLU())),
    "prelu": (net(nn.PReLU()), "use LeakyReLU with a fixed slope", net(nn.LeakyReLU(0.125))),
    "rrelu": (net(nn.RReLU()), "use LeakyReLU", net(nn.LeakyReLU())),
    "slope": (net(nn.LeakyReLU(2.0)), "such as 0.125", net(nn.LeakyReLU(0.125))),
    "threshold": (net(nn.Threshold(1, 0)), r"use nn.ReLU\(\)", net(nn.ReLU())),
    "hardtanh": (net(nn.Hardtanh(-1, 2)), r"as in nn.Hardtanh\(-1, 1\)", net(nn.Hardtanh(-1, 1))),
    "clip of spikes": (
        net(nn.ReLU(), nn.ReLU6()),
        r"as in nn.Hardtanh\(0, 6\)",
        net(nn.Hardtanh(0, 6)),
    ),
    "padding mode": (
        net(nn.ReLU(), stem=conv(padding_mode="reflect")),
        "use padding_mode='zeros'",
        net(nn.ReLU(), stem=conv(padding_mode="zeros")),
    ),
    "upsampling": (
        net(nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(4, 4, 3), nn.ReLU()),
        "leave it out",
        net(nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU()),
    ),
    "transposed": (
        net(nn.ReLU(), nn.ConvTranspose2d(4, 4, 2, stride=2), nn.ReLU()),
        "use nn.Conv2d",
        net(nn.ReLU(), nn.Conv2d(4, 4, 2, stride=2), nn.ReLU()),
    ),
    "max-pools that are no single one": (
        net(nn.ReLU(), nn.MaxPool2d(3, 2), nn.MaxPool2d(3, 1, 1)),
        "use one of them, or put a convolution",
        net(nn.ReLU(), nn.MaxPool2d(3, 2)),
    ),
    "max-pools with a convolution in between": (
        net(nn.ReLU(), nn.MaxPool2d(3, 2), nn.MaxPool2d(3, 1, 1)),
        "a convolution with an activation in between",
        net(nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(4, 4, 1), nn.ReLU(), nn.MaxPool2d(3, 1, 1)),
    ),
    "dilated max-pool": (
        net(nn.ReLU(), nn.MaxPool2d(2, dilation=2)),
        "leave it out",
        net(nn.ReLU(), nn.MaxPool2d(2)),
    ),
    "ceil mode": (
        net(nn.ReLU(), nn.AvgPool2d(3, ceil_mode=True)),
        "choose a window that fits",
        net(nn.ReLU(), nn.AvgPool2d(2, ceil_mode=True)),
    ),
    "uncounted padding": (
        net(nn.ReLU(), nn.AvgPool2d(3, 1, 1, count_include_pad=False)),
        "leave it out, or use padding=0",
        net(nn.ReLU(), nn.AvgPool2d(3, 1, 1), nn.Conv2d(4, 4, 1), nn.ReLU()),
    ),
    "averages of averages that overlap": (
        net(nn.ReLU(), nn.AvgPool2d(3, 1, 1)),
        "use one average pool, with stride equal to its window",
        net(nn.ReLU()),
    ),
    "divisor": (
        net(nn.ReLU(), nn.AvgPool2d(2, divisor_override=3)),
        "leave it out",
        net(nn.ReLU(), nn.AvgPool2d(2)),
    ),
    "uneven": (
        net(nn.ReLU(), nn.AdaptiveAvgPool2d(3)),
        "choose a number that divides them",
        net(nn.ReLU(), nn.AdaptiveAvgPool2d(4)),
    ),
    "two kinds of pools": (
        net(nn.ReLU(), nn.AvgPool2d(2), nn.MaxPool2d(2)),
        "use the same kind for both",
        net(nn.ReLU(), nn.AvgPool2d(2), nn.AvgPool2d(2)),
    ),
    "group-norm": (net(nn.GroupNorm(2, 4), nn.ReLU()), "use batch-norm", net(nn.BatchNorm2d(4))),
    "batch-norm without statistics": (
        net(nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()),
        "set track_running_stats=True",
        net(nn.BatchNorm2d(4, track_running_stats=True), nn.ReLU()),
    ),
    "two batch-norms": (
        net(nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.ReLU()),
        "remove one of the two",
        net(nn.BatchNorm2d(4), nn.ReLU()),
    ),
    "batch-norm behind a max-pool": (
        net(nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.ReLU()),
        "ahead of pooling and flattening: move it there",
        net(nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.ReLU()),
    ),
    "linear on a feature map": (
        nn.Sequential(conv(), nn.ReLU(), nn.Linear(8, 3), nn.Flatten()),
        r"put nn.Flatten\(\) before it",
        nn.Sequential(conv(), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3)),
    ),
    "one logit": (ends(nn.Linear(4, 1)), r"end with nn.Linear\(..., 2\)", ends(nn.Linear(4, 2))),
    "batch-norm of logits": (
        ends(nn.Linear(4, 3), nn.BatchNorm1d(3)),
        "must share one scale: remove it",
        ends(nn.Linear(4, 3)),
    ),
    "an activation at the end": (
        ends(nn.Linear(4, 3), nn.ReLU()),
        "with no activation or pool behind it",
        ends(nn.Linear(4, 3)),
    ),
    "softmax over rows": (
        ends(nn.Linear(4, 3), nn.Softmax(0)),
        "use dim=1",
        ends(nn.Linear(4, 3), nn.Softmax(1)),
    ),
    "a factor": (
        free(lambda m, x: _mean(m, 2 * relu(m.a(x))), fc=FC),
        r"put a factor into the weights of a layer, by a convolution or nn.BatchNorm2d",
        free(lambda m, x: _mean(m, relu(m.n(m.a(x)))), fc=FC, n=nn.BatchNorm2d(4)),
    ),
    "doubling": (
        free(lambda m, x: _mean(m, relu((y := m.a(x)) + y)), fc=FC),
        "double the weights instead",
        free(lambda m, x: _mean(m, relu(m.a(x))), fc=FC),
    ),
    "subtraction": (
        free(lambda m, x: _mean(m, relu((y := relu(m.a(x))) - m.b(y))), fc=FC),
        "let the weights of one have the other sign",
        free(lambda m, x: _mean(m, relu((y := relu(m.a(x))) + m.b(y))), fc=FC),
    ),
    "a constant": (
        free(lambda m, x: _mean(m, relu(m.a(x) + 1)), fc=FC),
        "let a layer's bias do that",
        free(lambda m, x: _mean(m, relu(m.a(x))), fc=FC),
    ),
    "shapes that differ": (
        free(lambda m, x: _mean(m, relu(m.a(x) + x)), fc=FC),
        "by a 1x1 convolution with its channels and stride",
        free(lambda m, x: _mean(m, relu(m.a(x) + m.p(x))), fc=FC, p=nn.Conv2d(2, 4, 1)),
    ),
    "flattened sums": (
        free(
            lambda m, x: m.fc((m.b(y := relu(m.a(x))).flatten(1) + y.flatten(1)).relu()),
            fc=nn.Linear(256, 3),
        ),
        "add first, and flatten the sum",
        free(
            lambda m, x: m.fc((m.b(y := relu(m.a(x))) + y).flatten(1).relu()),
            fc=nn.Linear(256, 3),
        ),
    ),
    "maxima of a branch": (
        free(
            lambda m, x: _mean(
                m,
                relu(max_pool2d(m.a(x), 2) + max_pool2d(m.c(x), 2)),
            ),
            fc=FC,
            c=conv(),
        ),
        "put the max-pool behind the activation that follows the addition",
        free(
            lambda m, x: _mean(m, max_pool2d(relu(m.a(x) + m.c(x)), 2)),
            fc=FC,
            c=conv(),
        ),
    ),
    "stacked": (
        free(
            lambda m, x: _mean(
                m, m.d(torch.stack([y := relu(m.a(x)), m.b(y)], 1).flatten(1, 2)).relu()
            ),
            fc=FC,
            d=nn.Conv2d(8, 4, 1),
        ),
        r"join their channels by torch.cat\(..., dim=1\)",
        free(
            lambda m, x: _mean(m, m.d(torch.cat([y := relu(m.a(x)), m.b(y)], dim=1)).relu()),
            fc=FC,
            d=nn.Conv2d(8, 4, 1),
        ),
    ),
    "joined rows": (
        free(
            lambda m, x: _mean(m, m.b(torch.cat([y := relu(m.a(x)), y], 2)).relu()),
            fc=FC,
        ),
        "use dim=1",
        free(
            lambda m, x: _mean(m, m.d(torch.cat([y := relu(m.a(x)), y], 1)).relu()),
            fc=FC,
            d=nn.Conv2d(8, 4, 1),
        ),
    ),
    "indexed": (
        free(lambda m, x: _mean(m, m.b(relu(m.a(x))[:, [0, 1, 2, 3]]).relu()), fc=FC),
        "only be indexed by constant slices",
        free(lambda m, x: _mean(m, m.b(relu(m.a(x))[:, 0:4]).relu()), fc=FC),
    ),
    "padding with ones": (
        free(
            lambda m, x: _mean(m, m.b(pad(relu(m.a(x)), (1, 1), value=1.0)).relu()),
            fc=FC,
        ),
        "pad with zeros, as nn.ZeroPad2d does",
        free(
            lambda m, x: _mean(m, m.b(m.z(relu(m.a(x)))).relu()),
            fc=FC,
            z=nn.ZeroPad2d(1),
        ),
    ),
    "padding of a part": (
        free(lambda m, x: _mean(m, m.b(relu(m.a(x))[:, :, 1:-1, 1:-1]).relu()), fc=FC),
        "use padding=0 here, or cut behind the convolution",
        free(
            lambda m, x: _mean(m, m.c(relu(m.a(x))[:, :, 1:-1, 1:-1]).relu()),
            fc=FC,
            c=nn.Conv2d(4, 4, 3),
        ),
    ),
    "scaled side by side": (
        free(
            lambda m, x: _mean(
                m,
                relu(
                    m.c(y := relu(m.a(x)))
                    + torch.cat([y, m.b(y)], 1)
                    + m.d(torch.cat([y, y], 1))
                    + torch.cat([y, y], 1)
                ),
            ),
            fc=nn.Linear(8, 3),
            c=nn.Conv2d(4, 8, 1),
            d=nn.Conv2d(8, 8, 1),
        ),
        "put a 1x1 convolution behind the concatenation",
        free(
            lambda m, x: _mean(
                m,
                relu(
                    m.c(y := relu(m.a(x))) + m.d(torch.cat([y, m.b(y)], 1)) + torch.cat([y, y], 1)
                ),
            ),
            fc=nn.Linear(8, 3),
            c=nn.Conv2d(4, 8, 1),
            d=nn.Conv2d(8, 8, 1),
        ),
    ),
    "axes in another order": (
        nn.Sequential(Written(lambda m, x: x.permute(0, 2, 3, 1)), nn.Flatten(), nn.Linear(128, 3)),
        "bring the images into that order before they enter the model",
        nn.Sequential(nn.Flatten(), nn.Linear(128, 3)),
    ),
}


@pytest.mark.parametrize("name", REMEDIES)
def test_advice_that_is_followed(name: str) -> None:
    model, message, mended = REMEDIES[name]
    with pytest.raises(UnsupportedError, match=message):
        prepare(model.eval(), input_shape=SHAPE)
    network = convert(small.prepared(mended.eval(), SHAPE), input_bits=4, input_scale=1 / 16)
    assert network.output.connections


def test_a_refusal_names_the_line() -> None:
    class Subtracts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) - self.b(x)

    with pytest.raises(UnsupportedError, match=r"\[test_remedies.py, line \d+: return self.a"):
        prepare(Subtracts(), input_shape=(4,))
