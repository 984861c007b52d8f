"""Pictures of docs/tutorial.md: its commands are run, and its report is opened in a browser."""

from __future__ import annotations

import os
from pathlib import Path

from support.pages import DOCS, follow

FOLDER = DOCS / "tutorial"
#: Pictures, and the parts of the report that they show.
SHOWN = {"network": "#network .network", "spikes": "#spikes details", "cycles": "#cycles .chart"}


def run() -> None:
    """Run all that the tutorial says, in the current folder, and print what it prints."""
    for done in follow((DOCS / "tutorial.md").read_text(encoding="utf-8")):
        print(f"$ {done.command}\n{done.printed}", flush=True)


def shoot(report: Path) -> None:
    """Write pictures of parts of a report, as chromium shows them."""
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        # There is no sandbox for root, and nothing here comes from elsewhere.
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.goto(report.resolve().as_uri())
        page.locator('.graph a[data-layer="conv2"]').click()
        for name, part in SHOWN.items():
            place = page.locator(part).first
            place.scroll_into_view_if_needed()
            page.wait_for_timeout(500)
            place.screenshot(path=FOLDER / f"{name}.png")
        browser.close()
