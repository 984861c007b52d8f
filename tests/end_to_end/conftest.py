from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def build_dir(pytestconfig: pytest.Config) -> Path:
    """Simulators, kept from run to run; each is named by a hash over its Verilog and flags."""
    return pytestconfig.rootpath / "build" / "tests"
