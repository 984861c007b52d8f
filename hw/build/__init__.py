"""Bitstreams: a network, a board, and open tools; with a manifest of what came of it.

:mod:`family` is how a family's tools are run and read, :mod:`tools` which programs these are,
:mod:`fit` how many lanes a board has room for, :mod:`room` what a design takes of it,
:mod:`choices` what else there is to choose, :mod:`top` what a bitstream holds, :mod:`vivado` the
projects from which Vivado makes one, :mod:`content` what a manifest says, :mod:`folder` where all
this lies, and :mod:`flow` the way from the first to the last.
"""

from spikeloom.hw.build.choices import DeviceChoices, Images
from spikeloom.hw.build.flow import build, build_overlay
from spikeloom.hw.build.room import FIELDS
from spikeloom.sw.link.manifest import Manifest

__all__ = ["FIELDS", "DeviceChoices", "Images", "Manifest", "build", "build_overlay"]
