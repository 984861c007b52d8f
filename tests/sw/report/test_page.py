"""Pages: self-contained, equal to the files' figures, small, and safe whatever names files hold."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support import report as example
from support.networks.examples import everything

from spikeloom.sw.cli.inspect import summarize
from spikeloom.sw.report import Run, Section, read_folder
from spikeloom.sw.report.page import ORDER, page
from spikeloom.sw.report.parts import Note

#: Attributes by which an element loads something.
LOADING = {"src", "srcset", "data", "poster", "background", "action", "formaction", "ping"}


class Elements(HTMLParser):
    """Collects the elements of a page, and the texts in scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.within: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.within.append(tag)

    def handle_data(self, data: str) -> None:
        if self.within and self.within[-1] not in ("script", "style"):
            self.text += data

    def tags(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def read(folder: Path) -> Run:
    run = Run(str(folder))
    read_folder(folder, run)
    if run.model is not None:
        run.network = json.loads(json.dumps(summarize(run.model)))
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return read(example.folder(tmp_path_factory.mktemp("report") / "demo", everything()))


@pytest.fixture(scope="module")
def text(run: Run) -> str:
    return page([run])


def test_the_page_loads_nothing(text: str) -> None:
    found = Elements(text)
    for tag, attributes in found.found:
        for name, value in attributes.items():
            if name in LOADING or (name == "href" and tag == "link"):
                assert value is not None
                assert value.startswith("data:"), (tag, name, value)
            if name == "href" and tag == "a":
                assert value is not None
                assert value.startswith("#"), value
    (policy,) = [x["content"] for x in found.tags("meta") if "http-equiv" in x]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    own = text.replace(str(embedded_library(text)), "")
    assert not re.search(r"@import|url\((?!#)", own)
    assert len(text.encode()) < 2_500_000


def embedded_library(text: str) -> str:
    """Return Bokeh's program, the largest script."""
    return max(re.findall(r"<script>(.*?)</script>", text, re.DOTALL), key=len)


def test_the_figures_are_those_of_the_files(run: Run, text: str) -> None:
    network = everything()
    found = example.embedded(text)
    assert (found["format"], found["version"]) == ("spikeloom-report", 1)
    (content,) = found["runs"]
    names = [layer.name for layer in network.layers]
    assert content["network"] == json.loads(json.dumps(summarize(network)))
    assert content["demo"] == example.demo(network)
    assert content["area"] == example.area(names)
    assert content["manifests"]["board.json"]["fmax_mhz"] == 31.25
    details = content["details"]
    assert list(details) == names
    measured = details[names[1]]["simulation: report.json"]
    assert (measured["cycles"], measured["events"]) == (1777, 901)
    assert details[names[0]]["network"]["timesteps"] == network.layers[0].timesteps


def test_tables_show_the_figures_and_mark_the_bottleneck(text: str) -> None:
    found = Elements(text)
    shown = " ".join(found.text.split())
    for words in ("31.25", "1,777", "98.00 %", "25.00 %", "some-board", "777 LUTs"):
        assert words in shown, words
    assert shown.count("bottleneck") == 1
    slowest = everything().layers[1].name
    (row,) = re.findall(r'<tr class="marked">\s*<th.*?</th>', text, re.DOTALL)
    assert f'data-layer="{slowest}"' in row


def test_layers_can_be_reached_and_named_without_a_mouse(text: str) -> None:
    found = Elements(text)
    names = [layer.name for layer in everything().layers]
    nodes = [x for x in found.tags("a") if x.get("class") == "layer"]
    assert [x["data-layer"] for x in nodes] == names
    assert all(x["href"] and x["role"] == "button" and x["aria-label"] for x in nodes)
    assert {x["data-layer"] for x in found.tags("button") if "data-layer" in x} == set(names)
    assert all(x["aria-label"] for x in found.tags("figure"))
    assert all(x["alt"] for x in found.tags("img"))
    assert found.tags("html") == [{"lang": "en"}]
    heads = [x for x in found.tags("th") if x.get("scope") == "col"]
    assert heads
    assert all(x["aria-sort"] == "none" for x in heads)


def test_every_chart_has_its_place(text: str) -> None:
    charts = example.embedded(text, "charts")
    assert charts
    assert [x["id"] for x in Elements(text).tags("div") if x.get("class") == "place"] == list(
        charts
    )


def test_sections_come_in_their_order_and_only_with_data(run: Run, tmp_path: Path) -> None:
    assert set(ORDER) == set(Section.kinds)
    shown = [x["id"] for x in Elements(page([run])).tags("section")]
    assert shown == ["key", "network", "accuracy", "cycles", "area", "clock", "proof"]
    alone = tmp_path / "alone"
    alone.mkdir()
    example.write(alone / "area.json", example.area(["conv"]))
    assert [x["id"] for x in Elements(page([read(alone)])).tags("section")] == ["key", "area"]


@pytest.mark.parametrize("where", ["layer", "path", "file"])
def test_no_text_breaks_out(where: str, tmp_path: Path) -> None:
    hostile = example.HOSTILE if where != "file" else example.HOSTILE.replace("/", "")
    folder = tmp_path / "some"
    folder.mkdir()
    content = example.simulation(["conv", hostile if where == "layer" else "fc"])
    if where == "layer":
        content["divergence"] = hostile
    example.write(folder / (f"{hostile}.json" if where == "file" else "cosim.json"), content)
    run = read(folder)
    if where == "path":
        run.path = hostile
    text = page([run])
    found = Elements(text)
    assert len(found.tags("script")) == 4
    assert not found.tags("img")
    assert not any(name.startswith("on") for _, attributes in found.found for name in attributes)
    assert hostile.replace("\u2028", " ").split("&")[0] in found.text
    assert example.embedded(text)["runs"][0]["path"] == run.path
    if where == "layer":
        layers = example.embedded(text)["runs"][0]["cosim"]["cosim.json"]["layers"]
        assert layers[1]["name"] == hostile
        assert hostile in json.dumps(example.embedded(text, "charts"), ensure_ascii=False).replace(
            '\\"', '"'
        )


def test_two_runs_stand_beside_each_other(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    content = example.simulation(["conv", "fc"]) | {"cycles_per_image": 80.25}
    example.write(other / "cosim.json", content)
    text = page([run, read(other)])
    found = Elements(text)
    assert len([x for x in found.tags("div") if x.get("class") == "runs two"]) == 6
    assert len(example.embedded(text)["runs"]) == 2
    (row,) = re.findall(r"<tr>\s*<th[^>]*>clock cycles per image.*?</tr>", text, re.DOTALL)
    assert re.findall(r"data-value=\"([^\"]*)\"", row)[1:] == ["1080.25", "80.25", "-1000.0"]
    assert "No figures." in found.text


def test_energy_is_shown_if_a_file_has_it(tmp_path: Path) -> None:
    content = example.simulation(["conv", "fc"]) | {"energy": {"total": 12.5, "of": {"adds": 7}}}
    example.write(tmp_path / "cosim.json", content)
    found = Elements(page([read(tmp_path)]))
    assert "energy" in [x.get("id") for x in found.tags("section")]
    assert "of, adds" in found.text


def test_a_section_of_another_package_joins(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Section, "kinds", dict(Section.kinds))

    class Own(Section, kind="own"):
        title, about = "A section of our own", "Nothing."

        def parts(self, run: Run, number: int) -> list[Any]:
            return [Note(f"of {run.name}")]

    assert "A section of our own" in page([run])
