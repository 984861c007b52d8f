"""Random networks hold everything that the contract knows, as the tests that draw them assume."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from spikeloom.sw.golden import Golden
from spikeloom.sw.network import (
    INPUT,
    TEMPORAL,
    TRANSPORTS,
    Burst,
    Conv2d,
    If,
    Input,
    Layer,
    Network,
    Neuron,
    Pool,
    Signed,
    SpikeInput,
    Synapses,
)
from support.networks.strategies import INPUTS, NEURONS, images_for, networks


def structures(network: Network) -> set[str]:
    """Return names of the parts and shapes of structure that a network has."""
    names = {f"{network.input.kind} input"}
    if network.input.pixels().signed:
        names.add("signed pixels")
    if any(network.input.zeros):
        names.add("zero points" if len(set(network.input.zeros)) > 1 else "zero point")
    reads = Counter(c.source for layer in network.layers for c in layer.connections)
    for layer in network.layers:
        names.add(layer.neuron.kind)
        names.add(f"{len(layer.connections)} connections")
        names.add("constant" if layer.constant else "varying")
        if len({c.source for c in layer.connections}) > 1:
            names.add("branches")
        if layer.recurrent:
            names.add("recurrent")
        if reads[layer.name] > 1:
            names.add("read twice")
        if not reads[layer.name] and layer is not network.output:
            names.add("read never")
        for connection in layer.connections:
            steps, transport = network.steps_of(connection.source), connection.transport
            names.add(f"{network.input.kind if connection.source == INPUT else ''} {transport}")
            if steps is not None and steps != layer.timesteps:
                names.add(f"{transport} of other T")
            if connection.pool is not None:
                names.add(f"{connection.pool.kind}-pool")
            synapses = connection.synapses
            names.add(synapses.kind)
            if synapses.kind == "identity" and len(layer.connections) > 1:
                names.add("residual")
            if isinstance(synapses, Conv2d) and synapses.groups > 1:
                depthwise = synapses.groups == network.shapes[connection.source][0]
                names.add("depthwise" if depthwise else "grouped")
            elif isinstance(synapses, Conv2d) and len(synapses.weight) > 1:
                met = np.count_nonzero(synapses.weight, axis=0)
                names.add("dense" if (met > 1).any() else "shortcut")
    return names


def activities(layer: Layer, spikes: np.ndarray[Any, Any]) -> set[str]:
    """Return names of the kinds of behaviour in a layer's spikes, whose first axis is time."""
    neuron, seen = layer.neuron, set(np.unique(spikes).tolist())
    names = {f"{neuron.kind} {value:+d}" for value in seen}
    if len(seen) > 1 and neuron.shifts:
        names.add(f"{neuron.kind} that leaks")
    if len(seen) > 1 and isinstance(neuron, If):
        own = [name for name in ("reset_amount", "reset_value") if name in neuron.tensors()]
        names.update(f"{neuron.kind} with {name}" for name in own)
    if isinstance(neuron, Burst):
        leaks = any(0 < k < 4 for k in neuron.shifts)
        if max(seen) > 1:
            names.add(f"burst of several, {'leaking' if leaks else 'tight'}")
        if max(seen) == neuron.largest > 1:
            names.add("burst at its largest")
    if isinstance(neuron, Signed):
        before = spikes.cumsum(0)[:-1]
        back = np.sign(spikes[1:]) * np.sign(before) == -1
        if (back & (before > 0)).any():
            names.add("signed takes P back")
        if (back & (before < 0)).any():
            names.add("signed takes N back")
        if neuron.amplitude != neuron.negative_amplitude and len(seen) == 5:
            names.add("signed of all values")
    return names


def test_everything_is_drawn() -> None:
    found: Counter[str] = Counter()

    # In several runs, since hypothesis varies earlier draws, so that one run draws few kinds.
    for share in range(12):

        @seed(share)
        @settings(max_examples=25, phases=[Phase.generate], database=None)
        @given(st.data(), networks())
        def draw(data: st.DataObject, network: Network) -> None:
            found["networks"] += 1
            found.update(structures(network))
            images = data.draw(images_for(network, 4))
            trace = Golden(network).run(images, trace=True).trace
            assert trace is not None
            for layer in network.layers[:-1]:
                found.update(activities(layer, trace[layer.name].spikes.numpy()))

        draw()
    wanted = {
        *NEURONS,
        *(f"{kind} input" for kind in INPUTS),
        *(f" {transport}" for transport in TRANSPORTS),
        *(f"spikes {transport}" for transport in TRANSPORTS),
        *(f"bernoulli {transport}" for transport in TRANSPORTS),
        *Synapses.kinds,
        *(f"{kind}-pool" for kind in Pool.kinds),
        "count of other T",
        "replicate of other T",
        "truncate of other T",
        "1 connections",
        "2 connections",
        "3 connections",
        "branches",
        "recurrent",
        "residual",
        "read twice",
        "grouped",
        "depthwise",
        "dense",
        "shortcut",
        "constant",
        "varying",
        "if +1",
        "ladder +1",
        "burst of several, tight",
        "burst of several, leaking",
        *(f"{kind} that leaks" for kind in ("if", "cuba", "dual")),
        *(f"{kind} with reset_{what}" for kind in ("if", "cuba") for what in ("amount", "value")),
        "burst at its largest",
        "dual -1",
        "signed takes P back",
        "signed takes N back",
        "signed +8",
        "signed -8",
        "signed of all values",
    }
    assert {name for name in wanted if not found[name]} == set()
    assert 0 < found["read never"] < found["networks"] / 5


def test_the_kinds_are_all_that_the_contract_has() -> None:
    assert {*NEURONS, "logits"} == set(Neuron.kinds)
    assert set(INPUTS) == set(Input.kinds)


@settings(max_examples=50)
@given(
    networks(
        inputs=["direct"],
        neurons=["if", "ladder"],
        transports=["count", "spikes"],
        groups=False,
        identities=False,
        branches=False,
        recurrence=False,
        max_layers=3,
        max_timesteps=3,
    )
)
def test_options_leave_out_what_they_name(network: Network) -> None:
    assert len(network.layers) <= 3
    assert network.input.kind == "direct"
    for layer in network.layers:
        assert layer.neuron.kind in ("if", "ladder", "logits")
        assert layer.timesteps <= 3
        (connection,) = layer.connections
        assert connection.transport in ("count", "spikes")
        assert connection.synapses.kind in ("linear", "conv2d")
        assert getattr(connection.synapses, "groups", 1) == 1


@settings(max_examples=30)
@given(networks(inputs=["spikes"], transports=TEMPORAL, neurons=["dual", "signed"]), st.data())
def test_images_have_the_time_axis_of_their_input(network: Network, data: st.DataObject) -> None:
    assert isinstance(network.input, SpikeInput)
    images = data.draw(images_for(network, 2))
    assert images.shape == (2, network.input.timesteps, *network.input.shape)
    assert images.max() <= network.input.highest
