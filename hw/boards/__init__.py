"""Boards, one in each file, found by their names: :meth:`Board.find`."""

from spikeloom.hw.boards import arty, crosslink_nx, icebreaker, orangecrab, pynq, tang_nano, ulx3s
from spikeloom.hw.boards.board import Board, Light, Link, Processor, Resources

__all__ = [
    "Board",
    "Light",
    "Link",
    "Processor",
    "Resources",
    "arty",
    "crosslink_nx",
    "icebreaker",
    "orangecrab",
    "pynq",
    "tang_nano",
    "ulx3s",
]
