"""Bitstreams: a network, a board, and open tools; with a manifest of what came of it.

:mod:`family` is how a family's tools are run and read, :mod:`tools` which programs these are,
:mod:`fit` how many lanes a board has room for, :mod:`choices` what else there is to choose,
:mod:`top` what a bitstream holds, :mod:`content` what its manifest says, and :mod:`flow` the way
from the first to the last.
"""

from spikeloom.hw.build.choices import DeviceChoices, Images
from spikeloom.hw.build.flow import FIELDS, build
from spikeloom.sw.manifest import Manifest

__all__ = ["FIELDS", "DeviceChoices", "Images", "Manifest", "build"]
