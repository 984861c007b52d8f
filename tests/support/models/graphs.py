"""Models for the tests of the rules, and assertions on the nodes that are refused."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from torch import Tensor, nn

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph import Analysis, NodeReport, analyse, trace

SHAPE = (2, 8, 8)
#: By a test's name: a forward pass, the node that is refused in it, and a part of the reason.
Refusals = dict[str, tuple[Callable[["Free", Tensor], Tensor], str, str]]


class Free(nn.Module):
    """A model with layers of many kinds, and any forward pass."""

    def __init__(self, forward: Callable[[Free, Tensor], Tensor]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.conv3 = nn.Conv2d(2, 4, 3, padding=1)
        self.proj = nn.Conv2d(4, 4, 1)
        self.proj_norm = nn.BatchNorm2d(4)
        self.strided = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.relu = nn.ReLU()
        self.leaky = nn.LeakyReLU(0.125)
        self.inplace = nn.ReLU(inplace=True)
        self.pool = nn.AvgPool2d(2)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(4 * 8 * 8, 10)
        self.fc16 = nn.Linear(4 * 4 * 4, 10)
        self.fc4 = nn.Linear(4, 10)
        self._forward = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._forward(self, x)


def analysed(
    forward: Callable[[Free, Tensor], Tensor], shape: tuple[int, ...] | None = SHAPE
) -> Analysis:
    return analyse(trace(Free(forward)), shape)


def chain(*layers: nn.Module, shape: tuple[int, ...] | None = SHAPE) -> Analysis:
    return analyse(trace(nn.Sequential(*layers)), shape)


def refused(result: Analysis) -> NodeReport:
    """Return the report on the one node that is refused."""
    (report,) = [r for r in result.reports if not r.supported]
    return report


def conv_net(conv: nn.Module, size: int = 8) -> Analysis:
    """Analyse a model with this convolution to 4 channels of size x size."""
    return chain(conv, nn.ReLU(), nn.Flatten(), nn.Linear(4 * size * size, 3))


def assert_refused(forward: Callable[[Free, Tensor], Tensor], node: str, message: str) -> None:
    """Assert that ``node`` is the first node that is refused, and that this is in the reason."""
    result = analysed(forward)
    report = next(r for r in result.reports if not r.supported)
    assert report.node == node
    assert message in report.reason
    with pytest.raises(UnsupportedError, match=f"cannot be converted:\n  {re.escape(node)} "):
        result.require()
