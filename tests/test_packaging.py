"""Packaging: the content of the wheel, the license."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from support.report import embedded

from spikeloom.sw.network import load

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


class Installed:
    """A virtual environment with the wheel, and a folder elsewhere to work in.

    What the wheel depends on is the project's: a line in a .pth file adds that folder, but runs no
    .pth file in it, so that the editable install of the checkout is not there.
    """

    def __init__(self, wheel: Path, folder: Path) -> None:
        self.home, self.here = folder / "venv", folder / "elsewhere"
        self.here.mkdir()
        venv.create(self.home, symlinks=True)
        (packages,) = self.home.glob("lib/python*/site-packages")
        places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (packages / "project.pth").write_text("".join(f"{place}\n" for place in places))
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--python",
            str(self.home),
        ]
        options = ["--quiet", "--no-deps", "--no-index", "--ignore-installed"]
        subprocess.run([*pip, "install", *options, str(wheel)], check=True)

    def run(self, program: str, *arguments: str) -> str:
        """Return what a program of the environment prints, which must succeed."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        done = subprocess.run(
            [self.home / "bin" / program, *arguments],
            cwd=self.here, env=kept, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    assert wheel.filename is not None
    return Installed(Path(wheel.filename), tmp_path_factory.mktemp("installed"))


def test_the_installed_wheel_is_what_is_imported(installed: Installed) -> None:
    code = (
        "import sys\n"
        "import spikeloom.hw, spikeloom.sim, spikeloom.sw\n"
        "for package in (spikeloom.hw, spikeloom.sim, spikeloom.sw): print(package.__file__)\n"
        "print(*sys.path, sep='\\n')"
    )
    *files, path = installed.run("python", "-c", code).split("\n", 3)
    assert [Path(file).is_relative_to(installed.home) for file in files] == [True] * 3
    roots = [Path(place).resolve() for place in path.split()]
    assert not {ROOT, ROOT / "build" / "typing"} & set(roots)
    version = installed.run("spikeloom", "--version")
    assert version == f"spikeloom {PROJECT['project']['version']}\n"


def test_the_installed_wheel_writes_verilog(installed: Installed) -> None:
    told = installed.run("spikeloom", "generate", "digits-conv", "--out", "net.v")
    assert "wrote net.v" in told
    sidecar = json.loads((installed.here / "net.json").read_text(encoding="utf-8"))
    network = load(ROOT / "sw" / "pretrained" / "digits-conv.safetensors")
    assert sidecar["network"]["digest"] == network.digest
    verilog = (installed.here / "net.v").read_text(encoding="utf-8")
    assert f"module {sidecar['top']}(" in verilog


def test_the_installed_wheel_makes_reports(installed: Installed) -> None:
    arguments = ("digits-conv", "--data", "digits", "--limit", "1", "--out", "net.html")
    assert "open it in a browser" in installed.run("spikeloom", "report", *arguments)
    page = (installed.here / "net.html").read_text(encoding="utf-8")
    (shown,) = embedded(page)["runs"]
    assert shown["network"]["name"] == "digits-conv"
    assert shown["activity"]["images"] > 0


def test_the_installed_wheel_has_boards_and_recipes(installed: Installed) -> None:
    boards = json.loads(installed.run("spikeloom", "boards", "--json"))
    tables = {path.stem for path in (ROOT / "hw" / "boards" / "tables").glob("*.toml")}
    assert tables <= {board["name"] for board in boards}
    told = installed.run("spikeloom", "train", "--recipes")
    for path in (ROOT / "sw" / "recipes").glob("*.toml"):
        assert path.stem in told


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
