"""Boards, each a table in TOML: which FPGA, which pins, and how a host and a loader reach it.

:mod:`board` is a board, :mod:`parts` are its parts, and :mod:`table` reads it from a table.
:mod:`chips` are the families of FPGAs and their part numbers, as ``chips.toml`` has them.
:mod:`platforms` makes Amaranth's platform of a board, and :mod:`nexus` is that of one family. The
folder ``tables`` holds the boards that come with Spikeloom; ``template.toml`` is one to begin with.
"""

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.parts import Light, Link, Processor, Resources

__all__ = ["Board", "Light", "Link", "Processor", "Resources"]
