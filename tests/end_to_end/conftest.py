from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def build_dir(pytestconfig: pytest.Config) -> Path:
    """Folder of compiled simulators, kept between runs; a hash of Verilog and flags names each."""
    return pytestconfig.rootpath / "build" / "tests"
