"""``docs/tutorial.md`` works as it is written, and prints what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.pages import DOCS, blocks, commands, follow, missing, outputs, parsed, run

from spikeloom.sw.link.manifest import Manifest

PAGE = (DOCS / "tutorial.md").read_text(encoding="utf-8")
#: Commands that are run, in the order in which the page has them.
STEPS = [
    "data",
    "check",
    "train",
    "convert",
    "inspect",
    "plan",
    "generate",
    "cosim",
    "report",
    "run",
]


def test_all_steps_up_to_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    printed = {done.command.split()[1]: done.printed for done in follow(PAGE)}
    assert list(printed) == ["shapes.py", *STEPS]
    assert missing(outputs(PAGE), "\n".join(printed.values())) == []
    (differing,) = re.findall(r"100 images: [\d,]+ values compared, (\d+) differ", printed["cosim"])
    assert int(differing) == 0
    assert re.search(r"on 64 of 64 images; 0 of \d+ counts", printed["convert"])
    quantized, golden = (
        float(re.findall(pattern, printed[name])[0])
        for name, pattern in (("train", r"quantized ANN +([\d.]+)"), ("run", r"accuracy: ([\d.]+)"))
    )
    assert quantized == golden > 85
    report = (tmp_path / "shapes/report.html").read_text(encoding="utf-8")
    for section in ("network", "accuracy", "spikes", "cycles", "timeline", "proof"):
        assert f'<section aria-labelledby="h-{section}"' in report
    assert (tmp_path / "shapes/front.png").read_bytes().startswith(b"\x89PNG")


def test_steps_that_need_tools_or_a_board_name_what_exists() -> None:
    texts = [block.text for block in blocks(PAGE) if block.language == "sh"]
    lines = [line for text in texts for line in commands(text)]
    named = [parsed(line)[0] for line in lines if line.startswith("spikeloom")]
    assert named == ["doctor", "build", "program", "run"]
    # The rest installs and makes a folder.
    assert [line for line in lines if not line.startswith("spikeloom")] == [
        "make .venv/.dev",
        ". .venv/bin/activate",
        "mkdir ~/shapes && cd ~/shapes",
    ]


@pytest.mark.boards
def test_the_bitstream_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # All but the steps that the bitstream does not need.
    page = re.sub(
        r"^spikeloom (check|inspect|generate|cosim|report|run) .*\n", "", PAGE, flags=re.M
    )
    assert len(list(follow(page))) == 5
    (build,) = re.findall(r"^spikeloom build .*", PAGE, re.M)
    run(build)
    manifest = Manifest.load(tmp_path / "shapes/board/Net-icebreaker.json")
    assert manifest.require_bitstream().stat().st_size > 100_000
    assert manifest.content["fmax_mhz"] >= manifest.content["clock_mhz"] == 12
    assert manifest.content["resources"]["dsp"]["used"] == 0


def test_every_picture_is_there_and_is_described() -> None:
    found = re.findall(r"!\[(.*?)\]\((.*?)\)", PAGE)
    assert len(found) == 4
    for about, path in found:
        assert len(about) > 20
        assert (DOCS / path).read_bytes().startswith(b"\x89PNG"), path


def test_every_step_says_how_long_it_takes() -> None:
    steps = re.findall(r"^## (\d+\. .*)$", PAGE, re.M)
    assert len(steps) == 10
    for step in steps:
        anchor = step.lower().replace(" ", "-").translate(str.maketrans("", "", ".,"))
        (row,) = re.findall(rf"^\| \[{re.escape(step)}\]\(#{anchor}\) \| (.+?) \|", PAGE, re.M)
        assert re.search(r"second|minute", row), step
