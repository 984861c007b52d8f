"""Deferred names: imported when asked for, and all of them there."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from spikeloom.sw.deferred import deferred

PACKAGES = ("spikeloom.hw.build", "spikeloom.sw.diagnostics")


def test_a_name_is_that_of_its_module() -> None:
    find = deferred("package", {"json": ("dumps", "loads"), "math": ("pi",)})
    assert find("dumps") is importlib.import_module("json").dumps
    assert find("pi") == importlib.import_module("math").pi


def test_another_name_is_an_attribute_error_that_names_the_package() -> None:
    find = deferred("package", {"json": ("dumps",)})
    with pytest.raises(AttributeError, match="module 'package' has no attribute 'nothing'"):
        find("nothing")


@pytest.mark.parametrize("package", PACKAGES)
def test_all_names_of_a_package_are_found_where_they_are_defined(package: str) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        assert not isinstance(getattr(module, name), type(sys)), name


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_itself_imports_neither_torch_nor_amaranth(package: str) -> None:
    code = f"import sys, {package}\nassert not {{'torch', 'amaranth'}} & sys.modules.keys()\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
