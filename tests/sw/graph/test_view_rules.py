"""Views: padding, slices, concatenations and splits, in every spelling."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from support.models.graphs import Free, Refusals, analysed, assert_refused
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.graph import Axis, Selection, Tap, View, analyse, trace

ROWS = Axis(8, 10, -1)
CUT = View(rows=Axis(8, 4, 0, 2), columns=Axis(8, 4, 0, 2))
VIEWS: dict[str, tuple[Callable[[Tensor], Tensor], View | None]] = {
    "F.pad": (lambda x: functional.pad(x, (1, 1, 1, 1)), View(rows=ROWS, columns=ROWS)),
    "one side": (lambda x: functional.pad(x, (0, 1)), View(columns=Axis(8, 9))),
    "cropped": (lambda x: functional.pad(x, (-1, -1)), View(columns=Axis(8, 6, 1))),
    "cut and padded": (lambda x: functional.pad(x[:, :, :, :], (0, 1)), View(columns=Axis(8, 9))),
    "strided": (lambda x: x[:, :, ::2, ::2], CUT),
    "ellipsis": (lambda x: x[..., ::2, ::2], CUT),
    "channels": (lambda x: x[:, 1:3], View(Selection(4, (1, 2)))),
    "reversed twice": (lambda x: x.chunk(4, 1)[3], View(Selection(4, (3,)))),
    "split": (lambda x: torch.split(x, [1, 3], dim=1)[1], View(Selection(4, (1, 2, 3)))),
    "split by size": (lambda x: x.split(3, dim=1)[1], View(Selection(4, (3,)))),
    "all joined again": (lambda x: torch.cat(x.split(1, 1), 1), None),
    "joined again": (lambda x: torch.cat(x.chunk(2, 1)[::-1], 1), View(Selection(4, (2, 3, 0, 1)))),
    "twice": (lambda x: torch.concat((x, x), dim=-3), View(Selection(4, (0, 1, 2, 3) * 2))),
    "padded channels": (
        lambda x: functional.pad(x, (0, 0, 0, 0, 1, 2)),
        View(Selection(4, (None, 0, 1, 2, 3, None, None))),
    ),
    "average": (
        lambda x: functional.avg_pool2d(x, 3, 2, 1),
        View(rows=Axis(8, 4, -1, 2, 3), columns=Axis(8, 4, -1, 2, 3)),
    ),
}


@pytest.mark.parametrize("name", VIEWS)
def test_every_spelling_of_a_view(name: str) -> None:
    view, expected = VIEWS[name]

    class Viewing(Free):
        def __init__(self) -> None:
            super().__init__(lambda m, x: m.strided(view(m.relu(m.conv1(x)))).flatten(1))
            with torch.no_grad():
                channels = view(torch.zeros(1, 4, 8, 8)).shape[1]
            self.strided = nn.Conv2d(channels, 2, 1)

    last = analyse(trace(Viewing()), (2, 8, 8)).require().layers[-1]
    assert [synapse.tap for synapse in last.synapses] == [Tap("conv1", view=expected)]


def test_sources_side_by_side_are_connections_of_their_own() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        a, b = m.relu(m.conv1(x)), m.leaky(m.conv3(x))
        return m.fc(m.relu(m.proj(torch.cat([b[:, :1], a[:, 2:], b[:, 3:]], 1))).flatten(1))

    synapses = analysed(forward).require().layers[2].synapses
    assert [(s.target, s.part, s.columns, s.tap.source) for s in synapses] == [
        ("proj", 0, (0, 3), "conv3"),
        ("proj", 1, (1, 2), "conv1"),
    ]
    assert synapses[0].tap.view == View(Selection(4, (0, 3)))
    assert [s.tap.signed for s in synapses] == [True, False]


def test_shapes_are_needed() -> None:
    result = analysed(lambda m, x: m.fc(torch.cat([y := m.relu(m.conv1(x)), y], 1)), None)
    (report,) = [r for r in result.reports if not r.supported]
    assert "give input_shape" in report.reason


REFUSED: Refusals = {
    "a part by a number that is not known": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).chunk(2, 1)[x.size(1)]),
        "getitem",
        "takes a part by a number that is not constant",
    ),
    "images of a batch": (
        lambda m, x: m.fc(m.relu(m.conv1(x))[:1].flatten(1)),
        "getitem",
        "takes some images of a batch",
    ),
    "rows split": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).chunk(2, 2)[0].flatten(1)),
        "chunk",
        "only channels can be split: use dim=1",
    ),
    "reflected": (
        lambda m, x: m.fc16(functional.pad(m.relu(m.conv1(x)), (1, 1), "reflect").flatten(1)),
        "pad",
        "pads with something else than 0",
    ),
    "padded behind a cut": (
        lambda m, x: m.fc16(functional.pad(m.relu(m.conv1(x))[:, :, 1:], (0, 0, 1, 0)).flatten(1)),
        "pad",
        "pads with 0 what was cut out of a larger feature map: pad first",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])
