"""``docs/how-to``: each page's commands and Python run as they are printed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import nir
from support.pages import DOCS, Done, blocks, commands, follow, missing, outputs, parsed

FOLDER = DOCS / "how-to"
PAGES = sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "README")


def text(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, which is the current one, and where Python finds files, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mynet", raising=False)
    return tmp_path


def graph(path: Path) -> None:
    """Write a file as snnTorch does, of the model on the page with other weights."""
    rng = np.random.default_rng(0)
    layers = [
        node
        for outs, ins in ((32, 64), (10, 32))
        for node in (nir.affine(rng.normal(0, 0.3, (outs, ins))), nir.snntorch_leaky(outs, 0.875))
    ]
    nir.write(path, nir.chain(*layers, shape=(64,)))


def accuracies(done: list[Done]) -> list[float]:
    printed = "\n".join(one.printed for one in done if " run " in one.command)
    return [float(x) for x in re.findall(r"^accuracy: ([\d.]+)", printed, re.M)]


def cycles(done: list[Done]) -> list[float]:
    """Return the clock cycles per image that each plan or prediction ends with."""
    printed = "\n".join(one.printed for one in done)
    found = re.findall(
        r"^([\d,]+) clock cycles per image|an image takes ([\d,.]+) clock", printed, re.M
    )
    return [float((a or b).replace(",", "")) for a, b in found]


def luts(done: list[Done]) -> list[int]:
    printed = "\n".join(one.printed for one in done)
    return [int(x.replace(",", "")) for x in re.findall(r"about ([\d,]+) look-up tables", printed)]


def own_model(done: list[Done]) -> None:
    assert "GELU" in done[1].printed
    tuned, own = accuracies(done)
    assert tuned > 80
    assert own > 80


def fewer_luts(done: list[Done]) -> None:
    planned, predicted, _, _, small = cycles(done)
    # 5,000 images per second at 48 MHz; the first image does not wait for another.
    assert predicted <= planned <= 48e6 / 5000
    goal, eight, two = luts(done)
    assert goal < 24_288 / 2
    assert two < eight
    assert small > predicted


def more_images_per_second(done: list[Done]) -> None:
    before, planned, predicted, by_hand = cycles(done)
    assert planned < before / 2
    assert predicted < before / 2
    assert by_hand < before
    assert Path("front.png").stat().st_size > 1000


def few_timesteps(done: list[Done]) -> None:
    counts, plain, calibrated = accuracies(done)
    assert counts > 80
    assert calibrated > max(plain, counts) - 5
    assert "accuracy" in Path("calibrated.html").read_text(encoding="utf-8")


def from_snntorch(done: list[Done]) -> None:
    assert "origin: snntorch" in done[0].printed
    assert len(accuracies(done)) == 1
    assert Path("again.nir").exists()


CHECKS: dict[str, Callable[[list[Done]], None]] = {
    "own-model": own_model,
    "fewer-luts": fewer_luts,
    "more-images-per-second": more_images_per_second,
    "few-timesteps": few_timesteps,
    "from-snntorch": from_snntorch,
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_does_what_it_says(name: str, folder: Path) -> None:
    page = text(name)
    if name == "from-snntorch":
        graph(folder / "net.nir")
        page = re.sub(r"^```python\nimport snntorch.*?^```\n", "", page, flags=re.M | re.S)
    done = list(follow(page))
    assert missing(outputs(page), "\n".join(one.printed for one in done)) == []
    CHECKS[name](done)


@pytest.mark.toolkits
@pytest.mark.usefixtures("folder")
def test_snntorch_s_modules_are_taken() -> None:
    page = text("from-snntorch")
    (code,) = re.findall(r"^```python\n.*?^```\n", page, flags=re.M | re.S)
    (done,) = follow(code)
    assert "images: " in done.printed
    assert Path("net.safetensors").exists()


@pytest.mark.parametrize("name", PAGES)
def test_commands_that_are_not_run_exist(name: str) -> None:
    for block in blocks(text(name)):
        if block.language == "sh":
            for line in commands(block.text):
                parsed(line)


def test_pages_are_short_and_in_the_index() -> None:
    assert set(CHECKS) == set(PAGES)
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in PAGES:
        assert f"]({name}.md)" in index
        assert 30 <= len(text(name).splitlines()) <= 100, name
        assert text(name).startswith("# How to ")
