"""Reports in a real browser: nothing on the console, and figures that are those of the JSON.

``make test-browser`` runs them. Screenshots are left in ``build/browser``, to be looked at.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from support import report as example
from support.networks.examples import every_kind, everything

from spikeloom.sw.cli import main
from spikeloom.sw.network import save

pytestmark = pytest.mark.browser

PICTURES = Path(__file__).parents[2] / "build" / "browser"
#: Seconds of processor time in which the browser has opened a page; seconds that a busy machine may
#: take for it; and the page's bytes at most.
OPENED, PATIENCE, LARGEST = 2.0, 20.0, 5_000_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    name = os.environ.get("CHROMIUM", "chromium")
    program = shutil.which(name)
    assert program is not None, f"{name} is not installed: apt install chromium"
    with sync_playwright() as playwright:
        # There is no sandbox for root, and nothing here comes from elsewhere.
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        launched.close()


class Opened:
    """A page that was opened, what it wrote to the console, and what it asked for."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.told: list[str] = []
        self.asked: list[str] = []
        self.path = path
        self.page = browser.new_page(viewport={"width": 1300, "height": 950})
        self.page.on("console", lambda message: self.told.append(message.text))
        self.page.on("pageerror", lambda error: self.told.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        # The time for which the page's thread had a processor, whatever else is at work.
        self.metrics = self.page.context.new_cdp_session(self.page)
        self.metrics.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.page.goto(path.as_uri())
        self.content = json.loads(self.page.locator("#report").text_content())

    def processor_time(self) -> float:
        """Return the seconds for which the page's thread had a processor until now."""
        found = self.metrics.send("Performance.getMetrics")["metrics"]
        (taken,) = [metric["value"] for metric in found if metric["name"] == "TaskDuration"]
        return float(taken)

    def figures(self, run: int = 0) -> list[Any]:
        """Return the values that the panel of a run shows, as they are in the JSON."""
        shown = self.page.locator(f"#r{run}-figures dd").evaluate_all(
            "all => all.map(one => one.dataset.value)"
        )
        return [json.loads(value) for value in shown]

    def shoot(self, name: str, **options: Any) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", **options)

    def require_quiet(self) -> None:
        assert self.told == []
        assert [url for url in self.asked if not url.startswith(("data:", "blob:"))] == [
            self.path.as_uri()
        ]


def leaves(value: Any) -> list[Any]:
    """Return the values of an object, and of objects in it, in their order."""
    if isinstance(value, dict):
        return [x for inner in value.values() for x in leaves(inner)]
    if isinstance(value, list) and any(isinstance(x, dict | list) for x in value):
        return [x for inner in value for x in leaves(inner)]
    return [value]


def report(*arguments: str | Path) -> None:
    done = CliRunner().invoke(main, ["report", *map(str, arguments)])
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small")
    folder = example.folder(path / "demo", everything())
    example.images(everything(), path / "some.npz")
    report(folder, "--images", path / "some.npz", "--out", path / "report.html")
    return path / "report.html"


@pytest.fixture
def opened(browser: Any, small: Path) -> Iterator[Opened]:
    found = Opened(browser, small)
    yield found
    found.page.close()


def test_a_click_on_a_layer_shows_its_figures(opened: Opened) -> None:
    details = opened.content["runs"][0]["details"]
    assert list(details) == [layer.name for layer in everything().layers]
    for name, groups in details.items():
        opened.page.locator(f'.graph a[data-layer="{name}"]').click()
        assert opened.page.locator("#r0-figures h3").text_content() == name
        assert opened.page.locator("#r0-figures h4").all_text_contents() == list(groups)
        assert opened.figures() == leaves(groups)
        pressed = opened.page.locator('.graph a[aria-pressed="true"]')
        assert pressed.evaluate_all("all => all.map(x => x.dataset.layer)") == [name]
    opened.shoot("small", full_page=True)
    opened.require_quiet()


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_layers_are_opened_by_keyboard(opened: Opened, key: str) -> None:
    names = list(opened.content["runs"][0]["details"])
    opened.page.locator(".graph a").first.focus()
    opened.page.keyboard.press("Tab")
    opened.page.keyboard.press(key)
    assert opened.page.locator("#r0-figures h3").text_content() == names[1]
    button = opened.page.locator(f'#network table button[data-layer="{names[0]}"]')
    button.focus()
    opened.page.keyboard.press(key)
    assert opened.page.locator("#r0-figures h3").text_content() == names[0]
    opened.require_quiet()


def test_tables_are_sorted_by_a_click(opened: Opened) -> None:
    table = opened.page.locator("#cycles table").first
    head = table.locator("th[scope=col]").nth(1)
    for order in ("ascending", "descending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == order
        cells = table.locator("tbody td:nth-child(2)")
        values = cells.evaluate_all("all => all.map(x => JSON.parse(x.dataset.value))")
        assert values == sorted(values, reverse=order == "descending")
        assert len(set(values)) > 1
    opened.require_quiet()


def test_every_chart_is_drawn_when_it_is_seen(opened: Opened) -> None:
    page = opened.page
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    places = page.locator(".place")
    count = places.count()
    assert count == len(json.loads(page.locator("#charts").text_content())) > 8
    for number in range(count):
        places.nth(number).scroll_into_view_if_needed()
        places.nth(number).locator(".bk-Figure canvas").first.wait_for()
    opened.shoot("charts", full_page=True)
    opened.require_quiet()


def test_charts_are_drawn_for_print(opened: Opened) -> None:
    assert len(opened.page.pdf(path=None)) > 20_000
    page = opened.page
    page.locator("#timeline .bk-Figure canvas").first.wait_for(state="attached")
    seen = page.locator(".place").evaluate_all(
        "all => all.filter(x => x.checkVisibility()).map(x => x.childElementCount > 0)"
    )
    assert seen
    assert all(seen)
    opened.require_quiet()


def test_names_that_would_run_do_not(browser: Any, tmp_path: Path) -> None:
    example.write(tmp_path / "cosim.json", example.simulation(["conv", example.HOSTILE]))
    report(tmp_path)
    found = Opened(browser, tmp_path / "report.html")
    found.page.locator(".bk-Figure canvas").first.wait_for()
    assert found.page.title().startswith("Spikeloom report")
    assert found.page.locator("img").count() == 0
    assert example.HOSTILE in found.page.locator("#cycles tbody th").all_text_contents()[1]
    found.require_quiet()
    found.page.close()


def test_two_runs_have_panels_of_their_own(browser: Any, small: Path, tmp_path: Path) -> None:
    save(every_kind(), tmp_path / "other.safetensors")
    out = tmp_path / "both.html"
    report(small.parent / "demo", tmp_path / "other.safetensors", "--out", out)
    found = Opened(browser, out)
    for run, network in enumerate((everything(), every_kind())):
        name = network.layers[1].name
        found.page.locator(f'.graph a[data-run="{run}"][data-layer="{name}"]').click()
        assert found.figures(run) == leaves(found.content["runs"][run]["details"][name])
    assert found.page.locator("#r0-figures h3").text_content() == everything().layers[1].name
    found.shoot("both", full_page=True)
    found.require_quiet()
    found.page.close()


def test_the_front_of_a_sweep_is_shown(browser: Any, tmp_path: Path) -> None:
    content = example.sweep()
    example.write(tmp_path / "sweep.json", content)
    report(tmp_path)
    found = Opened(browser, tmp_path / "report.html")
    assert found.content["runs"][0]["sweep"] == content
    page = found.page
    front = page.locator("#sweep table").first
    assert front.locator("caption").text_content() == "Pareto front"
    rows = front.locator("tbody tr").evaluate_all(
        "all => all.map(row => [...row.cells].map(cell => JSON.parse(cell.dataset.value)))"
    )
    trials = content["trials"]
    for row, point in zip(rows, content["front"], strict=True):
        trial = trials[point["number"]]
        figures = [trial["figures"][name] for name in content["objectives"]]
        values = list(trial["values"].values())
        assert row == [
            *(point["number"], *figures, trial["test_accuracy"], *values, point["network"]),
        ]
    # The keyboard sorts by the number of cycles.
    head = front.locator("th[scope=col]").nth(2)
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    first = front.locator("tbody th").evaluate_all("all => all.map(x => x.dataset.value)")
    assert first == ["0", "1"]
    places = page.locator("#sweep .place")
    assert places.count() == 2
    for number in range(2):
        places.nth(number).scroll_into_view_if_needed()
        places.nth(number).locator(".bk-Figure canvas").first.wait_for()
    assert trials[2]["reason"] in page.locator("#sweep").text_content()
    page.locator("#sweep summary").click()
    found.shoot("sweep", full_page=True)
    found.require_quiet()
    page.close()


def test_resnet20_opens_soon(browser: Any, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 32))
    np.save(tmp_path / "some.npy", images)
    out = tmp_path / "resnet20.html"
    report("cifar10-resnet20-cpu", "--images", tmp_path / "some.npy", "--out", out)
    assert out.stat().st_size < LARGEST
    seconds, busy = [], []
    for _ in range(3):
        found = Opened(browser, out)
        entry = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        found.page.wait_for_function(f"{entry} > 0")
        seconds.append(found.page.evaluate(entry) / 1000)
        busy.append(found.processor_time())
        found.page.locator('.graph a[data-layer="block5_conv2"]').click()
        figures = found.content["runs"][0]["details"]["block5_conv2"]
        assert found.figures() == leaves(figures)
        found.shoot("resnet20")
        found.require_quiet()
        found.page.close()
    print(f"ResNet-20's report: {out.stat().st_size:,} bytes, opened in {min(seconds):.2f} s")
    # Another program may be at work at the same time, which costs no processor time of the page.
    assert 0 < min(busy) < OPENED, busy
    assert min(seconds) < PATIENCE, seconds
