"""docs/waveforms.md shows what components do now, and what the contract says that they do."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pictures.diagrams import Diagram, diagrams
from pictures.waves import FOLDER, THRESHOLD, TIMESTEPS, WEIGHTS, WINDOWS, text, waveforms


@pytest.fixture(scope="module")
def fresh() -> dict[str, Any]:
    return waveforms()


def row(waveform: Any, group: str, name: str) -> dict[str, Any]:
    (found,) = (
        row
        for part in waveform["signal"]
        if isinstance(part, list) and part[0] == group
        for row in part[1:]
        if row["name"] == name
    )
    return dict(found)


def levels(wave: str) -> list[str]:
    """Return the state of each clock cycle."""
    states: list[str] = []
    for state in wave:
        states.append(states[-1] if state == "." else state)
    return states


def test_the_committed_waveforms_are_simulated_anew(fresh: dict[str, Any]) -> None:
    for name, waveform in fresh.items():
        assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == text(waveform), (
            f"{name}: run make pictures ARGS=hardware"
        )
    assert {path.stem for path in FOLDER.glob("*.json")} == set(fresh)
    assert {path.stem for path in FOLDER.glob("*.svg")} == {*fresh, *diagrams()}


def test_a_pause_of_either_side_loses_and_doubles_nothing(fresh: dict[str, Any]) -> None:
    passed = {}
    for port in "io":
        valid, ready, payload = (
            row(fresh["handshake"], port, name) for name in ("valid", "ready", "payload")
        )
        moves = [
            a == b == "1" for a, b in zip(levels(valid["wave"]), levels(ready["wave"]), strict=True)
        ]
        # Each box of the payload ends with the transfer.
        assert sum(moves) == len(payload["data"])
        assert {"0", "1"} == set(levels(valid["wave"])) == set(levels(ready["wave"]))
        passed[port] = payload["data"]
    assert passed["i"] == passed["o"] == [str(value) for value in range(10, 16)]


def shown(row: dict[str, Any]) -> list[str | None]:
    """Return what a row shows in each clock cycle; no value where it means nothing."""
    data = iter(row["data"])
    values: list[str | None] = []
    for state in row["wave"]:
        values.append(values[-1] if state == "." and values else None)
        if state == "=":
            values[-1] = next(data)
    return values


def test_the_events_of_each_window_add_up_to_its_sum(fresh: dict[str, Any]) -> None:
    def event(name: str) -> list[str]:
        return levels(row(fresh["window"], "event", name)["wave"])

    rows = [shown(row(fresh["window"], "event", name)) for name in ("address", "shift")]
    bits = [event(name) for name in ("negative", "null", "valid", "ready")]
    added, nulls = [0] * len(WEIGHTS), 0
    for address, shift, negative, null, valid, ready in zip(*rows, *bits, strict=True):
        assert (address is None) == (shift is None) == (valid == "0")
        if valid == ready == "1":
            assert address is not None
            assert shift is not None
            nulls += null == "1"
            added[int(address)] += (null == "0") * (-1 if negative == "1" else 1) << int(shift)
    assert added == np.sum(WINDOWS, axis=0).tolist()
    assert nulls == sum(not any(window) for window in WINDOWS)
    sums = row(fresh["window"], "sum", "lane 0")["data"]
    assert [int(x) for x in sums] == (np.array(WINDOWS) @ WEIGHTS).tolist()


def test_timesteps_are_those_of_the_contract(fresh: dict[str, Any]) -> None:
    potentials, spikes, counts = [], [], []
    for current in (np.array(WINDOWS) @ WEIGHTS).tolist():
        v = THRESHOLD // 2
        for _ in range(TIMESTEPS):
            v += current
            spikes.append(int(v >= THRESHOLD))
            v -= THRESHOLD * spikes[-1]
            potentials.append(v)
        counts.append(min(max((THRESHOLD // 2 + TIMESTEPS * current) // THRESHOLD, 0), TIMESTEPS))
    shown = fresh["timesteps"]
    step = levels(row(shown, "timestep", "step")["wave"])
    spike = levels(row(shown, "timestep", "spike")["wave"])
    assert [int(b) for a, b in zip(step, spike, strict=True) if a == "1"] == spikes
    assert [int(x) for x in row(shown, "timestep", "potential")["data"]] == potentials
    assert [int(x) for x in row(shown, "o", "count")["data"]] == counts == [3, 0, 4]


@pytest.mark.parametrize("name", diagrams())
def test_a_diagram_s_arrows_and_frames_name_its_boxes(name: str) -> None:
    diagram: Diagram = diagrams()[name]
    names = [box.name for box in diagram.boxes]
    assert len(set(names)) == len(names)
    ends = {end for arrow in diagram.arrows for end in (arrow.source, arrow.target)}
    assert ends <= set(names)
    assert {box for _, inside in diagram.frames for box in inside} <= set(names)


def test_waveforms_are_wavejson(fresh: dict[str, Any]) -> None:
    for waveform in fresh.values():
        lanes = [
            lane
            for part in json.loads(text(waveform))["signal"]
            for lane in (part[1:] if isinstance(part, list) else [part])
            if lane
        ]
        assert len({len(lane["wave"]) for lane in lanes}) == 1
        for lane in lanes:
            assert set(lane["wave"]) <= set("p01x=.")
            assert lane["wave"].count("=") == len(lane.get("data", []))
