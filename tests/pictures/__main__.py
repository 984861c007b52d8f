"""Draw the pictures of the documentation anew: ``make pictures``.

Block diagrams and waveforms go into docs/hardware. ``tutorial`` runs the commands of
docs/tutorial.md in build/tutorial, and takes its pictures from there: some minutes.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from pictures import draw, tutorial
from pictures.diagrams import diagrams
from pictures.waves import FOLDER, text, waveforms


def hardware() -> None:
    """Write block diagrams, and waveforms with their WaveJSON, into docs/hardware."""
    FOLDER.mkdir(exist_ok=True)
    drawn = {name: draw.of_diagram(diagram) for name, diagram in diagrams().items()}
    for name, waveform in waveforms().items():
        (FOLDER / f"{name}.json").write_text(text(waveform), encoding="utf-8")
        drawn[name] = draw.of_waveform(waveform)
    for name, content in drawn.items():
        (FOLDER / f"{name}.svg").write_text(content, encoding="utf-8")


def main() -> None:
    """Draw what is asked for, or all of it."""
    parser = argparse.ArgumentParser(description="Draw the pictures of the documentation anew.")
    parser.add_argument("what", nargs="?", choices=["hardware", "tutorial", "all"], default="all")
    what = parser.parse_args().what
    if what != "tutorial":
        hardware()
    if what != "hardware":
        folder = Path("build/tutorial").resolve()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        os.chdir(folder)
        tutorial.run()
        tutorial.shoot(Path("shapes/report.html"))
        shutil.copy("shapes/front.png", tutorial.FOLDER)


if __name__ == "__main__":
    main()
