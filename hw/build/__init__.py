"""Bitstreams, made of a network and a board by open tools, each with a manifest.

:mod:`flow` has the steps of a build, and :mod:`options` those of its options that all builds share.
:mod:`choices` are the settings of a design beside its accelerator, :mod:`clocking` makes a clock
other than the oscillator's, and :mod:`top` is the design with its pins. :mod:`sizing` estimates how
many lanes a board has room for, from the :mod:`memories` of a plan and the :mod:`blocks` that each
becomes, and :mod:`room` compares a design with the board. :mod:`family` runs the tools of a family
of FPGAs and reads their reports, :mod:`tools` finds the programs, :mod:`rtlil` reads and marks the
memories of a design, :mod:`timing` explains a missed clock, and :mod:`vivado` writes projects for
Vivado. :mod:`area` measures an accelerator by component, and :mod:`energy` estimates what an image
takes. :mod:`content` is the content of a manifest, and :mod:`folder` the folder of a build.

Names are imported when they are first asked for: Amaranth and torch take seconds, and
:mod:`family` and :mod:`tools` need neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikeloom.sw.deferred import deferred

if TYPE_CHECKING:
    from spikeloom.hw.build.choices import DeviceChoices, Images
    from spikeloom.hw.build.flow import build, build_overlay
    from spikeloom.hw.build.options import Options
    from spikeloom.hw.build.room import FIELDS
    from spikeloom.sw.link.manifest import Manifest
else:
    __getattr__ = deferred(
        __name__,
        {
            "spikeloom.hw.build.choices": ("DeviceChoices", "Images"),
            "spikeloom.hw.build.flow": ("build", "build_overlay"),
            "spikeloom.hw.build.options": ("Options",),
            "spikeloom.hw.build.room": ("FIELDS",),
            "spikeloom.sw.link.manifest": ("Manifest",),
        },
    )

__all__ = [
    "FIELDS",
    "DeviceChoices",
    "Images",
    "Manifest",
    "Options",
    "build",
    "build_overlay",
]
