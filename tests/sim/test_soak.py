"""The long run (tests/soak), made short: some hundred thousand clock cycles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from soak import soak as long_run
from soak.expected import content
from soak.soak import GROWTH, Outcome, soak
from support.cosim.tiny import tiny_images, tiny_network

from spikeloom.hw.planning import HardwareConfig
from spikeloom.sim.generated import generated

CYCLES = 200_000


@pytest.fixture(scope="module")
def found(build_dir: Path) -> Outcome:
    return soak(tiny_network(), tiny_images(16), CYCLES, 1, build_dir)


def test_everything_is_equal_with_stalls_and_resets(found: Outcome) -> None:
    assert found.first == ""
    assert found.differing == 0
    assert found.right
    assert found.cycles == CYCLES
    # On average, a reset comes every 20,000 cycles.
    assert 2 <= found.resets <= 30
    assert found.images > 500
    assert found.stalls > CYCLES // 20
    # Of each image that is done: potentials and counts of 12 folded neurons, and what they send;
    # the same of two logits; the logits at the output, and whether they are the last.
    assert found.compared >= found.images * (12 * 3 + 2 * 3 + 2 * 2)
    assert found.behind >= 2
    assert 0 < found.longest < long_run.STUCK_AFTER


def test_the_same_seed_gives_the_same_run(found: Outcome, build_dir: Path) -> None:
    again = soak(tiny_network(), tiny_images(16), CYCLES, 1, build_dir)
    assert replace(again, early=found.early, late=found.late) == found
    other = soak(tiny_network(), tiny_images(16), CYCLES, 2, build_dir)
    assert replace(other, early=found.early, late=found.late) != found


@pytest.mark.parametrize("place", ["logit", "tap"])
def test_one_wrong_bit_of_what_is_expected_is_found(
    place: str, build_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, images = tiny_network(), tiny_images(16)
    design = generated(network, HardwareConfig(budget=16, debug=True), build_dir)
    right = content(network, design, images, long_run.STUCK_AFTER)
    start = 4 * (5 + 16 * 4)
    changed = bytearray(right)
    changed[start if place == "logit" else -4] ^= 1
    monkeypatch.setattr(long_run, "content", lambda *_: bytes(changed))
    wrong = soak(network, images, CYCLES, 1, build_dir)
    assert not wrong.right
    # One value, of one image of sixteen.
    assert 0 < wrong.differing < wrong.images // 4
    assert ("logit 0" in wrong.first) == (place == "logit")


def test_memory_that_grows_is_not_right() -> None:
    flat = Outcome(10, 1, 1, 1, 1, 1, 10, 0, 1 << 22, (1 << 22) + GROWTH)
    assert flat.right
    assert not replace(flat, late=flat.late + 1).right
    assert not replace(flat, compared=0).right
