"""Targets: a class for each reader, found by its name.

``base`` has the family; ``own`` the readers of Spikeloom's own files, ``hardware`` those of
hardware and boards, ``data`` those of images, labels and events, ``imported`` those of other
toolkits' files, and ``link`` the host's side of the link.
"""

from fuzz.targets import data, hardware, imported, link, own  # noqa: F401  # they join the family
from fuzz.targets.base import CORPUS, Target

__all__ = ["CORPUS", "Target"]
