"""Boards, one in each file, found by their names: :meth:`Board.find`."""

from spikeloom.hw.boards import arty, crosslink_nx, icebreaker, orangecrab, pynq, tang_nano, ulx3s
from spikeloom.hw.boards.board import Board, Light, Link, Resources

__all__ = [
    "Board",
    "Light",
    "Link",
    "Resources",
    "arty",
    "crosslink_nx",
    "icebreaker",
    "orangecrab",
    "pynq",
    "tang_nano",
    "ulx3s",
]
