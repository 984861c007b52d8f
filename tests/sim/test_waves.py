"""Waveforms of a simulation: the signals that are kept, their values, and the view of them."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from support.cosim.tiny import tiny_design, tiny_network

from spikeloom.sim.cosim import Cosimulator
from spikeloom.sim.waves import CYCLE, named, signals, traced, view
from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.golden import Golden

#: Images of the tiny network, with zeros, and with the largest value.
IMAGES = np.array([[[[0, 15], [7, 1]]], [[[3, 0], [0, 9]]]])

HEADER = """\
$timescale 1ns $end
$scope module TOP $end
$var wire 1 # clk $end
$var wire 4 $ sum [3:0] $end
$scope module inner $end
$var wire 1 % $12 $end
$var wire 8 & sum$3 [7:0] $end
$var wire 1 # clk $end
$var wire 1 ' busy $end
$upscope $end
$upscope $end
$enddefinitions $end
"""


@pytest.fixture(scope="module")
def recorded(build_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Waveforms of the tiny network's first image."""
    file = tmp_path_factory.mktemp("waves") / "tiny.vcd"
    network = tiny_network()
    simulator = Cosimulator(network, build_dir=build_dir, engine=traced(file))
    assert simulator.run(IMAGES[:1]).equal
    return file


def transfers(file: Path, stream: str) -> list[int]:
    """Return the payloads that a stream of the harness hands over, in order."""
    codes: dict[str, str] = {}
    values: dict[str, int] = {}
    found: list[int] = []
    wanted = {f"{stream}_valid", f"{stream}_ready", f"{stream}_payload", "clk"}
    depth = 0
    for line in file.read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[:1] == ["$scope"]:
            depth += 1
        elif words[:1] == ["$upscope"]:
            depth -= 1
        elif words[:1] == ["$var"] and depth == 2 and words[4] in wanted:
            codes[words[3]] = words[4]
        elif line.startswith("#"):
            before = dict(values)
        elif line[:1] in ("0", "1", "b"):
            code = line.split()[-1] if line[0] == "b" else line[1:]
            if code in codes:
                value = int(line.split()[0].lstrip("b"), 2) if line[0] == "b" else int(line[0])
                values[codes[code]] = value
                # An edge hands over the values of before it.
                rises = codes[code] == "clk" and value == 1
                if rises and before.get(f"{stream}_valid") and before.get(f"{stream}_ready"):
                    found.append(before[f"{stream}_payload"])
    return found


def test_the_file_holds_the_pixels_that_went_in(recorded: Path) -> None:
    assert transfers(recorded, "i") == IMAGES[0].reshape(-1).tolist()


def test_the_file_holds_the_logits_that_came_out(recorded: Path) -> None:
    expected = Golden(tiny_network()).run(IMAGES[:1]).logits[0].tolist()
    width = signals(recorded.read_text(encoding="ascii").splitlines())[
        "TOP.spikeloom_harness.o_payload"
    ]
    # The payload's highest bit marks the last logit.
    logits = [payload % (1 << (width - 1)) for payload in transfers(recorded, "o")]
    signed = [x - (1 << (width - 1)) if x >> (width - 2) else x for x in logits]
    assert signed == expected


def test_a_clock_cycle_takes_ten_nanoseconds(recorded: Path) -> None:
    times = [int(x) for x in re.findall(r"^#(\d+)$", recorded.read_text(encoding="ascii"), re.M)]
    assert "$timescale 1ns $end" in " ".join(recorded.read_text(encoding="ascii").split())[:200]
    assert {after - before for before, after in itertools.pairwise(times)} == {CYCLE // 2}


def test_no_signal_has_a_made_up_name(recorded: Path) -> None:
    paths = signals(recorded.read_text(encoding="ascii").splitlines())
    assert len(paths) > 100
    assert not [path for path in paths if "$" in path.rpartition(".")[2]]


def test_the_view_groups_every_layer(recorded: Path) -> None:
    paths = signals(recorded.read_text(encoding="ascii").splitlines())
    lines = recorded.with_suffix(".gtkw").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f'[dumpfile] "{recorded}"'
    for layer in tiny_network().layers:
        begin, end = [k for k, line in enumerate(lines) if line == f"-{layer.name}"]
        assert (lines[begin - 1], lines[end - 1]) == ("@800200", "@1000200")
        inside = lines[begin:end]
        assert f"TOP.spikeloom_harness.accelerator.tap__{layer.name}__step" in inside
        assert any(f".layer_{layer.name}.population." in line for line in inside)
    shown = [re.sub(r"\[\d+:0\]$", "", line) for line in lines if line.startswith("TOP.")]
    assert set(shown) <= set(paths)
    assert len(shown) == len(set(shown))


def test_signals_with_a_dollar_are_left_out_with_their_values() -> None:
    values = ["#0\n", "1#\n", "b0011 $\n", "0%\n", "b00000001 &\n", "1'\n", "#5\n", "0#\n"]
    kept = list(named([*HEADER.splitlines(keepends=True), *values]))
    assert not [line for line in kept if "$12" in line or "sum$3" in line]
    assert kept[kept.index("$enddefinitions $end\n") + 1 :] == [
        *("#0\n", "1#\n", "b0011 $\n", "1'\n", "#5\n", "0#\n")
    ]


def test_signals_are_named_by_their_scopes() -> None:
    assert signals(named(HEADER.splitlines(keepends=True))) == {
        "TOP.clk": 1,
        "TOP.sum": 4,
        "TOP.inner.clk": 1,
        "TOP.inner.busy": 1,
    }


def test_a_view_has_only_signals_that_there_are() -> None:
    lines = view(tiny_design(tiny_network()), Path("x.vcd"), {}).splitlines()
    assert not [line for line in lines if line.startswith("TOP.")]


def test_another_format_is_refused() -> None:
    with pytest.raises(FileFormatError, match=r"written as VCD: name the file net\.vcd"):
        traced(Path("net.fst"))
