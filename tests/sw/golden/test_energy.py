"""Energy of work that is known: closed forms."""

from __future__ import annotations

import pytest
from support.networks.examples import everything

from spikeloom.sw.golden import LayerWork, Work
from spikeloom.sw.golden.energy import Energy, Prices
from spikeloom.sw.golden.figures import FIGURES, figures
from spikeloom.sw.network import Network

#: Two images, with a thousand additions, two thousand MACs and so on for each.
WORK = Work(
    2,
    (
        LayerWork("a", 5, 3, additions=1500, weight_bits=12000, update_additions=300),
        LayerWork("b", 7, 1, additions=500, weight_bits=4000, update_additions=100),
        LayerWork("c", 7, 1, ann_macs=4000, ann_additions=600),
    ),
)


def test_prices_of_the_papers() -> None:
    floating = Energy.of(WORK).floating
    assert floating.snn == pytest.approx(1.0 * 0.9)
    assert floating.neurons == pytest.approx(0.2 * 0.9)
    assert floating.ann == pytest.approx(2.0 * 4.6 + 0.3 * 0.9)


def test_prices_of_integers_and_memories() -> None:
    found = Energy.of(WORK)
    assert found.integer.snn == pytest.approx(1.0 * 0.1)
    assert found.integer.ann == pytest.approx(2.0 * 0.3 + 0.3 * 0.1)
    # Eight bits of a line of 64 that takes 10 pJ.
    assert found.weights == pytest.approx(1.25 * 1.0)


def test_any_prices() -> None:
    assert Prices.of(WORK, 2.0, 8.0) == Prices(snn=2.0, neurons=0.4, ann=20.0 + 0.6)


def test_figures_as_json() -> None:
    network: Network = everything()
    assert figures(network, None) == dict.fromkeys(FIGURES)
    layers = tuple(LayerWork(x.name, 1, x.timesteps, updates=4, spikes=1) for x in network.layers)
    found = figures(network, Work(2, layers), {"total": 3.0})
    assert tuple(found) == FIGURES
    assert found["energy"]["fpga"] == {"total": 3.0}
    assert found["energy"]["nanometres"] == 45
    assert found["neurobench"]["activation_sparsity"] == 3 / 4
    assert found["work"]["spikes"] == len(network.layers)
