"""Bitstreams: a network, a board, and open tools; with a manifest of what came of it.

:mod:`family` is how a family's tools are run and read, :mod:`tools` which programs these are,
:mod:`fit` how many lanes a board has room for, :mod:`top` what a bitstream holds, and
:mod:`selftest` the images in it.
"""

from spikeloom.hw.build.flow import FIELDS, Images, build
from spikeloom.sw.manifest import Manifest

__all__ = ["FIELDS", "Images", "Manifest", "build"]
