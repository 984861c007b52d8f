"""Put the built site beside those of other versions: ``make docs SITE=folder``.

The folder can be served as it is, or opened without a server. Each version has a folder of its own.
``versions.js`` lists them for the sidebar of every page, also of older ones; ``index.html`` leads
to the newest.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

#: Numbers with dots, and perhaps what comes ahead of or behind a release: 0.2.0rc1.
VERSION = re.compile(r"\d+(?:\.\d+)*[\w.+-]*")


def publish(html: Path, site: Path, version: str) -> list[str]:
    """Copy a built site to where others are, in place of an earlier one of the same version.

    Parameters
    ----------
    html : path
        Folder that Sphinx has written.
    site : path
        Folder with a folder for each version; made if it is not there.
    version : str

    Returns
    -------
    list of str
        All versions that are there now, the newest first.
    """
    target, fresh = site / version, site / f".{version}"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(html, fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    versions = found(site)
    listed = f"window.SPIKELOOM_VERSIONS = {json.dumps(versions)};\n"
    (site / "versions.js").write_text(listed, encoding="utf-8")
    page = f'<!doctype html><meta http-equiv="refresh" content="0; url={versions[0]}/index.html">\n'
    (site / "index.html").write_text(page, encoding="utf-8")
    return versions


def found(site: Path) -> list[str]:
    """Return the versions whose sites are in a folder, the newest first."""
    from packaging.version import Version

    names = (path.name for path in site.iterdir() if (path / "index.html").exists())
    return sorted(filter(VERSION.fullmatch, names), key=Version, reverse=True)


if __name__ == "__main__":
    built, place, number = sys.argv[1:]
    print(f"{place}: versions {', '.join(publish(Path(built), Path(place), number))}")
