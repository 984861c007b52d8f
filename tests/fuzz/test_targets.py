"""A few hundred executions of each target; ``make fuzz`` makes as many as documentation states."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from fuzz.child import Session
from fuzz.targets import Target

#: Those of the targets that take milliseconds for one.
_FEWER = {
    "nir": 40,
    "model": 100,
    "onnx": 150,
    "recipe": 150,
    "shd": 60,
    "photographs": 80,
    "gestures": 100,
    "aedat": 100,
    "cifar100": 60,
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", Target.kinds)
def test_every_input_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    target = Target.kinds[name](tmp_path / "work")
    session = Session(target, tmp_path / "failures")
    runs = _FEWER.get(name, 200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.run(runs, Random(name))
    failures = [path.read_text() for path in (tmp_path / "failures").glob("*.txt")]
    assert failures == []
    counts = session.counts
    assert (counts.executions, counts.failures) == (runs, 0)
    # Damage that nothing refuses, or that ends at the first check, tests no reader.
    assert counts.accepted >= 2
    assert name == "verilog" or counts.refused >= 10
