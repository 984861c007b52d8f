"""Recordings as tonic's data sets hold them: bins, labels, and what cannot be taken."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset

from spikeloom.sw.datasets import Binning, as_dataset, from_events
from spikeloom.sw.errors import DataError
from spikeloom.sw.network import SpikeInput

FIELDS = [("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)]


def recording(seed: int, events: int = 40) -> Any:
    """Return events of a sensor of 5 columns and 3 rows."""
    draw = np.random.default_rng(seed)
    found = np.zeros(events, FIELDS)
    for name, most in (("x", 5), ("y", 3), ("p", 2)):
        found[name] = draw.integers(0, most, events)
    found["t"] = np.sort(draw.integers(1000, 9000, events))
    return found


class Recorded:
    """A data set with tonic's interface, and nothing of torch's."""

    sensor_size: ClassVar[tuple[int, int, int]] = (5, 3, 2)
    classes: ClassVar[list[str]] = ["left", "right"]

    def __init__(self) -> None:
        self.events = [recording(seed) for seed in range(6)]
        self.targets = [0, 1, 1, 0, 1, 0]

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, index: int) -> Any:
        return self.events[index], self.targets[index]


def counted(events: Any, steps: int, highest: int) -> Any:
    """Return the spikes of a recording, event by event."""
    spikes = np.zeros((steps, 2, 3, 5), int)
    since = events["t"] - events["t"].min()
    for event, after in zip(events, since, strict=True):
        bin_ = after * steps // (since.max() + 1)
        spikes[bin_, int(event["p"]), event["y"], event["x"]] += 1
    return np.minimum(spikes, highest)


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: list(map(x.__getitem__, range(6)))])
def test_events_are_binned_when_asked_for(wrap: Any) -> None:
    recorded, binning = Recorded(), Binning(4, 2)
    data = from_events(wrap(recorded), shape=(2, 3, 5), binning=binning)
    assert data.streams
    assert (data.steps, data.shape, data.bits, data.scale) == (4, (2, 3, 5), 4, 1 / 8)
    assert data.labels.tolist() == recorded.targets
    assert data.spikes is not None
    for index, events in enumerate(recorded.events):
        assert np.array_equal(data.spikes[index], counted(events, 4, 2))
        assert np.array_equal(data.images[index], counted(events, 4, 2).sum(0))
    part = data.take([5, 2])
    source = SpikeInput((2, 3, 5), 4, 2)
    assert torch.equal(part.pixels([1], source), torch.from_numpy(data.spikes[2:3]))
    assert data.split(0.5, 0)[0].steps == 4


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: Subset(x, [0, 1, 2, 3, 4, 5])])
def test_any_data_set_of_events_is_taken(wrap: Any) -> None:
    data = as_dataset(wrap(Recorded()))
    assert (data.steps, data.shape, data.classes) == (8, (2, 3, 5), 2)
    recorded: Any = Recorded()
    loader: Any = DataLoader(recorded, 2, collate_fn=lambda items: items)
    assert np.array_equal(np.asarray(as_dataset(loader).images), np.asarray(data.images))


def test_classes_have_names() -> None:
    recorded: Any = Recorded()
    assert as_dataset(recorded).class_names == ("left", "right")
    named = from_events(recorded, classes=["l", "r", "up"])
    assert (named.classes, named.class_names) == (3, ("l", "r", "up"))


def test_one_polarity_and_one_row() -> None:
    """Spiking Heidelberg Digits, for instance, have neither rows nor polarities that differ."""
    events = np.zeros(3, [("t", float), ("x", int), ("p", int)])
    events["t"], events["x"], events["p"] = [0.1, 0.16, 0.2], [0, 6, 6], 1
    data = from_events([(events, 0), (events, 1)], shape=(1, 1, 7), binning=Binning(2, 1))
    assert data.spikes is not None
    assert data.spikes[0][:, 0, 0].tolist() == [[1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("items", "shape", "message"),
    [
        ([(recording(0), 0)], None, r"list has no sensor_size: say .* shape=\(polarities, height"),
        ([(recording(0), 0)], (2, 3, 4), "item 0 of list: event .* has the column 4, which must"),
        ([(recording(0, 0), 0)], (2, 3, 5), "item 0 of list has no events: leave it out"),
        ([(np.zeros(3), 0)], (2, 3, 5), "item 0 of list is no recording"),
        ([], (2, 3, 5), "list is empty"),
    ],
)
def test_recordings_that_are_refused(items: Any, shape: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_events(items, shape=shape)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_times_in_fractions_of_a_second(kind: Any) -> None:
    events = np.zeros(4, [("x", np.int64), ("t", kind)])
    events["t"] = [0.5, 0.8, 1.1, 1.25]
    data = from_events([(events, 0)], shape=(1, 1, 1), binning=Binning(3, 4))
    # The bins begin at 0.5, 0.75 and 1.
    assert np.asarray(data.spikes)[0].ravel().tolist() == [1, 1, 2]
    events["t"] = 0.3
    data = from_events([(events, 0)], shape=(1, 1, 1), binning=Binning(3, 4))
    assert np.asarray(data.spikes)[0].ravel().tolist() == [4, 0, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_times_that_are_not_finite(value: float) -> None:
    events = np.zeros(2, [("x", np.int64), ("t", np.float64)])
    events["t"][1] = value
    with pytest.raises(DataError, match="item 0 of list has times that are not finite"):
        from_events([(events, 0)], shape=(1, 1, 1))
