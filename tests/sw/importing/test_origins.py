"""Toolkits: what each means by a node, and how its files are told apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import nir

from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.importing import from_nir, read_nir
from spikeloom.sw.importing.graph import Graph
from spikeloom.sw.importing.origins import recognise, rules_of
from spikeloom.sw.importing.rules import Rule

FC = nir.affine([[1.0, 2.0]])
#: SpikingJelly's graphs begin with an input of this name.
JELLY: dict[str, Any] = {"first": "input_1"}


def graph(tmp_path: Path, *nodes: nir.Tree, **options: Any) -> Graph:
    return read_nir(nir.write(tmp_path / "net.nir", nir.chain(*nodes, shape=(2,), **options)))


def rule(graph_: Graph, **options: Any) -> Rule:
    chosen = {"origin": None, "dt": None, "reset": None, **options}
    (found,) = rules_of(graph_, **chosen)[0].values()
    return found


def test_snntorch_resets_one_timestep_late_and_fires_above_only(tmp_path: Path) -> None:
    net = graph(tmp_path, FC, nir.snntorch_leaky(1, 0.75, 2.0))
    found = rule(net, reset="subtract")
    assert found.decay == pytest.approx(0.75)
    assert (found.gain.tolist(), found.threshold.tolist()) == ([1], [2])
    assert (found.strict, found.delayed, found.several, found.value) == (True, True, False, None)
    # An immediate reset has to take as much more as the decay would leave of it less.
    assert found.immediate_amount().tolist() == pytest.approx([2 / 0.75])
    hard = rule(net, reset="zero")
    assert (hard.strict, hard.delayed, hard.value) == (True, False, 0)
    assert rule(graph(tmp_path, FC, nir.snntorch_leaky(1, 1.0)), reset="subtract").decay == 1


def test_snntorch_s_synaptic_has_a_current(tmp_path: Path) -> None:
    net = graph(tmp_path, FC, nir.synaptic(1, 10, 2))
    found = rule(net, reset="subtract")
    assert (found.decay, found.current_decay) == (pytest.approx(0.9), 0.5)
    with pytest.raises(UnsupportedError, match="loses a whole timestep's input"):
        rule(net, reset="hard")


@pytest.mark.parametrize(
    ("node", "decay", "gain"),
    [
        (nir.fire(1, 1e4), 1, 1),
        (nir.leaky(1, 2e-4, 1.0), 0.5, 0.5),  # the input decays
        (nir.leaky(1, 2e-4, 2.0), 0.5, 1),  # it does not
    ],
)
def test_spikingjelly_resets_hard_and_fires_at_the_threshold(
    node: nir.Tree, decay: float, gain: float, tmp_path: Path
) -> None:
    found = rule(graph(tmp_path, FC, node, **JELLY))
    assert (found.decay, found.gain.tolist()) == (decay, pytest.approx([gain]))
    assert (found.strict, found.several, found.value) == (False, False, 0)


def test_spikingjelly_s_reset_other_than_0_is_where_potentials_are_counted_from(
    tmp_path: Path,
) -> None:
    found = rule(graph(tmp_path, FC, nir.leaky(1, 4e-4, 1.0, 1.0, rest=-0.5), **JELLY))
    # v = 3/4 v + (x + rest)/4 with v = w - 1/2 is w = 3/4 w + x/4.
    assert (found.threshold.tolist(), found.value) == ([1.5], 0)
    assert (found.offset.tolist(), found.start.tolist()) == ([0], [0])


def test_a_dt_of_the_user_s_own(tmp_path: Path) -> None:
    net = graph(tmp_path, FC, nir.leaky(1, 2e-3, 1.0), **JELLY)
    assert rule(net).decay == pytest.approx(0.95)  # the exporter's default, 1e-4
    assert rule(net, dt=1e-3).decay == pytest.approx(0.5)
    with pytest.raises(UnsupportedError, match=r"0\.5 timesteps, which must be at least 1.*--dt"):
        rule(net, dt=4e-3)
    with pytest.raises(ConfigError, match="a positive number of seconds"):
        rule(net, dt=-1)


def test_sinabs_fires_several_times_and_decays_exponentially(tmp_path: Path) -> None:
    found = rule(graph(tmp_path, FC, nir.leaky(1, 20.0, 1.0)))
    kept = math.exp(-1 / 20)
    assert (found.decay, found.gain.tolist()) == (pytest.approx(kept), pytest.approx([1 - kept]))
    assert (found.strict, found.several, found.value) == (False, True, None)


def test_norse_writes_dt_times_tau(tmp_path: Path) -> None:
    found = rule(graph(tmp_path, FC, nir.leaky(1, 1e-5, 1.0)))
    assert (found.decay, found.gain.tolist()) == (pytest.approx(0.9), pytest.approx([0.1]))
    assert (found.strict, found.several, found.value) == (True, False, 0)
    fires = rule(graph(tmp_path, FC, nir.fire(1)), origin="norse")
    assert (fires.decay, fires.strict, fires.value) == (1, True, 0)


def test_nir_itself_is_an_equation(tmp_path: Path) -> None:
    net = graph(tmp_path, FC, nir.leaky(1, 0.01, 3.0))
    found = rule(net, origin="nir", dt=1e-3, reset="subtract")
    assert (found.decay, found.gain.tolist()) == (pytest.approx(0.9), pytest.approx([0.3]))
    assert (found.strict, found.delayed, found.value) == (False, False, None)
    with pytest.raises(ConfigError, match="say how long a timestep is"):
        rule(net, origin="nir", reset="hard")


@pytest.mark.parametrize(
    ("nodes", "first", "origin"),
    [
        ((nir.snntorch_leaky(1, 0.9),), "input", "snntorch"),
        ((nir.snntorch_leaky(1, 1.0),), "input", "snntorch"),
        ((nir.synaptic(1, 10, 2),), "input", "snntorch"),
        ((nir.fire(1, 1e4),), "input_1", "spikingjelly"),
        ((nir.leaky(1, 2e-4, 1.0),), "x", "spikingjelly"),
        ((nir.leaky(1, 20.0, 1.0),), "input", "sinabs"),
        ((nir.leaky(1, 1e-5, 1.0),), "input", "norse"),
    ],
)
def test_an_exporter_is_recognised_with_its_reason(
    nodes: tuple[nir.Tree, ...], first: str, origin: str, tmp_path: Path
) -> None:
    name, reason = recognise(graph(tmp_path, FC, *nodes, first=first))
    assert (name, bool(reason)) == (origin, True)


def test_pools_of_sums_are_sinabs(tmp_path: Path) -> None:
    tree = nir.chain(
        nir.conv(np.ones((1, 1, 1, 1))),
        nir.fire((1, 4, 4)),
        nir.pool("SumPool2d", 2),
        shape=(1, 4, 4),
    )
    assert recognise(read_nir(nir.write(tmp_path / "net.nir", tree)))[0] == "sinabs"


def test_what_stays_ambiguous_names_the_option(tmp_path: Path) -> None:
    two = graph(tmp_path, FC, nir.fire(1))
    with pytest.raises(ConfigError, match=r"can be from sinabs or norse.*--origin sinabs\|norse"):
        rule(two)
    with pytest.raises(ConfigError, match=r"do not say how neurons reset.*--reset subtract\|hard"):
        rule(graph(tmp_path, FC, nir.snntorch_leaky(1, 0.9)))
    with pytest.raises(ConfigError, match="looks like none of the exporters"):
        rule(graph(tmp_path, FC, nir.leaky(1, 0.3, 7.0)))
    with pytest.raises(ConfigError, match="exports neurons with the reset hard only"):
        rule(two, origin="norse", reset="subtract")
    with pytest.raises(ConfigError, match="no toolkit is called 'pynn'; there are snntorch"):
        rule(two, origin="pynn")
    with pytest.raises(ConfigError, match="reset must be one of"):
        rule(two, reset="soft")


def test_one_leak_for_a_layer(tmp_path: Path) -> None:
    node = nir.snntorch_leaky(2, 0.9)
    node["tau"], node["r"] = np.array([1e-3, 2e-3]), np.array([10.0, 20.0])
    with pytest.raises(UnsupportedError, match="a layer has one leak for all its neurons"):
        rule(graph(tmp_path, nir.affine(np.eye(2)), node), reset="subtract")


def test_a_current_without_a_time_constant_is_refused(tmp_path: Path) -> None:
    node = nir.synaptic(2, 4.0, 0.0)
    path = nir.write(tmp_path / "net.nir", nir.chain(nir.affine(np.eye(2)), node, shape=(2,)))
    with pytest.raises(UnsupportedError, match="a time constant of 0 timesteps, which must be"):
        from_nir(path, origin="nir", timesteps=4, dt=1e-4, reset="subtract")
