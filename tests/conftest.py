"""Settings that every test shares."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Workers share the cores already; this must be set before torch is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test depends on the choices of whoever runs it.
os.environ["SPIKELOOM_CONFIG"] = ""
os.environ.pop("SPIKELOOM_CACHE_DIR", None)

# No deadline: another worker's compiler run makes a quick example slow. The same examples in every
# run: a failure is a change's, not the day's.
settings.register_profile(
    "spikeloom",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("spikeloom")


def pytest_configure(config: pytest.Config) -> None:
    """Have simulators compiled quickly, unless what is asked for is long simulations."""
    # A shell lets jobs in the background ignore Ctrl-C, which some tests send to themselves.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.markexpr.startswith("not sweep") and not config.option.data:
        os.environ.setdefault("OPT_FAST", "-O0")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave out of garbage collection what is there for good, and collect less often.

    Hardware in Amaranth is millions of small objects: looking through all of them, and through
    every module and test, after each 700 new ones takes a tenth of the time of all tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def pytest_runtest_setup() -> None:
    """Seed torch, once it is loaded: a test sees the same random numbers alone and among others."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="folder with the original data sets: mnist/, fashion-mnist/, cifar10/, nmnist/, nir/",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that need data sets unless ``--data`` says where those are."""
    if config.getoption("data"):
        return
    needing = [item for item in items if item.get_closest_marker("data")]
    config.hook.pytest_deselected(items=needing)
    items[:] = [item for item in items if item not in needing]


@pytest.fixture(scope="session")
def build_dir(pytestconfig: pytest.Config) -> Path:
    """Folder of compiled simulators, and of Verilator's library for all of them.

    All workers share it, and it is kept between runs; a hash of Verilog, flags and tools names each
    simulator.
    """
    return pytestconfig.rootpath / "build" / "tests"


@pytest.fixture(scope="session")
def data_root(pytestconfig: pytest.Config) -> Path:
    """The folder given by ``--data``."""
    root = pytestconfig.getoption("data")
    assert root is not None, "a test that uses data_root must be marked with pytest.mark.data"
    assert root.is_dir(), f"--data {root}: there is no such folder"
    return Path(root).resolve()
