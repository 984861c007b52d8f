"""Part numbers of FPGAs, and the models that the tools know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from amaranth.vendor import GowinPlatform, LatticeICE40Platform, LatticePlatform

from spikeloom.hw.boards.chips import Chips, families
from spikeloom.hw.boards.platforms import load_class
from spikeloom.hw.build.family import Family
from spikeloom.sw.errors import ConfigError


@pytest.mark.parametrize("family", families())
class TestEveryFamily:
    def test_tools_are_known_for_it(self, family: str) -> None:
        assert Family.find(family).name == Chips.find(family).family == family

    def test_its_example_is_one_of_its_part_numbers(self, family: str) -> None:
        chips = Chips.find(family)
        model = chips.find_model(chips.example)
        assert model is not None
        assert model.resources.luts > 0

    def test_a_part_number_is_what_its_platform_s_attributes_spell(self, family: str) -> None:
        chips = Chips.find(family)
        platform = type("Platform", (), chips.attributes(chips.example, "C"))
        assert chips.device(platform) == chips.example
        base = load_class(chips.platform, Path())
        wanted = {name for name in ("device", "package", "part") if hasattr(base, name)}
        assert wanted <= set(chips.attributes(chips.example))


def test_models_are_those_that_the_platform_has_options_for() -> None:
    ecp5, ice40 = Chips.find("ecp5"), Chips.find("ice40")
    assert set(ecp5.models) == set(LatticePlatform._nextpnr_device_options)
    packages = {package for model in ecp5.models.values() for package in model.packages}
    assert packages == set(LatticePlatform._nextpnr_package_options)
    assert set(ice40.models) <= set(LatticeICE40Platform._nextpnr_device_options)


@pytest.mark.parametrize(
    ("family", "device", "attributes"),
    [
        (
            "ecp5",
            "LFE5UM5G-45F-8BG381I",
            {"device": "LFE5UM5G-45F", "speed": "8", "package": "BG381", "grade": "I"},
        ),
        ("ice40", "iCE40LP1K-SWG16TR", {"device": "iCE40LP1K", "package": "SWG16TR"}),
        ("xilinx", "xc7a35tcpg236-1", {"device": "xc7a35t", "package": "cpg236", "speed": "1"}),
        ("xilinx", "xc7s50csga324-2", {"device": "xc7s50", "package": "csga324", "speed": "2"}),
    ],
)
def test_a_part_number_is_taken_apart(family: str, device: str, attributes: dict[str, str]) -> None:
    assert Chips.find(family).attributes(device) == attributes


def test_gowin_s_platform_takes_the_version_that_the_part_number_leaves_out() -> None:
    attributes = Chips.find("gowin").attributes("GW1NR-LV9QN88PC6/I5", "C")
    assert attributes["family"] == "GW1NR-9C"
    content: dict[str, Any] = attributes | {"resources": [], "connectors": []}
    platform = type("Platform", (GowinPlatform,), content)()
    assert (platform.size, platform.speed) == ("9", "C6/I5")


def test_a_model_goes_on_where_a_name_ends() -> None:
    xilinx = Chips.find("xilinx")
    found = xilinx.find_model("xc7a100ticsg324-1L")
    assert found is xilinx.models["xc7a100t"]
    assert xilinx.find_model("xc7k70tfbg484-1") is None
    zynq = xilinx.find_model("xc7z010clg400-1")
    assert zynq is not None
    assert zynq.processor is not None


@pytest.mark.parametrize(
    ("family", "device", "message"),
    [
        ("ecp5", "LFE5U-25F", "^device 'LFE5U-25F' is no part number of ecp5: write it as in 'LF"),
        ("ecp5", "LFE5U-50F-6BG256C", "^device .*: ecp5 has no 'LFE5U-50F': did you mean "),
        ("ecp5", "LFE5U-25F-6BG756C", "package 'BG756' of LFE5U-25F, only BG256, BG381, MG285$"),
        ("ice40", "iCE40UP5K-QN48", "^device .*: the tools know no package 'QN48' of iCE40UP5K, "),
    ],
)
def test_an_unknown_part_number(family: str, device: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Chips.find(family).find_model(device)


def test_an_unknown_family() -> None:
    with pytest.raises(ConfigError, match=r"^family: there is no 'ecp6': did you mean 'ecp5'\?"):
        Chips.find("ecp6")
