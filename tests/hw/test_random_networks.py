"""Random small networks on random hardware: every spike, potential, count and logit equals golden.

The simulator is Amaranth's; lanes, events, timesteps one by one or folded, stalls and back-pressure
are drawn as well. Without stalls, the counters are those that are predicted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import Phase, given, seed, settings
from support.hw.components import with_copies, with_units
from support.hw.pysim import differing, simulate
from support.networks.strategies import INPUTS, NEURONS, images_for, networks

from spikeloom.hw.neurons import NeuronUnit
from spikeloom.hw.options import TimeMode
from spikeloom.hw.planning import HardwareConfig, LayerPlan, UnrolledPlan, plan
from spikeloom.hw.planning.connection import ConnectionPlan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import (
    INPUT,
    TRANSPORTS,
    Conv2d,
    Linear,
    Network,
    Neuron,
    Pool,
    Synapses,
)

#: Parts that the networks are drawn in, and networks in each.
SHARES = range(5)
NETWORKS = 32
#: As many of each size again, several times: `make sweep` compares all of them.
MORE_SHARES = range(5, 20)
#: Networks of the first shares that have each feature, at least, among those that are always
#: compared. At least as many of them have no stalls, so that their counters are compared, too.
OCCURRENCES = 1
UNSTALLED = 8
#: Small ones, since a network takes about a second; no share lacks anything by its sizes.
SIZES = [
    {"max_side": side, "max_layers": layers, "max_channels": 4, "max_timesteps": timesteps}
    for side, layers, timesteps in [(3, 4, 3), (4, 3, 3), (3, 4, 4), (4, 3, 4)]
]


@dataclass(frozen=True)
class Case:
    """A network, its hardware, the images that it gets, and the stalls."""

    network: Network
    config: HardwareConfig
    images: np.ndarray[Any, Any]
    stalls: tuple[float, float]

    def features(self) -> Iterator[str]:
        """Yield the features of the case, each as often as it occurs."""
        network, planned = self.network, plan(self.network, self.config)
        yield f"{network.input.kind} input"
        if network.input.pixels().signed:
            yield "signed pixels"
        if any(network.input.zeros):
            alike = len(set(network.input.zeros)) == 1
            yield "one zero point" if alike else "zero points by channel"
        yield f"time {self.config.time}"
        if self.stalls == (0, 0):
            yield "no stalls"
        read = Counter(c.source for layer in network.layers for c in layer.connections)
        yield from ("fork" for number in read.values() if number > 1)
        for layer in planned.layers:
            kind = layer.layer.neuron.kind
            if layer.layer.neuron.fires and not read[layer.layer.name]:
                yield "unread"
            yield f"{kind} folded" if layer.folded else f"{kind} in a loop"
            if layer.turns > 1:
                yield f"{kind} shared"
                yield "folded and shared" if layer.folded else "in a loop and shared"
            if layer.queue:
                yield "queue"
            if layer.compact:
                yield "compact" if layer.slots == 1 else "compact with slots"
            if layer.layer.recurrent:
                yield f"recurrent {kind}"
            yield from unrolled_features(layer)
            yield from copies_features(layer)
            yield f"{min(len(layer.readers), 2)} connections"
            for reader in layer.readers:
                connection = reader.connection
                synapses = connection.synapses
                yield f"{connection.transport} into {kind}"
                if connection.source != INPUT:
                    sender = network[connection.source].neuron.kind
                    yield f"{sender} by {connection.transport}"
                yield synapses.kind
                if isinstance(synapses, Conv2d) and synapses.groups > 1:
                    depthwise = synapses.weight.shape[1] == 1
                    yield "depthwise" if depthwise else "grouped"
                if reader.windows.share and layer.target.lane_groups > 1:
                    yield "share"
                if reader.alignment:
                    yield "sums timesteps" if reader.alignment.summed else "drops timesteps"
                if connection.pool:
                    yield f"{connection.pool.kind} pool"
                    yield from pool_features(reader)
                if reader.windows.buffer.marked:
                    yield "marks"


def copies_features(layer: LayerPlan) -> Iterator[str]:
    """Yield the features of a layer whose engine has copies."""
    if layer.copies == 1:
        return
    yield "copies with equal rows" if layer.target.width % layer.copies == 0 else "copies"
    if layer.sums_per_position > 1:
        yield "copies with several sums of a position"
    if layer.queue == 1:
        yield "copies without a queue"
    if len(layer.readers) > 1:
        yield "copies with several connections"
    if any(reader.pool for reader in layer.readers):
        yield "copies behind a pool"


def unrolled_features(layer: LayerPlan) -> Iterator[str]:
    """Yield the features of an unrolled layer."""
    if not isinstance(layer, UnrolledPlan):
        return
    (reader,), sums = layer.readers, layer.sums
    windows, source = reader.windows, reader.stream
    yield "unrolled pixels" if reader.connection.source == INPUT else "unrolled counts"
    yield "unrolled in a step" if sums.steps == 1 else "unrolled in steps"
    if layer.planes > 1:
        yield "planes at once"
    if sums.offset:
        yield "unrolled signed values"
    if source.lane_groups > 1:
        yield "unrolled in lane groups"
    if windows.extent != (source.height, source.width):
        yield "unrolled beyond the source"
    if windows.stride != (1, 1):
        yield "unrolled with strides"
    if windows.buffer.capacity:
        yield "unrolled with rows"


def pool_features(reader: ConnectionPlan) -> Iterator[str]:
    """Yield the features of a connection's pool whose windows do not lie side by side."""
    assert reader.pool is not None
    pool, source = reader.pool.pool, reader.pool.source
    if pool.tiled:
        return
    if any(stride < size for stride, size in zip(pool.stride, pool.size, strict=True)):
        yield "overlapping pool"
    if any(pool.padding):
        yield "padded pool"
    if reader.pool.extent != (source.height, source.width):
        yield "pool beyond the source"
    if source.lane_groups > 1:
        yield "sliding pool in lane groups"
    if source.values.signed:
        yield "sliding pool of signed values"


@st.composite
def configs(draw: st.DrawFn, network: Network) -> HardwareConfig:
    """Lanes, events and units that fit."""
    lanes: dict[str, int] = {}
    events: dict[str, int] = {}
    stored = {INPUT: network.input.shape[0]}
    for layer in network.layers:
        name, channels = layer.name, network.shapes[layer.name][0]
        lanes[name] = channels if layer.recurrent else draw(st.integers(1, min(channels, 4)))
        stored[name] = -(-channels // lanes[name]) * lanes[name]
        # Windows that move keep their banks only if positions are a multiple of E; one of a fully
        # connected layer does not move.
        moving = [c.source for c in layer.connections if not isinstance(c.synapses, Linear)]
        fitting = [e for e in (1, 2, 3, 4) if all(stored[s] % e == 0 for s in moving)]
        events[name] = draw(st.sampled_from(fitting))
    time = draw(st.sampled_from(TimeMode))
    slots = draw(st.sampled_from((1, 2, 8, 64)))
    config = HardwareConfig(
        lanes,
        events,
        slots,
        time=time,
        debug=True,
        counters=True,
        # As random as the lanes are.
        compact=sum(lanes.values()) % 2 == 0,
    )
    return with_units(network, config, lambda fitting: draw(st.sampled_from(fitting)))


@st.composite
def unrolled(draw: st.DrawFn, network: Network, config: HardwareConfig) -> HardwareConfig:
    """The same with some layers unrolled, of those that can be."""
    for layer in network.layers:
        if draw(st.integers(0, 3)) == 3:
            continue
        planes = draw(st.sampled_from((1, 2, 3)))
        lanes, events = (
            dict(config.chosen("lanes", network)),
            dict(config.chosen("events", network)),
        )
        lanes.pop(layer.name)
        events.pop(layer.name)
        for chosen in (planes, 1):
            all_planes = {**(config.planes or {}), layer.name: chosen}
            other = dataclasses.replace(config, lanes=lanes, events=events, planes=all_planes)
            with contextlib.suppress(ConfigError):
                plan(network, other)
                config = other
                break
    return config


@functools.cache
def cases(share: int) -> list[Case]:
    """Return the networks of one share, the same for every caller."""
    sizes = SIZES[share % len(SIZES)]
    return [case(share * NETWORKS + number, sizes) for number in range(NETWORKS)]


def case(number: int, sizes: dict[str, Any]) -> Case:
    """Return one random case.

    It is the second that Hypothesis draws: the first is the simplest there is, and each later one
    may be like those before.
    """
    drawn: list[Case] = []

    @seed(number)
    @settings(max_examples=2, phases=[Phase.generate], database=None)
    @given(data=st.data())
    def collect(data: st.DataObject) -> None:
        network = data.draw(networks(**sizes))
        config = data.draw(configs(network))
        images = data.draw(images_for(network, 2))
        stalls = data.draw(st.tuples(st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 0.5])))
        config = data.draw(unrolled(network, config))
        config = with_copies(
            network, config, lambda most: data.draw(st.sampled_from([2, *range(1, most + 1)]))
        )
        drawn.append(Case(network, config, images, stalls))

    collect()
    return drawn[-1]


@functools.cache
def chosen() -> tuple[Case, ...]:
    """Return few networks of the first shares, with every expected feature in several of them."""
    candidates = [(case, set(case.features())) for share in SHARES for case in cases(share)]
    lacking = dict.fromkeys(sorted(expected_features()), OCCURRENCES) | {"no stalls": UNSTALLED}
    found: list[Case] = []
    while lacking:
        # The one with most of the features that are still lacking; of several, the first.
        best = max(candidates, key=lambda candidate: len(candidate[1] & lacking.keys()))
        candidates.remove(best)
        case, features = best
        found.append(case)
        for feature in features & lacking.keys():
            lacking[feature] -= 1
            if not lacking[feature]:
                del lacking[feature]
    return tuple(found)


def compare(compared: Sequence[Case], draw: int) -> None:
    """Assert that the hardware of networks gives the values of the golden model.

    If nothing stalls, its counters are those that are predicted.
    """
    for case in compared:
        planned, seen = simulate(
            case.network,
            case.images,
            case.config,
            stall_in=case.stalls[0],
            stall_out=case.stalls[1],
            seed=draw,
        )
        assert differing(case.network, case.images, planned, seen) == [], case.network
        if case.stalls == (0, 0):
            found = predict(planned, activity(case.network, case.images))
            for layer in found.layers:
                for name in ("cycles", "events", "blocked"):
                    counted = seen.counters[layer.name][name]
                    assert int(getattr(layer, name).sum()) == counted, (name, case.network)


def test_equals_golden() -> None:
    compare(chosen(), draw=0)


@pytest.mark.sweep
@pytest.mark.parametrize("share", [*SHARES, *MORE_SHARES])
def test_all_equal_golden(share: int) -> None:
    assert len(cases(share)) == NETWORKS
    compare(cases(share), draw=share)


def expected_features() -> set[str]:
    """Return the features that must occur: each kind, with each transport that it allows."""
    kinds = {kind: Neuron.kinds[kind] for kind in (*NEURONS, "logits")}
    senders = {k: n.outgoing for k, n in kinds.items() if k in NEURONS}
    foldable = NeuronUnit.folded_kinds.keys()
    return {
        *(f"{kind} input" for kind in INPUTS),
        *("signed pixels", "one zero point", "zero points by channel"),
        *(f"time {time}" for time in TimeMode),
        *(f"{t} into {kind}" for kind, n in kinds.items() for t in TRANSPORTS if t in n.incoming),
        *(f"{kind} by {t}" for kind, sent in senders.items() for t in TRANSPORTS if t in sent),
        *(f"{kind} in a loop" for kind in kinds),
        *(f"{kind} folded" for kind in foldable),
        *(f"{kind} shared" for kind in kinds),
        *(f"recurrent {kind}" for kind in ("if", "cuba", "dual", "signed", "burst")),
        *("folded and shared", "in a loop and shared", "queue"),
        *(f"{kind} pool" for kind in Pool.kinds),
        *("overlapping pool", "padded pool", "pool beyond the source"),
        *("sliding pool in lane groups", "sliding pool of signed values"),
        *Synapses.kinds,
        *("1 connections", "2 connections", "fork", "unread", "grouped", "depthwise", "share"),
        *("sums timesteps", "drops timesteps", "marks", "compact", "compact with slots"),
        *("unrolled pixels", "unrolled counts", "unrolled in a step", "unrolled in steps"),
        *("planes at once", "unrolled signed values", "unrolled in lane groups"),
        *("copies", "copies with equal rows", "copies with several sums of a position"),
        *("copies without a queue", "copies with several connections", "copies behind a pool"),
        *("unrolled beyond the source", "unrolled with strides", "unrolled with rows"),
    }


def test_everything_occurs_among_those_compared() -> None:
    found = Counter(f for case in chosen() for f in set(case.features()))
    assert len(NeuronUnit.folded_kinds) > 1, "kinds that fold have registered"
    assert {f: found[f] for f in expected_features() if found[f] < OCCURRENCES} == {}
    assert found["no stalls"] >= UNSTALLED


def test_shares_are_the_same_for_all_who_ask() -> None:
    """Otherwise the cases counted here could differ from those compared elsewhere."""
    again = case(3, SIZES[0])
    assert again.network == cases(0)[3].network
    assert again.config == cases(0)[3].config
    assert np.array_equal(again.images, cases(0)[3].images)
    assert len({case.network.digest for share in SHARES for case in cases(share)}) > 120
