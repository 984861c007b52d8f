"""The scoreboard alone, on made-up values: no simulator, no network."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from support.cosim.layers import IMAGES, engine, record

from spikeloom.sim.design import EngineInfo
from spikeloom.sim.divergence import Tally
from spikeloom.sim.order import in_hardware_order
from spikeloom.sim.records import LayerRecords
from spikeloom.sim.scoreboard import LayerScore, OutputScore
from spikeloom.sw.golden import LayerTrace, Result
from spikeloom.sw.golden.streams import in_stream_order

Values = npt.NDArray[np.int64]


def golden(layer: EngineInfo, images: int = IMAGES) -> Result:
    rng = np.random.default_rng(0)
    size = (layer.timesteps, images, *layer.shape)
    spikes = torch.from_numpy(rng.integers(0, 2, size))
    potentials = torch.from_numpy(rng.integers(-99, 99, size))
    return Result(
        logits=potentials[-1].flatten(1),
        labels=torch.zeros(images, dtype=torch.int64),
        counts={} if layer.sends == "logits" else {"layer": spikes.sum(0)},
        trace={"layer": LayerTrace(potentials, spikes, potentials)},
    )


class Shown(LayerRecords):
    """Records of faultless hardware for a golden result, which a test can tamper with."""

    def __init__(self, layer: EngineInfo, expected: Result) -> None:
        assert expected.trace is not None
        trace = expected.trace["layer"]
        self.layer = layer
        counts, last = trace.spikes.sum(0)[None], trace.potentials[-1:]
        work = layer.at_work
        self.spikes = in_hardware_order(work, counts if layer.folded else trace.spikes)
        self.potentials = in_hardware_order(work, last if layer.folded else trace.potentials)
        self.passed_on = in_hardware_order(
            layer,
            {
                "count": trace.spikes.sum(0)[None],
                "spikes": trace.spikes,
                "logits": trace.potentials[-1:],
            }[layer.sends],
        )

    def agree(self, *_: object) -> bool:
        """Have every value compared."""
        return False

    def steps(self, which: slice) -> tuple[Values, Values]:
        return self.spikes[which], self.potentials[which]

    def sent(self, which: slice) -> Values:
        return self.passed_on[which]


def scored(
    layer: EngineInfo, tamper: Callable[[Shown], object] = lambda shown: None, images: int = IMAGES
) -> LayerScore:
    expected = golden(layer, images)
    shown = Shown(layer, expected)
    tamper(shown)
    score = LayerScore(layer, shown)
    score.check(0, expected)
    score.check_surplus(images)
    return score


class TestUnitsThatServeSeveralLanes:
    layer = engine(shape=(7, 1, 2), timesteps=3, lanes=4, units=2)
    #: Records of the ``step`` tap: image, column, lane group, turn, timestep.
    order = tuple(itertools.product(range(IMAGES), range(2), range(2), range(2), range(3)))

    def test_order_is_the_specified_one(self) -> None:
        values = torch.arange(3 * IMAGES * 7 * 2).reshape(3, IMAGES, 7, 1, 2)
        records = in_hardware_order(self.layer.at_work, values)
        assert len(records) == len(self.order) == IMAGES * self.layer.steps_per_image
        for at, (image, x, group, turn, t) in enumerate(self.order):
            channels = [group * 4 + turn * 2, group * 4 + turn * 2 + 1]
            wanted = [int(values[t, image, c, 0, x]) if c < 7 else 0 for c in channels]
            assert records[at].tolist() == wanted

    @pytest.mark.parametrize("folded", [False, True])
    def test_all_values_are_compared(self, folded: bool) -> None:
        layer = dataclasses.replace(self.layer, folded=folded)
        score = scored(layer)
        assert {tally.compared for name, tally in score.tallies.items() if name != "counts"} <= {
            IMAGES * 14 * (1 if folded else 3)
        }
        assert score.tallies["counts"] == Tally(IMAGES * 14, 0)
        assert score.divergence is None

    def test_the_first_difference_is_that_of_the_first_turn(self) -> None:
        def tamper(shown: Shown) -> None:
            shown.potentials[self.order.index((1, 0, 1, 0, 2)), 1] = 1000
            shown.spikes[self.order.index((1, 0, 1, 1, 0)), 0] = 7
            shown.passed_on[(1 * 2 + 0) * 2 + 1, 0] = 9

        divergence = scored(self.layer, tamper).divergence
        assert divergence is not None
        assert (divergence.image, divergence.quantity) == (1, "potentials")
        assert (divergence.neuron, divergence.timestep) == ((5, 0, 0), 2)

    def test_an_unused_lane_is_ignored(self) -> None:
        def tamper(shown: Shown) -> None:
            shown.potentials[self.order.index((0, 0, 1, 1, 0)), 1] = 1000

        assert scored(self.layer, tamper).divergence is None

    def test_missing_and_surplus(self) -> None:
        def short(shown: Shown) -> None:
            shown.spikes, shown.potentials = shown.spikes[:-4], shown.potentials[:-4]

        score = scored(self.layer, short)
        # The last turn serves one channel, and the one before it two: three timesteps and one.
        assert score.tallies["spikes"] == Tally(IMAGES * 42, 3 + 2)

        def long(shown: Shown) -> None:
            shown.spikes = np.concatenate([shown.spikes, shown.spikes[:1]])
            shown.potentials = np.concatenate([shown.potentials, shown.potentials[:1]])

        assert scored(self.layer, long).tallies["spikes"] == Tally(IMAGES * 42 + 2, 2)


@pytest.mark.parametrize(("sends", "steps"), [("count", 1), ("spikes", 2), ("logits", 1)])
def test_records_are_told_which_lanes_are_used(sends: str, steps: int) -> None:
    """Two lanes serve three channels, so that the second group has one; four positions."""
    given: list[tuple[Values, Values]] = []

    class Asked(Shown):
        def agree(self, *arguments: object) -> bool:
            given.append(arguments[-1])  # type: ignore[arg-type]
            return True

    layer = engine(sends, (3, 2, 2))
    expected = golden(layer)
    LayerScore(layer, Asked(layer, expected)).check(0, expected)
    ((shown, sent),) = given
    for used, of_each in ((shown, 2), (sent, steps)):
        groups = [[True, True]] * of_each + [[True, False]] * of_each
        assert np.broadcast_to(used, (8 * of_each, 2)).tolist() == groups * 4


@pytest.mark.parametrize("sends", ["count", "spikes", "logits"])
@pytest.mark.parametrize("shape", [(3, 2, 2), (5,)])
def test_equal_values_are_all_compared(sends: str, shape: tuple[int, ...]) -> None:
    score = scored(engine(sends, shape))
    neurons = IMAGES * int(np.prod(shape))
    assert score.tallies.pop("spikes") == Tally(2 * neurons, 0)
    assert score.tallies.pop("potentials") == Tally(2 * neurons, 0)
    if sends == "spikes":
        assert score.tallies.pop("sent") == Tally(2 * neurons, 0)
    (rest,) = score.tallies
    assert rest == ("logits" if sends == "logits" else "counts")
    assert score.tallies[rest] == Tally(neurons, 0)
    assert score.divergence is None


def test_folded_layers_show_counts_and_last_potentials() -> None:
    score = scored(engine(folded=True))
    neurons = IMAGES * 12
    assert score.tallies == dict.fromkeys(("counts", "potentials", "sent"), Tally(neurons, 0))
    assert score.divergence is None

    def tamper(shown: Shown) -> None:
        shown.spikes[4, 1] += 1

    score = scored(engine(folded=True), tamper)
    assert score.tallies["counts"] == Tally(neurons, 1)
    # Two records for each of the positions (0, 0), (0, 1), ...: the fifth is that of (1, 0).
    divergence = score.divergence
    assert divergence is not None
    assert (divergence.quantity, divergence.neuron) == ("counts", (1, 1, 0))
    assert divergence.timestep is None


def test_surplus_of_a_folded_layer_is_named_by_what_it_shows() -> None:
    def tamper(shown: Shown) -> None:
        shown.potentials = np.concatenate([shown.potentials, shown.potentials[:1]])
        shown.spikes = np.concatenate([shown.spikes, shown.spikes[:1]])

    score = scored(engine(folded=True), tamper)
    assert {name: tally.differing for name, tally in score.tallies.items()} == {
        "counts": 2,
        "potentials": 2,
        "sent": 0,
    }


def test_a_wrong_potential_is_named() -> None:
    layer = engine()
    at = record(layer, image=1, y=1, x=0, group=0, t=1)

    def tamper(shown: Shown) -> None:
        shown.potentials[at, 1] = 1000

    score = scored(layer, tamper)
    assert score.tallies["potentials"].differing == 1
    assert score.tallies["spikes"].differing == 0
    expected = golden(layer).trace
    assert expected is not None
    value = expected["layer"].potentials[1, 1, 1, 1, 0]
    assert str(score.divergence) == (
        f"image 1, layer layer, timestep 1, neuron (channel, y, x) = (1, 1, 0), potentials: "
        f"expected {value}, got 1000"
    )


def test_the_first_of_several_is_named_whatever_its_quantity() -> None:
    layer = engine()

    def tamper(shown: Shown) -> None:
        shown.potentials[record(layer, 2, 0, 0, 0, 0), 0] = 1000
        shown.spikes[record(layer, 1, 1, 1, 0, 1), 0] = 7
        shown.passed_on[-1, 0] = 9

    score = scored(layer, tamper)
    assert score.divergence is not None
    assert (score.divergence.image, score.divergence.quantity) == (1, "spikes")
    assert {name: tally.differing for name, tally in score.tallies.items()} == {
        "spikes": 1,
        "potentials": 1,
        "counts": 1,
    }


def test_a_spike_is_named_before_the_potential_that_it_spoils() -> None:
    def tamper(shown: Shown) -> None:
        shown.potentials[0, 0] = 1000
        shown.spikes[0, 0] = 7

    divergence = scored(engine(), tamper).divergence
    assert divergence is not None
    assert divergence.quantity == "spikes"


def test_a_wrong_count_comes_after_the_steps_that_made_it() -> None:
    def tamper(shown: Shown) -> None:
        shown.passed_on[0, 0] = 9
        shown.spikes[1, 0] = 9

    divergence = scored(engine(), tamper).divergence
    assert divergence is not None
    assert (divergence.quantity, divergence.timestep) == ("spikes", 1)


def test_lanes_without_a_channel_are_ignored() -> None:
    layer = engine()

    def tamper(shown: Shown) -> None:
        shown.potentials[record(layer, 0, 0, 0, 1, 0), 1] = 1000

    assert scored(layer, tamper).divergence is None


def test_missing_values_differ() -> None:
    layer = engine()

    def tamper(shown: Shown) -> None:
        shown.spikes = shown.spikes[:-2]
        shown.potentials = shown.potentials[:-2]

    score = scored(layer, tamper)
    # The last group has one channel, and two timesteps.
    assert score.tallies["spikes"] == Tally(2 * IMAGES * 12, 2)
    assert score.divergence is not None
    assert (score.divergence.neuron, score.divergence.timestep) == ((2, 1, 1), 0)
    assert score.divergence.got is None
    assert str(score.divergence).endswith("none came")


def test_surplus_values_differ() -> None:
    layer = engine("spikes", shape=(4,))

    def tamper(shown: Shown) -> None:
        shown.passed_on = np.concatenate([shown.passed_on, shown.passed_on[:1]])

    score = scored(layer, tamper)
    assert score.tallies["sent"] == Tally(2 * IMAGES * 4 + 2, 2)
    assert score.divergence is not None
    assert (score.divergence.image, score.divergence.expected) == (IMAGES, None)
    assert "the golden model has no further value here, got " in str(score.divergence)


@pytest.mark.parametrize(("sends", "name"), [("count", "counts"), ("logits", "logits")])
def test_surplus_of_what_is_sent_once_per_image_differs(sends: str, name: str) -> None:
    def tamper(shown: Shown) -> None:
        shown.passed_on = np.concatenate([shown.passed_on, shown.passed_on[:1]])

    assert scored(engine(sends), tamper).tallies[name] == Tally(IMAGES * 12 + 2, 2)


def test_batches_give_what_one_batch_gives() -> None:
    layer = engine("spikes")
    expected = golden(layer)
    shown = Shown(layer, expected)
    shown.passed_on[record(layer, 2, 0, 1, 0, 0), 0] += 1
    score = LayerScore(layer, shown)
    for image in range(IMAGES):
        score.check(image, _one(expected, image))
    assert score.tallies["spikes"] == Tally(2 * IMAGES * 12, 0)
    assert score.tallies["sent"] == Tally(2 * IMAGES * 12, 1)
    assert score.tallies["counts"] == Tally(IMAGES * 12, 1)
    assert score.divergence is not None
    assert (score.divergence.image, score.divergence.neuron) == (2, (0, 0, 1))


def _one(result: Result, image: int) -> Result:
    one = slice(image, image + 1)
    assert result.trace is not None
    return Result(
        result.logits[one],
        result.labels[one],
        {name: counts[one] for name, counts in result.counts.items()},
        {
            name: LayerTrace(trace.currents[:, one], trace.spikes[:, one], trace.potentials[:, one])
            for name, trace in result.trace.items()
        },
    )


class TestOutput:
    layer = engine("logits", shape=(2, 1, 2))

    def score(self, tamper: Callable[[Values, Values], tuple[Values, Values]]) -> OutputScore:
        expected = golden(self.layer)
        logits = in_stream_order(self.layer.shape, expected.logits.numpy()).reshape(-1)
        last = np.tile([0, 0, 0, 1], IMAGES)
        score = OutputScore(self.layer)
        score.check(0, expected, *tamper(logits, last))
        return score

    def test_equal(self) -> None:
        score = self.score(lambda logits, last: (logits, last))
        assert score.tallies == {"logits": Tally(12, 0), "last": Tally(12, 0)}
        assert score.divergence is None

    def test_batches_add_up(self) -> None:
        expected = golden(self.layer)
        logits = in_stream_order(self.layer.shape, expected.logits.numpy()).reshape(-1)
        score = OutputScore(self.layer)
        for first in (0, IMAGES):
            score.check(first, expected, logits, np.tile([0, 0, 0, 1], IMAGES))
            score.check_labels(np.array([1, 2, 3]), np.array([1, -1, 3]))
        assert score.tallies == {
            "logits": Tally(24, 0),
            "last": Tally(24, 0),
            "labels": Tally(6, 2),
        }

    def test_a_wrong_logit_is_named(self) -> None:
        score = self.score(lambda logits, last: (logits + 1000 * (np.arange(12) == 6), last))
        assert score.tallies["logits"] == Tally(12, 1)
        assert score.divergence is not None
        assert (score.divergence.image, score.divergence.neuron) == (1, (0, 0, 1))

    def test_a_wrong_mark_is_named(self) -> None:
        score = self.score(lambda logits, last: (logits, np.zeros_like(last)))
        assert score.tallies["last"] == Tally(12, 3)
        assert score.divergence is not None
        assert (score.divergence.image, score.divergence.neuron) == (0, (1, 0, 1))

    def test_missing_and_surplus(self) -> None:
        score = self.score(lambda logits, last: (logits[:-1], last[:-1]))
        assert score.tallies == {"logits": Tally(12, 1), "last": Tally(12, 1)}
        score = self.score(lambda logits, last: (np.append(logits, 0), np.append(last, 0)))
        assert score.tallies == {"logits": Tally(13, 1), "last": Tally(13, 1)}
        assert score.divergence is not None
        assert score.divergence.image == IMAGES

    def test_labels(self) -> None:
        score = OutputScore(self.layer)
        score.check_labels(np.array([1, 2, 3]), np.array([1, -1, 3]))
        assert score.tallies == {"labels": Tally(3, 1)}
