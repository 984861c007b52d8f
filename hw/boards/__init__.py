"""Boards, each a table in TOML: which FPGA, which pins, and how a host and a loader reach it.

:mod:`parts` are the pieces of a board, :mod:`board` is the board and how a table is read,
:mod:`chips` are the families of FPGAs and their part numbers, :mod:`platforms` makes Amaranth's
platform of a board, and :mod:`nexus` is the platform of one family. The folder ``tables`` holds the
boards that come with Spikeloom, and ``template.toml`` is one to begin with.
"""

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.parts import Light, Link, Processor, Resources

__all__ = ["Board", "Light", "Link", "Processor", "Resources"]
