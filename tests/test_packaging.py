"""Packaging: the content of the wheel, the license."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel, built from a copy of the files that go into it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    for name in ("sw", "hw", "sim"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *options, str(source)], check=True)
    (path,) = folder.glob("spikeloom-*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_every_file(wheel: zipfile.ZipFile) -> None:
    expected = {
        f"spikeloom/{path.relative_to(ROOT)}"
        for folder in ("sw", "hw", "sim")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in wheel.namelist() if name.startswith("spikeloom/")} == expected
    assert {"spikeloom/sw/network/file.py", "spikeloom/sw/cli/__init__.py"} <= expected
    # `spikeloom` itself is a namespace: each of its three packages tells type checkers of its own.
    assert {f"spikeloom/{folder}/py.typed" for folder in ("sw", "hw", "sim")} <= expected


def test_wheel_says_who_makes_it_and_where(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    lines = wheel.read(name).decode().splitlines()
    assert "Author: Spikeloom maintainers" in lines
    urls = dict(
        line.removeprefix("Project-URL: ").split(", ") for line in lines if "-URL: " in line
    )
    assert urls.keys() == {"Homepage", "Documentation", "Changelog", "Issues"}
    (base,) = {"/".join(url.split("/")[:5]) for url in urls.values()}
    for address in urls.values():
        _, _, path = address.removeprefix(base).partition("main/")
        assert (ROOT / path).exists(), address


def test_wheel_holds_license_and_command(wheel: zipfile.ZipFile) -> None:
    names = {Path(name).name: name for name in wheel.namelist()}
    assert {"LICENSE", "NOTICE"} <= names.keys()
    entries = wheel.read(names["entry_points.txt"]).decode()
    assert "spikeloom = spikeloom.sw.cli:main" in entries


def test_installed_wheel_runs_without_the_checkout(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    # -S hides the editable install; the dependencies' folder comes back by hand.
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {packages!r}]\n"
        "import spikeloom.sw.network\n"
        f"assert spikeloom.sw.network.__file__.startswith({str(tmp_path)!r})\n"
        "from spikeloom.sw.cli import main\n"
        "main(['--version'])"
    )
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert PROJECT["project"]["version"] in done.stdout


def test_generated_hdl_belongs_to_who_generated_it() -> None:
    for name in ("README.md", "NOTICE"):
        text = " ".join((ROOT / name).read_text().split())
        assert "belongs to whoever generated it" in text, name
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_the_citation_names_this_version_and_licence() -> None:
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(": ", 1) for line in lines if ": " in line and line[0] not in " -")
    project = PROJECT["project"]
    assert fields["version"] == project["version"]
    assert fields["license"] == project["license"]
    assert fields["repository-code"] == project["urls"]["Homepage"]
