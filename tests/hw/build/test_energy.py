"""Energy of FPGAs: the published measurement, its scaling, and two published designs."""

from __future__ import annotations

import pytest

from spikeloom.hw.build.energy import ERROR, FpgaEnergy, lut_cycle
from spikeloom.hw.build.family import Family
from spikeloom.sw.golden import LayerWork, Work


@pytest.mark.parametrize(
    ("family", "nanometres", "volts"),
    [
        ("ecp5", 40, 1.1),
        ("ice40", 40, 1.2),
        ("gowin", 55, 1.2),
        ("nexus", 28, 1.0),
        ("xilinx", 28, 1.0),
    ],
)
def test_scaled_from_a_clb_of_eight_luts(family: str, nanometres: float, volts: float) -> None:
    shrunk = nanometres / 150 * (volts / 1.5) ** 2
    assert lut_cycle(Family.find(family)) == pytest.approx(5.9 / 8 * shrunk)


def test_logic_and_memory_of_an_image() -> None:
    work = Work(4, (LayerWork("a", 1, 1, additions=4000, weight_bits=32000),))
    family = Family.find("ecp5")
    found = FpgaEnergy.of(family, 2000, 500.0, work)
    assert found.logic == pytest.approx(1000 * lut_cycle(family))
    assert found.memory == pytest.approx(1.25)
    assert found.total == found.logic + found.memory
    content = found.as_dict()
    assert content["low"] * ERROR == pytest.approx(content["total"])
    assert content["high"] / ERROR == pytest.approx(content["total"])
    assert (content["family"], content["luts"], content["cycles"]) == ("ecp5", 2000, 500.0)


@pytest.mark.parametrize(("cells", "milliwatts"), [(7612, 180), (18268, 430)])
def test_within_its_error_of_spiker_plus(cells: int, milliwatts: float) -> None:
    """The published figures are of whole chips, so that they are the larger ones."""
    found = cells * lut_cycle(Family.find("xilinx")) * 100e6 * 1e-9
    assert found < milliwatts < ERROR * found
