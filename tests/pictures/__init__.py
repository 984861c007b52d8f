"""Pictures of docs/hardware.md and docs/waveforms.md: ``make pictures``.

====================  ==============================================================================
:mod:`.waves`         waveforms of components in Amaranth's simulator, as WaveJSON
:mod:`.diagrams`      block diagrams
:mod:`.draw`          both as SVG, by schemdraw
====================  ==============================================================================
"""

from __future__ import annotations
