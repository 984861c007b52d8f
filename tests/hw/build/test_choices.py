from __future__ import annotations

import numpy as np
import pytest
from support.hw.networks import showcase, showcase_images

from spikeloom.hw.boards import Board
from spikeloom.hw.build import DeviceChoices, Images
from spikeloom.hw.build.choices import OverlayChoices
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden import Golden

ULX3S, PYNQ = Board.find("ulx3s-85f"), Board.find("pynq-z2")


def test_the_clock_is_the_oscillator_s_unless_chosen() -> None:
    assert DeviceChoices(showcase(), ULX3S).mhz == 25
    assert DeviceChoices(showcase(), ULX3S).clocking() is None
    chosen = DeviceChoices(showcase(), ULX3S, clock=50)
    chosen.require_clock()
    assert chosen.mhz == 50


def test_a_clock_that_cannot_be_made() -> None:
    with pytest.raises(ConfigError, match=r"^25 MHz cannot be made into 999 MHz: the next is --cl"):
        DeviceChoices(showcase(), ULX3S, clock=999).require_clock()
    nexus = Board.find("crosslink-nx-evn")
    DeviceChoices(showcase(), nexus).require_clock()
    with pytest.raises(
        ConfigError, match=r"^there is no other clock than the oscillator's for nex"
    ):
        DeviceChoices(showcase(), nexus, clock=50).require_clock()


def test_the_clock_of_an_overlay_is_the_processor_s() -> None:
    plain = OverlayChoices(showcase(), PYNQ)
    plain.require_clock()
    assert plain.mhz == 100
    chosen = OverlayChoices(showcase(), PYNQ, clock=250)
    chosen.require_clock()
    assert chosen.mhz == 250
    with pytest.raises(ConfigError, match=r"gives its logic 250 MHz at most, not 250\.5: give ano"):
        OverlayChoices(showcase(), PYNQ, clock=250.5).require_clock()


def test_an_overlay_needs_a_processor() -> None:
    with pytest.raises(
        ConfigError, match=r"^ULX3S 85F has no processor .*take a board.*: pynq-z2$"
    ):
        OverlayChoices(showcase(), ULX3S).require_clock()


def test_an_overlay_has_counters_and_no_taps() -> None:
    choices = OverlayChoices(showcase(), PYNQ)
    assert choices.config(None) == HardwareConfig(counters=True)
    assert choices.config(HardwareConfig(lanes=2)) == HardwareConfig(lanes=2)
    with pytest.raises(
        ConfigError, match=r"^AXI has no ports for taps: leave out debug, or the ov"
    ):
        choices.config(HardwareConfig(debug=True))


def test_records_need_taps() -> None:
    assert DeviceChoices(showcase(), ULX3S).config(None) == HardwareConfig(counters=True)
    kept = DeviceChoices(showcase(), ULX3S, records=["conv"])
    assert kept.config(None) == HardwareConfig(counters=True, debug=True)
    assert kept.config(HardwareConfig(lanes=2)) == HardwareConfig(lanes=2, debug=True)
    assert DeviceChoices(showcase(), ULX3S).config(HardwareConfig(debug=True)).debug


def test_logits_of_the_self_test_are_golden_s() -> None:
    images = showcase_images(3)
    tested = DeviceChoices(showcase(), ULX3S, tested=images)
    assert tested.logits is not None
    assert tested.logits.tolist() == Golden(showcase()).run(images).logits.tolist()
    assert DeviceChoices(showcase(), ULX3S).logits is None


def test_random_images_are_always_the_same_and_fit() -> None:
    network = showcase()
    images, again = Images.random(network, 20), Images.random(network, 20)
    assert np.array_equal(images.pixels, again.pixels)
    assert images.pixels.shape == (20, *network.input.image_shape)
    values = network.input.values()
    assert (images.pixels.min(), images.pixels.max()) == (values.low, values.high)
    assert not images.real
